"""The colours of the picture."""

from __future__ import annotations

import pytest

from graphacct.render.picture.palette import PAPER, _luminance, contrast, heat, ink

STEPS = [step / 100 for step in range(101)]


def test_text_is_readable_on_every_fill() -> None:
    """At least 4.5 to 1, what WCAG 2.2 asks of small text (success criterion 1.4.3)."""
    assert min(contrast(heat(step), ink(heat(step))) for step in STEPS) >= 4.5


def test_more_is_darker() -> None:
    """Luminance falls all the way, so that a grey printer and every kind of colour vision keep the order."""
    values = [_luminance(heat(step)) for step in STEPS]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert values[-1] < 0.1


@pytest.mark.parametrize(("given", "same"), [(-1.0, 0.0), (2.0, 1.0)])
def test_parts_outside_the_scale_have_its_ends(given: float, same: float) -> None:
    """A share cannot leave the scale."""
    assert heat(given) == heat(same)


def test_contrast_is_that_of_the_standard() -> None:
    """Black on white is 21 to 1, a colour on itself 1 to 1."""
    assert contrast("#000000", PAPER) == pytest.approx(21)
    assert contrast(PAPER, PAPER) == 1
