"""VibeVoice's encoder of a waveform: causal convolutions, each followed by layers like ConvNeXt's in depth.

Peng et al., 2025 (arXiv:2508.19205).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear, rms_norm
from graphacct_architectures.losses import SUM_ALONE

RATE = 24_000
"""Samples in a second, for which the model was trained."""
CLASS = "VibeVoiceAcousticTokenizerEncoderModel"


@frozen(kw_only=True)
class VibeVoiceAcousticTokenizerEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    channels: Dim = fields.size(1)
    hidden_size: Dim = fields.size(64)
    kernel_size: Dim = fields.size(7)
    num_filters: Dim = fields.size(32)
    downsampling_ratios: tuple[Dim, ...] = fields.counts((2, 2, 4, 5, 5, 8))
    depths: tuple[Dim, ...] = fields.counts((3, 3, 3, 3, 3, 3, 8))
    hidden_act: str = activation("gelu")
    ffn_expansion: Dim = fields.size(4)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if len(self.depths) != len(self.downsampling_ratios) + 1:
            raise ConfigError(
                f"depths has {len(self.depths)} values and downsampling_ratios {len(self.downsampling_ratios)}: one "
                "more than there are ratios"
            )


def build(config: VibeVoiceAcousticTokenizerEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from samples to latents, (batch, positions, width)."""
    return latents(config, b, b.input("input_values", (workload.batch, config.channels, workload.samples)))


def latents(config: VibeVoiceAcousticTokenizerEncoderConfig, b: Builder, x: Value) -> Value:
    """Returns latents (batch, positions, width) of samples (batch, channels, samples); the builder is in the encoder's
    scope."""
    width, kernel = config.num_filters, config.kernel_size
    with b.scope("stem"):
        x = staged(config, width, kernel, 1, config.depths[0], b, x)
    for index, (ratio, depth) in enumerate(zip(config.downsampling_ratios, config.depths[1:], strict=True)):
        width = 2 * width
        with b.scope(f"conv_layers.{index}"):
            x = staged(config, width, 2 * ratio, ratio, depth, b, x)
    with b.scope("head"):
        x = causal(b, x, config.hidden_size, kernel)
    found: Value = b.apply("permute", x, name="latents", dims=(0, 2, 1))
    return found


def causal(b: Builder, x: Value, width: Dim, kernel: Dim, stride: Dim = 1, groups: Dim = 1) -> Value:
    """Returns x (batch, channels, positions) after a convolution that sees no later position."""
    x = b.apply("pad", x, name="padded", padding=((kernel - stride, 0),))
    options: dict[str, Any] = {} if stride == 1 else {"stride": stride}
    return convolution(b, "conv", x, width, kernel, groups=groups, **options)


def staged(
    config: VibeVoiceAcousticTokenizerEncoderConfig,
    width: Dim,
    kernel: Dim,
    stride: Dim,
    depth: Dim,
    b: Builder,
    x: Value,
) -> Value:
    """Returns x after a convolution and the layers behind it."""
    with b.scope("conv"):
        x = causal(b, x, width, kernel, stride)
    return b.repeat("stage", depth, layer(config), x)


def layer(config: VibeVoiceAcousticTokenizerEncoderConfig) -> Callable[..., Value]:
    """Returns the body of a layer over x (batch, channels, positions)."""

    def scaled(b: Builder, name: str, x: Value) -> Value:
        gain = b.apply(
            "reshape", b.parameter(name, x.spec.shape[1:2]), name=f"{name}_column", shape=(x.spec.shape[1], 1)
        )
        return b.apply("mul", x, gain, name=f"{name}_scaled")

    def body(b: Builder, x: Value) -> Value:
        width = x.spec.shape[1]
        y = rms_norm(b, "norm", b.apply("transpose", x, name="channels_last", dims=(1, 2)))
        y = b.apply("transpose", y, name="channels_first", dims=(1, 2))
        with b.scope("mixer"):
            y = causal(b, y, width, config.kernel_size, groups=width)
        x = b.apply("add", x, scaled(b, "gamma", y), name="mixer_residual")
        y = rms_norm(b, "ffn_norm", b.apply("transpose", x, name="ffn_channels_last", dims=(1, 2)))
        with b.scope("ffn"):
            y = linear(b, "linear1", y, config.ffn_expansion * width)
            y = linear(b, "linear2", activated(b, ACTIVATIONS[config.hidden_act], y, "activation"), width)
        y = b.apply("transpose", y, name="ffn_channels_first", dims=(1, 2))
        return b.apply("add", x, scaled(b, "ffn_gamma", y), name="ffn_residual")

    return body


ARCHITECTURE = Architecture(
    "vibevoice_acoustic_tokenizer_encoder",
    VibeVoiceAcousticTokenizerEncoderConfig,
    build,
    PresetFiles(__file__),
    sizes={"samples": lambda config: RATE},
    per_second={"samples": lambda config: RATE},
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("layer_scale_init_value", "vae_std", "weight_init_value")),
    model_types=("vibevoice_acoustic_tokenizer_encoder",),
    losses=SUM_ALONE,
    doc="VibeVoice's encoder of a waveform: causal convolutions, each followed by layers like ConvNeXt's.",
)
