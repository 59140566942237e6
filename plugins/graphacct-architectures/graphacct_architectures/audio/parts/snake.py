"""Snake, an activation with a learned period for each channel (Ziyin et al., 2020, arXiv:2006.08195)."""

from __future__ import annotations

from graphacct import Builder, Value


def snake(b: Builder, name: str, x: Value) -> Value:
    """Returns x + sin²(α x) / α of x (batch, channels, length), with α in `name.alpha`, (1, channels, 1)."""
    with b.scope(name):
        alpha = b.parameter("alpha", (1, x.spec.shape[1], 1))
        wave = b.apply("sin", b.apply("mul", alpha, x, name="angles"), name="waves")
        wave = b.apply("square", wave, name="squares")
        share = b.apply("reciprocal", b.apply("shift", alpha, name="least"), name="share")
        return b.apply("add", x, b.apply("mul", share, wave, name="periodic"), name="added")
