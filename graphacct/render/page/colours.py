"""The colours of heat on a page: the picture's scale in steps, and one for a dark page."""

from __future__ import annotations

from graphacct.render.picture.palette import heat, ink

STEPS = 32

LIGHT = [heat(step / STEPS) for step in range(STEPS + 1)]


def _dark(fraction: float) -> str:
    """Returns the colour of a fraction on a dark page: from the page's grey over brown to bright orange."""
    low, middle, high = (0x1C, 0x21, 0x28), (0x7A, 0x3B, 0x12), (0xFF, 0xA0, 0x4A)
    one, other, part = (low, middle, fraction * 2) if fraction < 0.5 else (middle, high, fraction * 2 - 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(one, other, strict=True))


DARK = [_dark(step / STEPS) for step in range(STEPS + 1)]
COLOURS = {
    "light": [[fill, ink(fill)] for fill in LIGHT],
    "dark": [[fill, "#0d1117" if ink(fill) == "#000000" else "#f0f6fc"] for fill in DARK],
}
"""Fill and ink of each step."""
