"""The colours of the picture.

The heat scale runs from nearly white over orange to dark red while its lightness (in OKLCH, Ottosson 2020) falls by
equal steps: its order stays visible in grey print and to colour-blind readers. The residual stream is blue, which
colour-blind readers can tell from orange.
"""

from __future__ import annotations

from math import cos, radians, sin

INK = "#000000"
MUTED = "#59636e"
LINE = "#6e7781"
FAINT = "#afb8c1"
PAPER = "#ffffff"
RESIDUAL = "#0969da"
TIED = "#8250df"
ALARM = "#a40e26"
ADDED, REMOVED, CHANGED = "#006b4d", "#b34700", "#8a6100"
ADDED_FILL, REMOVED_FILL, CHANGED_FILL = "#d6f0e6", "#fbe2d3", "#fff0c9"
"""Of a diff: bluish green, vermilion and orange of Okabe and Ito (2008), darker for text and lines, and pale. Lines of
other kinds and signs before names say the same in grey print."""
CLUSTERS = ("#fbfcfd", "#f3f5f8", "#fbfcfd", "#f3f5f8")
"""Backgrounds of nested scopes, by level; they alternate so that neighbours differ without a strong line."""

_LIGHTNESS = (0.985, 0.44)
_CHROMA = (0.012, 0.165, 0.145)
_HUE = (90.0, 30.0)


def heat(fraction: float) -> str:
    """Returns the colour of a fraction of the largest value, 0 to 1, as `#rrggbb`."""
    t = min(max(fraction, 0.0), 1.0)
    lightness = _LIGHTNESS[0] + (_LIGHTNESS[1] - _LIGHTNESS[0]) * t
    low, middle, high = _CHROMA
    chroma = low + (middle - low) * min(t / 0.6, 1.0) if t < 0.6 else middle + (high - middle) * (t - 0.6) / 0.4
    hue = _HUE[0] + (_HUE[1] - _HUE[0]) * min(1.0, t / 0.85)
    return _hex(lightness, chroma, hue)


def ink(fill: str) -> str:
    """Returns black or white, whichever has the higher contrast on `fill` (WCAG 2 relative luminance)."""
    return PAPER if contrast(fill, PAPER) > contrast(fill, INK) else INK


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two colours, 1 to 21, as WCAG 2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def grey(colour: str) -> str:
    """Returns the grey of a colour's luminance: the heat scale keeps its order, and text its contrast."""
    linear = _luminance(colour)
    return "#" + f"{_channel(linear):02x}" * 3


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """Returns OKLCH as sRGB, with the matrices of the colour space's definition (bottosson.github.io/posts/oklab)."""
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{_channel(value):02x}" for value in linear)


def _channel(linear: float) -> int:
    clipped = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    return round(encoded * 255)
