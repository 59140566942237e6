"""Gemma 3n's encoder of sound: two convolutions over a spectrum's plane, normalized over all earlier frames, then
conformer layers whose attention sees blocks of positions and their surroundings. The library's class has attention
written out alone.

Zhang et al., 2023 (arXiv:2303.01037); Google DeepMind, "Gemma 3n", 2025.
"""

from __future__ import annotations

from collections.abc import Callable
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
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.audio.parts.cumulative import cumulative_norm
from graphacct_architectures.audio.parts.gemma_audio import FRAMES, FRAMES_PER_SECOND, convolved_in_depth, projected
from graphacct_architectures.audio.parts.surroundings import Blocks, attention
from graphacct_architectures.decoders.parts.gemma4 import NORM
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import SUM_ALONE

AUDIO = "Gemma3nAudioEncoder"


def _pairs(default: tuple[tuple[int, int], ...]) -> Any:
    """Returns two sizes, over time and over bins, for each of the two convolutions."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, int], ...]:
        fits = isinstance(value, (list, tuple)) and len(value) == 2
        fits = fits and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value)
        if not fits or not all(has_value(size) and 0 < size < 2**15 for pair in value for size in pair):
            raise ConfigError(f"{field.name} is two positive numbers for each of two convolutions, not {brief(value)}")
        return tuple((pair[0], pair[1]) for pair in value)

    return fields.checked_field(check, default, metadata=fields.SIZED)


@frozen(kw_only=True)
class Gemma3nAudioConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(AUDIO, (AUDIO,))
    vocab_size: Dim = fields.size(128)
    input_feat_size: Dim = fields.size(128)
    hidden_size: Dim = fields.size(1536)
    conf_attention_chunk_size: Dim = fields.size(12)
    conf_attention_context_left: Dim = fields.size(13, minimum=0)
    conf_attention_context_right: Dim = fields.size(0, minimum=0)
    conf_num_attention_heads: Dim = fields.size(8)
    conf_num_hidden_layers: Dim = fields.size(12)
    conf_conv_kernel_size: Dim = fields.size(5)
    conf_reduction_factor: int = fields.size(4)
    sscp_conv_channel_size: tuple[Dim, ...] = fields.counts((128, 32), 2)
    sscp_conv_kernel_size: tuple[tuple[int, int], ...] = _pairs(((3, 3), (3, 3)))
    sscp_conv_stride_size: tuple[tuple[int, int], ...] = _pairs(((2, 2), (2, 2)))
    dtype: str | None = fields.dtype()

    @property
    def blocks(self) -> Blocks:
        """What a block of positions sees."""
        left = self.conf_attention_context_left
        width, heads = self.hidden_size, self.conf_num_attention_heads
        return Blocks(
            heads,
            exact_div(width, heads, "hidden_size / conf_num_attention_heads"),
            self.conf_attention_chunk_size,
            0 if has_value(left) and left == 0 else left - 1,
            self.conf_attention_context_right,
        )


def heard(config: Gemma3nAudioConfig, b: Builder, x: Value, mask: Value) -> tuple[Value, Value]:
    """Returns the encoder's output for each sound (sounds, positions, width) of frames x (sounds, frames, bins), and
    which positions are padding, as `mask` (sounds, frames) says of frames; the builder is in its scope."""
    with b.scope("subsample_conv_projection"):
        x = subsampled(config, b, x)
    sounds, seq, width = x.spec.shape
    places = b.apply("arange", name="places", batch=1, n=seq)
    places = b.apply("clamp", b.apply("scale", places, name="places_of_frames"), name="places_within")
    places = b.apply("expand", places, name="places_of_sounds", shape=(sounds, seq))
    b.hold(places)
    mask = b.apply("gather", mask, places, name="mask_of_places", dim=1)
    b.hold(mask)
    x = b.repeat("conformer", config.conf_num_hidden_layers, layer(config), x, constants=(mask,))
    step = config.conf_reduction_factor
    if step > 1:
        x = b.apply("unfold", x, name="every_window", dimension=1, size=1, step=step)
        x = b.apply("reshape", x, name="every", shape=(sounds, x.spec.shape[1], width))
        mask = b.apply("unfold", mask, name="every_mask_window", dimension=1, size=1, step=step)
        mask = b.apply("reshape", mask, name="every_mask", shape=(sounds, mask.spec.shape[1]))
    apart = b.apply("reshape", mask, name="mask_apart", shape=(*mask.spec.shape, 1))
    return b.apply("masked_fill", x, apart, name="without_padding"), mask


def subsampled(config: Gemma3nAudioConfig, b: Builder, x: Value) -> Value:
    """Returns frames as fewer positions: two convolutions over time and bins, each with a norm over all earlier frames,
    and a projection."""
    batch, count, bins = x.spec.shape
    x = b.apply("reshape", x, name="one_channel", shape=(batch, 1, count, bins))
    kernels, strides = config.sscp_conv_kernel_size, config.sscp_conv_stride_size
    for index, channels in enumerate(config.sscp_conv_channel_size):
        with b.scope(f"conv_{index}"):
            around = ((0, 0), (0, 0), (0, kernels[index][0] - 1), (1, 1))
            x = b.apply("pad", x, name="padded", padding=around)
            weight = b.parameter("conv.weight", (channels, x.spec.shape[1], *kernels[index]))
            x = b.apply("convolution", x, weight, name="conv", stride=strides[index])
            x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
            x = cumulative_norm(b, "norm", b.apply("contiguous", x, name="copied"))
            x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
            x = b.apply("relu", b.apply("contiguous", x, name="copied_back"), name="activation")
    return projected(b, x, config.hidden_size)


def layer(config: Gemma3nAudioConfig) -> Callable[..., Value]:
    """Returns the body of one layer: half a network, attention, a convolution, half a network, a norm."""

    def body(b: Builder, x: Value, mask: Value) -> Value:
        x = half_network(config, b, x, "ffw_layer_start")
        with b.scope("attention"):
            b.hold(x)
            y = normed_by(b, "pre_attn_norm", clipped(b, "clipped_before", x), NORM)
            with b.scope("attn"):
                y = attention(config.blocks, b, y, mask)
            y = clipped(b, "clipped_after", linear(b, "post", y, config.hidden_size, bias=False))
            x = b.apply("add", x, normed_by(b, "post_norm", y, NORM), name="residual")
        valid = b.apply("logical_not", mask, name="valid")
        valid = b.apply("reshape", valid, name="valid_apart", shape=(*valid.spec.shape, 1))
        x = b.apply("mul", x, b.apply("cast", valid, name="valid_numbers", dtype=b.dtype), name="valid_alone")
        with b.scope("lconv1d"):
            x = convolved(config, b, x)
        x = half_network(config, b, x, "ffw_layer_end")
        return normed_by(b, "norm", clipped(b, "clipped_last", x), NORM)

    return body


def clipped(b: Builder, name: str, x: Value) -> Value:
    """Returns x clamped to a constant and its negative, which are tensors of one number."""
    high = b.apply("constant", name=f"{name}_most", shape=(), dtype=b.dtype)
    low = b.apply("neg", high, name=f"{name}_least")
    y: Value = b.apply("clamp_tensor", x, low, high, name=name)
    return y


def half_network(config: Gemma3nAudioConfig, b: Builder, x: Value, name: str) -> Value:
    """Returns the stream with a network's output added, times a constant."""
    width = config.hidden_size
    with b.scope(name):
        b.hold(x)
        y = normed_by(b, "pre_layer_norm", clipped(b, "clipped_before", x), NORM)
        y = b.apply("silu", linear(b, "ffw_layer_1", y, 4 * width, bias=False), name="act")
        y = clipped(b, "clipped_after", linear(b, "ffw_layer_2", y, width, bias=False))
        y = b.apply("scale", normed_by(b, "post_layer_norm", y, NORM), name="halved")
        found: Value = b.apply("add", x, y, name="residual")
    return found


