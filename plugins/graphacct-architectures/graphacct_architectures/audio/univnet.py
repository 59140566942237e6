"""UnivNet: a vocoder whose convolutions have kernels that a spectrum predicts for each of its frames.

Jang et al., 2021 (arXiv:2106.07889).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.layers import dropped
from graphacct_architectures.losses import SUM_ALONE

MODEL = "UnivNetModel"
FRAMES = 100
"""Frames of a spectrum unless a workload says so."""


def dilations(default: tuple[tuple[int, ...], ...]) -> Any:
    """Returns a key that is a list of lists of counts."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, ...], ...]:
        good = isinstance(value, (list, tuple)) and all(
            isinstance(part, (list, tuple)) and part and all(type(item) is int and item > 0 for item in part)
            for part in value
        )
        if not good:
            raise ConfigError(f"{field.name} is a list of lists of counts, not {brief(value)}")
        return tuple(tuple(part) for part in value)

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class UnivNetConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    model_in_channels: Dim = fields.size(64)
    model_hidden_channels: Dim = fields.size(32)
    num_mel_bins: Dim = fields.size(100)
    resblock_kernel_sizes: tuple[Dim, ...] = fields.counts((3, 3, 3))
    resblock_stride_sizes: tuple[Dim, ...] = fields.counts((8, 8, 4))
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = dilations(((1, 3, 9, 27),) * 3)
    kernel_predictor_num_blocks: int = fields.size(3, minimum=0)
    kernel_predictor_hidden_channels: Dim = fields.size(64)
    kernel_predictor_conv_size: Dim = fields.size(3)
    kernel_predictor_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        counts = {len(self.resblock_kernel_sizes), len(self.resblock_stride_sizes), len(self.resblock_dilation_sizes)}
        if len(counts) != 1:
            raise ConfigError(
                "resblock_kernel_sizes, resblock_stride_sizes and resblock_dilation_sizes have one value for each block"
            )
        if not equal(self.kernel_predictor_num_blocks, 0) and not equal(
            self.model_in_channels, self.kernel_predictor_hidden_channels
        ):
            raise ConfigError(
                f"model_in_channels is {self.model_in_channels} and kernel_predictor_hidden_channels "
                f"{self.kernel_predictor_hidden_channels}: the predictor's blocks have the former, and read the latter"
            )
        if any(has_value(kernel) and not kernel % 2 for kernel in self.resblock_kernel_sizes):
            raise ConfigError("resblock_kernel_sizes are odd: a convolution leaves the length as it is")


