"""Linear layers whose inputs and outputs are clamped to a learned range (Gemma 4's towers)."""

from __future__ import annotations

from graphacct import Builder, Dim, Value
from graphacct_architectures.layers import linear

ENDS = ("min", "max")


def clipped(b: Builder, name: str, x: Value, width: Dim, *, clipping: bool) -> Value:
    """Returns x through `name.linear`, which has no bias; with `clipping` its input and its output are clamped to
    buffers of one number each, `name.input_min` and so on."""
    if clipping:
        x = within(b, f"{name}.input", x)
    x = linear(b, f"{name}.linear", x, width, bias=False)
    return within(b, f"{name}.output", x) if clipping else x


def within(b: Builder, name: str, x: Value) -> Value:
    """Returns x clamped to the buffers `name_min` and `name_max`."""
    ends = [b.parameter(f"{name}_{end}", (), buffer=True) for end in ENDS]
    y: Value = b.apply("clamp_tensor", x, *ends, name=f"{name}_clipped")
    return y
