"""Films as words of a code (Emu3's): an encoder of convolutions over each frame and then over time, and the nearest
vector of a code book for each place; a decoder of the same kind, with norms that read the code.

Wang et al., 2024 (arXiv:2409.18869).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, differ, exact_div, fields, frozen, prod
from graphacct_architectures.audio.parts.stem import batch_norm
from graphacct_architectures.layers import dropped, linear
from graphacct_architectures.multimodal.parts.vq import closest, convolved, group_normed, multipliers, swished


def _levels() -> Any:
    """Returns the key of the levels whose blocks are followed by attention."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = () if value is None else value
        if not isinstance(items, (list, tuple)) or not all(type(item) is int for item in items):
            raise ConfigError(f"{field.name} is a list of indices of channel_multiplier, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, (3,))


def _power(value: Any, field: attrs.Attribute[Any]) -> int:
    if type(value) is not int or value < 1 or value & (value - 1):
        raise ConfigError(f"{field.name} is a power of 2, not {brief(value)}")
    return value


@frozen(kw_only=True)
class FilmCode:
    """The keys of the code that the cost depends on."""

    codebook_size: Dim = fields.size(32768)
    embed_dim: Dim = fields.size(4)
    latent_channels: Dim = fields.size(4)
    double_latent: bool = fields.flag(False)
    in_channels: Dim = fields.size(3)
    out_channels: Dim = fields.size(3)
    temporal_downsample_factor: int = fields.checked_field(_power, 4)
    base_channels: int = fields.size(256)
    channel_multiplier: tuple[int, ...] = multipliers((1, 2, 2, 4))
    num_res_blocks: int = fields.size(2)
    attn_resolutions: tuple[int, ...] = _levels()
    hidden_size: Dim = fields.size(1024)
    num_attention_heads: Dim = fields.size(1)
    attention_dropout: float = fields.probability(0.0)

    @property
    def side(self) -> int:
        """Pixels of a side of a place."""
        found: int = 2 ** (len(self.channel_multiplier) - 1)
        return found

    @property
    def halvings(self) -> int:
        """How often the encoder halves the number of frames."""
        return self.temporal_downsample_factor.bit_length() - 1


def coded(c: FilmCode, workload: Workload, b: Builder, films: Value) -> Value:
    """Returns the numbers of the words of films (films, frames, channels, height, width), (films · times · places);
    the builder is in the code's scope."""
    count, frames, channels, *sides = films.spec.shape
    x = b.apply("reshape", films, name="frames", shape=(count * frames, channels, *sides))
    with b.scope("encoder"):
        x = _seen(c, workload, b, x)
        x = over_time(b, x, frames)
        for index in range(c.halvings):
            with b.scope(f"time_conv.{index}.conv"):
                x = _in_time(b, x, x.spec.shape[1], (4, 3, 3), 2)
            x = swished(b, f"time_{index}", x)
        for index in range(c.num_res_blocks):
            with b.scope(f"time_res_stack.{index}"):
                x = _block_of_times(workload, b, x)
    if differ(x.spec.shape[1], c.latent_channels):
        raise ConfigError(
            f"double_latent is true, and the code reads {c.latent_channels} channels: the class does not run"
        )
    with b.scope("quant_conv"):
        x = _in_time(b, x, c.embed_dim, (3, 1, 1))
    with b.scope("quantize"):
        x = b.apply("contiguous", b.apply("permute", x, name="width_last", dims=(0, 2, 3, 4, 1)), name="latents")
        return closest(c.codebook_size, b, x)[0]


def drawn(c: FilmCode, workload: Workload, b: Builder) -> Value:
    """Adds what makes films of words, of one place; the builder is in the code's scope."""
    code = b.input("code", (1, c.embed_dim, 1, 1, 1))
    with b.scope("post_quant_conv"):
        x = _in_time(b, code, c.latent_channels, (3, 1, 1))
    with b.scope("decoder"):
        for index in range(c.num_res_blocks):
            with b.scope(f"time_res_stack.{index}"):
                x = _block_of_times(workload, b, x)
        for index in range(c.halvings):
            with b.scope(f"time_conv.{index}.conv"):
                x = _in_time(b, x, c.latent_channels, (3, 3, 3))
        x = b.apply("reshape", x, name="places", shape=(1, c.latent_channels, 1, 1))
        read = b.apply("reshape", code, name="code_places", shape=(1, c.embed_dim, 1, 1))
        top = c.base_channels * c.channel_multiplier[-1]
        x = _between(c, workload, b, convolved(b, "conv_in", x, top), read)
        for level in reversed(range(len(c.channel_multiplier))):
            for index in range(c.num_res_blocks + 1):
                width = c.base_channels * c.channel_multiplier[level]
                with b.scope(f"up_block.up.{level}.block.{index}"):
                    x = _block(b, x, width, read)
                if level in c.attn_resolutions:
                    with b.scope(f"up_block.up.{level}"):
                        x = _attended(c, workload, b, x, f"attn.{index}", f"attn_norms.{index}", read)
            if level != 0:
                with b.scope(f"up_block.up.{level}.upsample"):
                    x = convolved(b, "conv", x, x.spec.shape[1])
        return convolved(b, "conv_out", swished(b, "out", _normed(b, "norm_out", x, read)), c.out_channels)


def over_time(b: Builder, x: Value, frames: Dim) -> Value:
    """Returns frames (films · frames, channels, height, width) as films (films, channels, frames, height, width)."""
    count, channels, *sides = x.spec.shape
    x = b.apply("reshape", x, name="films", shape=(exact_div(count, frames, "frames"), frames, channels, *sides))
    y: Value = b.apply("permute", x, name="times_inside", dims=(0, 2, 1, 3, 4))
    return y


def _seen(c: FilmCode, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the latents of frames; the builder is in the encoder's scope."""
    x = convolved(b, "conv_in", x, c.base_channels)
    for level, times in enumerate(c.channel_multiplier):
        for index in range(c.num_res_blocks):
            with b.scope(f"down_block.down.{level}.block.{index}"):
                x = _block(b, x, c.base_channels * times)
            if level in c.attn_resolutions:
                with b.scope(f"down_block.down.{level}"):
                    x = _attended(c, workload, b, x, f"attn.{index}", f"attn_norms.{index}")
        if level != len(c.channel_multiplier) - 1:
            with b.scope(f"down_block.down.{level}.downsample"):
                x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (0, 1), (0, 1)))
                x = convolved(b, "conv", x, x.spec.shape[1], stride=2)
    x = _between(c, workload, b, x)
    x = swished(b, "out", group_normed(b, "norm_out", x))
    return convolved(b, "conv_out", x, 2 * c.latent_channels if c.double_latent else c.latent_channels)


