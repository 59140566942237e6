"""WaveNet's gated convolutions, and the flows that they are in.

van den Oord et al., 2016 (arXiv:1609.03499); Kim et al., 2021 (arXiv:2106.06103). Streams are (batch, channels,
frames).
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, floor_div, frozen
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.layers import dropped, resident


@frozen
class WaveNet:
    """Gated convolutions.

    Attributes:
        width: Channels of the stream.
        kernel: Taps of each convolution.
        growth: By what the dilation grows from layer to layer.
        dropout: Dropout in training.
        speaker: The width of a speaker's vector, whose projection is in memory; 0 for none.
    """

    width: Dim
    kernel: Dim
    growth: int
    dropout: float
    speaker: Dim


def waved(w: WaveNet, layers: Dim, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns the sum of what all layers skip to the end; the builder is in the net's scope."""
    count = layer_count(layers)
    speaker_resides(w, count, b)
    total = b.apply("full", name="zeros", shape=x.spec.shape, dtype=b.dtype)
    for index in range(count):
        gap = w.growth**index
        more: dict[str, Any] = {} if gap == 1 else {"dilation": gap}
        y = normed(b, f"in_layers.{index}", x, 2 * w.width, w.kernel, floor_div(w.kernel * gap - gap, 2), **more)
        none = b.apply("full", name=f"no_speaker_{index}", shape=y.spec.shape, dtype=b.dtype)
        y = b.apply("add", y, none, name=f"conditioned_{index}")
        up = b.apply("slice", y, name=f"up_{index}", dim=1, start=0, length=w.width)
        gate = b.apply("slice", y, name=f"gate_{index}", dim=1, start=w.width, length=w.width)
        up, gate = b.apply("tanh", up, name=f"tanh_{index}"), b.apply("sigmoid", gate, name=f"sigmoid_{index}")
        y = dropped(b, f"dropout_{index}", b.apply("mul", up, gate, name=f"gated_{index}"), w.dropout, workload)
        last = index == count - 1
        y = normed(b, f"res_skip_layers.{index}", y, w.width if last else 2 * w.width, 1, 0)
        skipped = y
        if not last:
            own = b.apply("slice", y, name=f"own_{index}", dim=1, start=0, length=w.width)
            x = b.apply("mul", b.apply("add", x, own, name=f"residual_{index}"), mask, name=f"masked_{index}")
            skipped = b.apply("slice", y, name=f"skipped_{index}", dim=1, start=w.width, length=w.width)
        total = b.apply("add", total, skipped, name=f"total_{index}")
    made: Value = b.apply("mul", total, mask, name="masked")
    return made


def layer_count(layers: Dim) -> int:
    """Returns how many layers a net has. Raises ConfigError if it is no number."""
    if type(layers) is not int:
        raise ConfigError("prior_encoder_num_wavenet_layers must be a number: the layers of a net differ")
    return layers


def speaker_resides(w: WaveNet, count: int, b: Builder) -> None:
    """Adds the projection of a speaker's vector, which does not run."""
    if not equal(w.speaker, 0):
        shape = (2 * w.width * count, w.speaker, 1)
        resident(b, "cond_layer", *weights(b, "cond_layer", shape), b.parameter("cond_layer.bias", shape[:1]))


def weights(b: Builder, name: str, shape: tuple[Dim, ...]) -> tuple[Any, Any]:
    """Returns the direction and the length that a convolution's weight is kept as; the convolution is the scope that
    the builder is in if it has no name."""
    kept = f"{name}.parametrizations.weight.original" if name else "parametrizations.weight.original"
    lengths = b.parameter(f"{kept}0", (shape[0], 1, 1))
    return b.parameter(f"{kept}1", shape), lengths


def normed(b: Builder, name: str, x: Value, width: Dim, kernel: Dim, padding: Dim, **options: Any) -> Value:
    """Returns x after a convolution whose weight is kept as a direction and a length."""
    options |= {} if equal(padding, 0) else {"padding": padding}
    with b.scope(name):
        weight = b.apply("weight_norm", *weights(b, "", (width, x.spec.shape[1], kernel)), name="weight")
        made: Value = b.apply("convolution", x, weight, b.parameter("bias", (width,)), name="conv", **options)
    return made


def turned_back(w: WaveNet, flows: Dim, layers: Dim, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns x after the flows, the last first: each takes what half of the channels predicts off the other half.
    The builder is in the flows' scope."""
    if type(flows) is not int:
        raise ConfigError("prior_encoder_num_flows must be a number: each flow is a module of its own")
    half = floor_div(x.spec.shape[1], 2)
    for index in reversed(range(flows)):
        with b.scope(f"flows.{index}"):
            x = b.apply("flip", x, name="flipped", dims=(1,))
            first = b.apply("slice", x, name="first", dim=1, start=0, length=half)
            second = b.apply("slice", x, name="second", dim=1, start=half, length=half)
            y = b.apply("mul", convolution(b, "conv_pre", first, w.width, 1), mask, name="masked")
            with b.scope("wavenet"):
                y = waved(w, layers, workload, b, y, mask)
            mean = b.apply("mul", convolution(b, "conv_post", y, half, 1), mask, name="mean")
            deviation = b.apply("full", name="log_deviation", shape=mean.spec.shape, dtype=b.dtype)
            share = b.apply("exp", b.apply("neg", deviation, name="less"), name="share")
            second = b.apply("mul", b.apply("sub", second, mean, name="centred"), share, name="scaled")
            x = b.apply("concat", first, b.apply("mul", second, mask, name="rest"), name="together", dim=1)
    return x
