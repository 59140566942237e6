"""The causal convolution in front of a scan: each channel on its own, over the last few positions."""

from graphacct_architectures.layers import activation as activated

from graphacct import Builder, Dim, Value, Workload
from graphacct_mamba.state import keep


def causal_convolution(
    b: Builder, x: Value, taps: Dim, activation: str, workload: Workload, *, bias: bool = True
) -> Value:
    """x (batch, channels, seq) convolved with `taps` positions, then the activation.

    It is padded on both sides and what is too much is cut off, as the transformers library does, so that it works on
    taps - 1 positions more; in decoding on one more, because the state has as many positions as the kernel.
    """
    batch, channels, seq = x.spec.shape
    weight = b.parameter("conv1d.weight", (channels, 1, taps))
    rest = (b.parameter("conv1d.bias", (channels,)),) if bias else ()
    pad = {"padding": taps - 1}
    if workload.phase == "decode":
        last = b.apply("recurrent_state", name="conv_state", shape=(batch, channels, taps), dtype=x.spec.dtype)
        x = b.apply("concat", last, x, name="conv_window", dim=-1)
        keep(b, b.apply("slice", x, name="conv_kept", dim=-1, start=seq, length=taps), "conv")
        pad = {}
    elif workload.phase == "prefill":
        x = kept_window(b, x, taps)
    y = b.apply("convolution", x, weight, *rest, name="conv1d", groups=channels, **pad)
    if workload.phase == "prefill":
        y = b.apply("slice", y, name="conv_causal", dim=-1, start=0, length=x.spec.shape[-1])
        y = b.apply("slice", y, name="conv_out", dim=-1, start=x.spec.shape[-1] - seq, length=seq)
    else:
        start = 1 if workload.phase == "decode" else 0
        y = b.apply("slice", y, name="conv_out", dim=-1, start=start, length=seq)
    return activated(b, activation, y)


def kept_window(b: Builder, x: Value, taps: Dim) -> Value:
    """x, in front of which a prompt shorter than the kernel is padded; its last `taps` positions stay in the cache."""
    seq = x.spec.shape[-1]
    if type(seq) is int and type(taps) is int and seq < taps:
        x = b.apply("pad", x, name="conv_padded", padding=((taps - seq, 0),))
    last = b.apply("slice", x, name="conv_last", dim=-1, start=x.spec.shape[-1] - taps, length=taps)
    keep(b, b.apply("contiguous", last, name="conv_kept"), "conv")
    return x