def _between(c: FilmCode, workload: Workload, b: Builder, x: Value, read: Value | None = None) -> Value:
    """Returns two blocks' output with attention between them."""
    width = x.spec.shape[1]
    with b.scope("middle_block"):
        with b.scope("block_1"):
            x = _block(b, x, width, read)
        x = _attended(c, workload, b, x, "attn_1", "attn_norm", read)
        with b.scope("block_2"):
            return _block(b, x, width, read)


def _block(b: Builder, x: Value, width: Dim, read: Value | None = None) -> Value:
    """Returns a residual block's output, whose norms read the code if it is given."""
    y = convolved(b, "conv1", swished(b, "first", _normed(b, "norm1", x, read)), width)
    y = convolved(b, "conv2", swished(b, "second", _normed(b, "norm2", y, read)), width)
    if x.spec.shape[1] != width:
        x = convolved(b, "nin_shortcut", x, width, 1)
    found: Value = b.apply("add", x, y, name="residual")
    return found


def _normed(b: Builder, name: str, x: Value, read: Value | None) -> Value:
    """Returns x normalized by groups of channels, and scaled and moved by what convolutions make of the code."""
    if read is None:
        return group_normed(b, name, x)
    with b.scope(name):
        y = group_normed(b, "norm_layer", x)
        y = b.apply("mul", y, convolved(b, "conv_y", read, x.spec.shape[1], 1), name="scaled")
        found: Value = b.apply("add", y, convolved(b, "conv_b", read, x.spec.shape[1], 1), name="moved")
        return found