def convolved(config: Gemma3nAudioConfig, b: Builder, x: Value) -> Value:
    """Returns the stream with the convolution's output added: a gated linear unit, a convolution in depth over earlier
    positions, a norm, an activation and a projection."""
    width, kernel = config.hidden_size, config.conf_conv_kernel_size
    b.hold(x)
    y = normed_by(b, "pre_layer_norm", x, NORM)
    y = b.apply("glu", linear(b, "linear_start", y, 2 * width, bias=False), name="glu", dim=-1)
    y = convolved_in_depth(b, y, kernel)
    y = clipped(b, "clipped", b.apply("transpose", y, name="channels_last", dims=(1, 2)))
    y = b.apply("silu", normed_by(b, "conv_norm", y, NORM), name="act")
    y = linear(b, "linear_end", y, width, bias=False)
    found: Value = b.apply("add", y, x, name="residual")
    return found


def build(config: Gemma3nAudioConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the graph from a spectrum to its positions, and which of them are padding."""
    shape = (workload.batch, workload.frames)
    x = b.input("audio_mel", (*shape, config.input_feat_size))
    return heard(config, b, x, b.input("audio_mel_mask", shape, "bool"))


ARCHITECTURE = Architecture(
    "gemma3n_audio",
    Gemma3nAudioConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    attention=("eager",),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(
        (
            *("conf_attention_logit_cap", "gradient_clipping", "conf_residual_weight", "sscp_conv_group_norm_eps"),
            "vocab_offset",
        )
    ),
    model_types=("gemma3n_audio",),
    losses=SUM_ALONE,
    doc="Gemma 3n's encoder of sound: convolutions over a spectrum, conformer layers over blocks.",
)
