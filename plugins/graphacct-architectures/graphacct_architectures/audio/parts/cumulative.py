"""A norm over a frame and all frames before it (Gemma 3n)."""

from __future__ import annotations

from graphacct import Builder, Value


def cumulative_norm(b: Builder, name: str, x: Value) -> Value:
    """Returns x (batch, frames, bins, channels) less the mean of its frame and all earlier ones, over their deviation,
    times a gain of each channel: in float32, as the library's class writes it out with a mask of ones."""
    dtype = x.spec.dtype
    with b.scope(name):
        if dtype != "float32":
            x = b.apply("cast", x, name="wide", dtype="float32")
        ones = b.apply("full", name="ones", shape=x.spec.shape, dtype="float32")
        sums = summed(b, x, "sums")
        counts = b.apply("clamp", summed(b, ones, "counts"), name="counts_least")
        mean = b.apply("div", sums, counts, name="mean")
        square = b.apply("pow", b.apply("sub", x, mean, name="less_mean"), name="square", exponent=2)
        variance = b.apply("div", summed(b, square, "squares"), counts, name="variance")
        b.hold(x, ones, sums, counts, mean, square, variance)
        y = b.apply("sub", x, mean, name="centred")
        over = b.apply("rsqrt", b.apply("shift", variance, name="with_eps"), name="over_deviation")
        y = b.apply("mul", y, over, name="normed")
        gain = b.parameter("weight", x.spec.shape[-1:])
        wide = gain if dtype == "float32" else b.apply("cast", gain, name="gain_wide", dtype="float32")
        channels = b.apply("reshape", wide, name="gains", shape=(1, 1, 1, *x.spec.shape[-1:]))
        y = b.apply("mul", y, channels, name="gained")
        y = b.apply("mul", y, ones, name="masked")
        return y if dtype == "float32" else b.apply("cast", y, name="narrowed", dtype=dtype)


def summed(b: Builder, x: Value, name: str) -> Value:
    """Returns the sum of each frame and all earlier ones, (batch, frames, 1, 1)."""
    each = b.apply("sum", x, name=f"{name}_of_frames", dim=(2, 3), keepdim=True)
    found: Value = b.apply("cumsum", each, name=name, dim=1)
    return found