def _attended(
    c: FilmCode, workload: Workload, b: Builder, x: Value, name: str, norm: str, read: Value | None = None
) -> Value:
    """Returns x with what all places read of all added."""
    batch, width, *sides = x.spec.shape
    places = prod(sides)
    if width != c.hidden_size:
        raise ConfigError(f"vq_config.hidden_size is {c.hidden_size}, and attention reads {width} channels at a place")
    y = _normed(b, norm, x, read)
    y = b.apply("reshape", y, name=f"{norm}_flat", shape=(batch, width, places))
    y = b.apply("transpose", y, name=f"{norm}_rows", dims=(1, 2))
    with b.scope(name):
        y = _asked(c, workload, b, y)
    y = b.apply("reshape", y, name=f"{name}_plane", shape=(batch, *sides, width))
    y = b.apply("permute", y, name=f"{name}_width_first", dims=(0, 3, 1, 2))
    found: Value = b.apply("add", x, y, name=f"{name}_residual")
    return found


def _asked(c: FilmCode, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns attention over x (frames, places, width); the builder is in its scope."""
    batch, places, width = x.spec.shape
    d_head = exact_div(width, c.num_attention_heads, "vq_config.hidden_size / num_attention_heads")
    parts = []
    for label in "qkv":
        y = linear(b, f"{label}_proj", x, width)
        y = b.apply("reshape", y, name=f"{label}_heads", shape=(batch, places, c.num_attention_heads, d_head))
        parts.append(b.apply("transpose", y, name=f"{label}_heads_first", dims=(1, 2)))
    q, k, v = parts
    drop = c.attention_dropout if workload.phase == "train" else 0.0
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": drop} if drop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=False, **options)
    else:
        keys = b.apply("transpose", k, name="k_last", dims=(-2, -1))
        scores = b.apply("scale", b.apply("matmul", q, keys, name="scores"), name="scaled")
        wide: dict[str, Any] = {"dtype": "float32"} if b.dtype != "float32" else {}
        weights = b.apply("softmax", scores, name="softmax", **wide)
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if wide else weights
        y = b.apply("matmul", dropped(b, "dropout", weights, drop, workload), v, name="values")
    y = b.apply("transpose", y, name="heads_last", dims=(1, 2))
    y = b.apply("reshape", y, name="merged", shape=(batch, places, width))
    return linear(b, "out_proj", y, width)


def _in_time(b: Builder, x: Value, width: Dim, kernel: tuple[int, int, int], stride: int = 1) -> Value:
    """Returns a convolution over times, rows and columns, which sees no later frame; the builder is in its module."""
    _, *sides = kernel
    x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (2, 0), *((side // 2, side // 2) for side in sides)))
    weight = b.parameter("conv.weight", (width, x.spec.shape[1], *kernel))
    bias = b.parameter("conv.bias", (width,))
    found: Value = b.apply("convolution", x, weight, bias, name="conv", stride=(stride, 1, 1))
    return found


def _block_of_times(workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a residual block over times; its norms are over the batch."""
    width, y = x.spec.shape[1], x
    for index in (1, 2):
        y = swished(b, f"swish_{index}", batch_norm(b, f"norm{index}", y, workload))
        with b.scope(f"conv{index}"):
            y = _in_time(b, y, width, (3, 3, 3))
    found: Value = b.apply("add", x, y, name="residual")
    return found