def build(config: UnivNetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a spectrum (batch, frames, bins) and noise to samples (batch, samples)."""
    batch, frames = workload.batch, workload.frames
    spectrum = b.input("input_features", (batch, frames, config.num_mel_bins))
    x = b.apply("random", name="noise_sequence", shape=(batch, frames, config.model_in_channels), dtype=b.dtype)
    x = b.apply("transpose", x, name="noise", dims=(2, 1))
    spectrum = b.apply("transpose", spectrum, name="spectrum", dims=(2, 1))
    x = reflected(b, "conv_pre", x, config.model_hidden_channels)
    hop: Dim = 1
    for index, stride in enumerate(config.resblock_stride_sizes):
        hop *= stride
        with b.scope(f"resblocks.{index}"):
            x = block(config, index, hop, workload, b, x, spectrum)
    x = reflected(b, "conv_post", b.apply("leaky_relu", x, name="last_act"), 1)
    x = b.apply("tanh", x, name="tanh")
    return b.apply("reshape", x, name="waveforms", shape=(batch, x.spec.shape[2]))


def reflected(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Returns x after a convolution of seven taps, whose padding mirrors its ends."""
    x = b.apply("reflection_pad", x, name=f"{name}_padded", padding=(3, 3))
    return convolution(b, name, x, width, 7)


def block(
    config: UnivNetConfig, index: int, hop: Dim, workload: Workload, b: Builder, x: Value, spectrum: Value
) -> Value:
    """Returns x (batch, channels, length) made longer, after convolutions whose kernels the spectrum predicts."""
    width, kernel, stride = x.spec.shape[1], config.resblock_kernel_sizes[index], config.resblock_stride_sizes[index]
    if type(stride) is not int:
        raise ConfigError("resblock_stride_sizes are integers: whether one is odd decides on padding")
    x = b.apply("leaky_relu", x, name="act")
    weight, bias = b.parameter("convt_pre.weight", (width, width, 2 * stride)), b.parameter("convt_pre.bias", (width,))
    options: dict[str, Any] = {"stride": stride, "padding": stride // 2 + stride % 2, "output_padding": stride % 2}
    x = b.apply("convolution_transposed", x, weight, bias, name="convt_pre", **options)
    gaps = config.resblock_dilation_sizes[index]
    with b.scope("kernel_predictor"):
        kernels, biases = predicted(config, kernel, len(gaps), workload, b, spectrum)
    for place, gap in enumerate(gaps):
        own = b.apply("select", kernels, name=f"kernel_{place}", dim=1, index=place)
        shift = b.apply("select", biases, name=f"bias_{place}", dim=1, index=place)
        with b.scope(f"resblocks.{place}"):
            x = residual(kernel, gap, hop, b, x, own, shift)
    return x


def predicted(
    config: UnivNetConfig, kernel: Dim, layers: int, workload: Workload, b: Builder, spectrum: Value
) -> tuple[Value, Value]:
    """Returns kernels (batch, layers, channels, 2 channels, taps, frames) and biases of each frame of a spectrum."""
    batch, _, frames = spectrum.spec.shape
    width, taps = config.model_hidden_channels, config.kernel_predictor_conv_size
    if type(taps) is not int or not taps % 2:
        raise ConfigError(f"kernel_predictor_conv_size is {taps}: an odd number, which leaves the length as it is")
    pad = (taps - 1) // 2
    x = convolution(b, "input_conv", spectrum, config.kernel_predictor_hidden_channels, 5, padding=2)
    x = b.apply("leaky_relu", x, name="act")
    for index in range(config.kernel_predictor_num_blocks):
        with b.scope(f"resblocks.{index}"):
            y = dropped(b, "dropout", x, config.kernel_predictor_dropout, workload)
            for name in ("conv1", "conv2"):
                y = convolution(b, name, y, config.model_in_channels, taps, padding=pad)
                y = b.apply("leaky_relu", y, name=f"{name}_act")
            x = b.apply("add", y, x, name="residual")
    kernels = convolution(b, "kernel_conv", x, 2 * width * width * kernel * layers, taps, padding=pad)
    biases = convolution(b, "bias_conv", x, 2 * width * layers, taps, padding=pad)
    shape = (batch, layers, width, 2 * width, kernel, frames)
    kernels = b.apply("reshape", kernels, name="kernels", shape=shape)
    return kernels, b.apply("reshape", biases, name="biases", shape=(batch, layers, 2 * width, frames))


def residual(kernel: Dim, gap: Dim, hop: Dim, b: Builder, x: Value, own: Value, shift: Value) -> Value:
    """Returns x with the output of a convolution, and of one with kernels of each frame, added."""
    batch, width, length = x.spec.shape
    frames = own.spec.shape[-1]
    y = b.apply("leaky_relu", x, name="act")
    more: dict[str, Any] = {} if equal(gap, 1) else {"dilation": gap}
    y = convolution(b, "conv", y, width, kernel, padding=gap * (kernel - 1) // 2, **more)
    y = b.apply("leaky_relu", y, name="conv_act")
    pad = (kernel - 1) // 2
    y = b.apply("pad", y, name="padded", padding=((pad, pad),))
    y = b.apply("unfold", y, name="frames", dimension=2, size=hop + 2 * pad, step=hop)
    y = b.apply("unfold", y, name="taps", dimension=3, size=kernel, step=1)  # (batch, width, frames, hop, taps)
    y = b.apply("einsum", y, own, name="location_variable", equation="bilsk,biokl->bols")
    y = b.apply(
        "add", y, b.apply("reshape", shift, name="bias_of_frames", shape=(batch, 2 * width, frames, 1)), name="biased"
    )
    y = b.apply("reshape", y, name="samples", shape=(batch, 2 * width, length))
    gate, up = b.apply("split", y, name="halves", parts=2, dim=1)
    y = b.apply("mul", b.apply("sigmoid", gate, name="gate"), b.apply("tanh", up, name="up"), name="gated")
    return b.apply("add", x, y, name="residual")


ARCHITECTURE = Architecture(
    "univnet",
    UnivNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("leaky_relu_slope", "initializer_range")),
    model_types=("univnet",),
    losses=SUM_ALONE,
    doc="UnivNet: a vocoder whose convolutions have kernels that a spectrum predicts.",
)
