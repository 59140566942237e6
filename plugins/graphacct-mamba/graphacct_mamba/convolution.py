"""The causal convolution before a scan: each channel separately, over the last few positions."""

from graphacct_architectures.layers import activation as activated

from graphacct import Builder, ConfigError, Dim, Value, Workload, floor_div, has_value, less
from graphacct_mamba.state import keep


def causal_convolution(
    b: Builder,
    x: Value,
    taps: Dim,
    activation: str,
    workload: Workload,
    *,
    bias: bool = True,
    name: str = "conv1d",
    dtype: str | None = None,
) -> Value:
    """Convolves x (batch, channels, seq) over `taps` positions with the module `name`, then applies the activation, if
    any. The weight is stored in `dtype`, or the model's.

    As in the transformers library, x is padded on both sides and the excess is cut off, so that the convolution
    computes taps - 1 extra positions. In decoding it computes one extra, because the state has as many positions as the
    kernel.
    """
    batch, channels, seq = x.spec.shape
    weight = b.parameter(f"{name}.weight", (channels, 1, taps), dtype)
    rest = (b.parameter(f"{name}.bias", (channels,)),) if bias else ()
    pad = {"padding": taps - 1}
    if workload.phase == "decode":
        last = b.apply("recurrent_state", name="conv_state", shape=(batch, channels, taps), dtype=x.spec.dtype)
        x = b.apply("concat", last, x, name="conv_window", dim=-1)
        keep(b, b.apply("slice", x, name="conv_kept", dim=-1, start=seq, length=taps), "conv")
        pad = {}
    elif workload.phase == "prefill":
        x = kept_window(b, x, taps)
    y = b.apply("convolution", x, weight, *rest, name="convolved", groups=channels, **pad)
    if workload.phase == "prefill":
        y = b.apply("slice", y, name="conv_causal", dim=-1, start=0, length=x.spec.shape[-1])
        y = b.apply("slice", y, name="conv_out", dim=-1, start=x.spec.shape[-1] - seq, length=seq)
    else:
        start = 1 if workload.phase == "decode" else 0
        y = b.apply("slice", y, name="conv_out", dim=-1, start=start, length=seq)
    return activated(b, activation, y) if activation else y


def centred_convolution(
    b: Builder, x: Value, taps: Dim, activation: str, workload: Workload, *, bias: bool = True, name: str = "conv1d"
) -> Value:
    """Convolves x (batch, channels, seq) over as many positions before its own as after it; the result is as long as
    x. Raises ConfigError for a phase with a cache, and for an even number of positions."""
    channels = x.spec.shape[1]
    if workload.phase in ("prefill", "decode"):
        raise ConfigError(f"a model that sees the whole text has no phase {workload.phase!r}: it has forward and train")
    if has_value(taps) and taps % 2 == 0:
        raise ConfigError(f"a convolution over {taps} positions has no middle: the number is odd")
    weight = b.parameter(f"{name}.weight", (channels, 1, taps))
    rest = (b.parameter(f"{name}.bias", (channels,)),) if bias else ()
    y = b.apply("convolution", x, weight, *rest, name="convolved", groups=channels, padding=floor_div(taps - 1, 2))
    return activated(b, activation, y) if activation else y


def kept_window(b: Builder, x: Value, taps: Dim) -> Value:
    """Returns x, padded in front if it is shorter than the kernel, and keeps its last `taps` positions in the cache."""
    seq = x.spec.shape[-1]
    if less(seq, taps):
        x = b.apply("pad", x, name="conv_padded", padding=((taps - seq, 0),))
    last = b.apply("slice", x, name="conv_last", dim=-1, start=x.spec.shape[-1] - taps, length=taps)
    keep(b, b.apply("contiguous", last, name="conv_kept"), "conv")
    return x
