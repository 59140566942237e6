"""Two streams of tokens, a picture's and a text's, in one attention: what FLUX, Chroma, Qwen-Image and AuraFlow share.

The picture's tokens are squares of 2 by 2 latents in the first three, which the pipeline packs: the model is given
tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.layers import linear, rms_norm

from graphacct import Builder, ConfigError, Dim, Value, Workload, fields, frozen, has_value
from graphacct_diffusers import latents
from graphacct_diffusers.layers import grid_of

PACKED = 2
"""Latents of a side of one token."""
OWN = ("to_q", "to_k", "to_v"), ("norm_q", "norm_k", "")
"""The names of the picture's projections, and of the norms of their heads."""
TEXT = ("add_q_proj", "add_k_proj", "add_v_proj"), ("norm_added_q", "norm_added_k", "")
"""The same of the text's."""


@frozen(kw_only=True)
class StreamsConfig:
    """The keys of a model of packed tokens whose places turn the channels of its heads."""

    sample_size: Any = latents.sample_size(128)
    vae_scale_factor: Dim | None = fields.optional_size(8)
    patch_size: Dim = fields.size(1)
    in_channels: Dim = fields.size(64)
    out_channels: Dim | None = fields.optional_size()
    num_layers: Dim = fields.size(19, minimum=0)
    attention_head_dim: Dim = fields.size(128)
    num_attention_heads: Dim = fields.size(24)
    joint_attention_dim: Dim = fields.size(4096)
    axes_dims_rope: tuple[Dim, ...] = fields.counts((16, 56, 56), 3)

    def __attrs_post_init__(self) -> None:
        turned = sum(self.axes_dims_rope)
        if has_value(turned) and has_value(self.attention_head_dim) and turned != self.attention_head_dim:
            raise ConfigError(f"axes_dims_rope add up to {turned}, and attention_head_dim is {self.attention_head_dim}")

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def channels(self) -> Dim:
        """Channels of a token of the output."""
        channels = self.in_channels if self.out_channels is None else self.out_channels
        return self.patch_size * self.patch_size * channels


def grid(c: StreamsConfig, workload: Workload) -> tuple[Dim, ...]:
    """Returns how many tokens a picture has along each side."""
    return grid_of(latents.latents(c, workload), PACKED, "a token of 2 by 2")


def heads_of(
    c: Any,
    b: Builder,
    x: Value,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    normed_by: Any = rms_norm,
    *,
    bias: bool = True,
) -> list[Value]:
    """Returns queries, keys and values (batch, n, heads, width), by the `names` of the projections and of the norms,
    empty for none."""
    batch, count, _ = x.spec.shape
    found = []
    for name, norm in zip(*names, strict=True):
        y = linear(b, name, x, c.width, bias=bias)
        shape = (batch, count, c.num_attention_heads, c.attention_head_dim)
        y = b.apply("reshape", y, name=f"{name}_heads", shape=shape)
        found.append(normed_by(b, norm, y) if norm else y)
    return found


def together(b: Builder, text: list[Value], own: list[Value]) -> list[Value]:
    """Returns queries, keys and values of a text and then of a picture."""
    return [
        b.apply("concat", one, two, name=f"all_{label}", dim=1)
        for one, two, label in zip(text, own, "qkv", strict=True)
    ]


def attended(b: Builder, parts: Sequence[Value], mask: Value | None = None) -> Value:
    """Returns what attention gives of queries, keys and values (batch, n, heads, width), its heads joined. The `mask`
    is added to its scores."""
    batch, count, heads, width = parts[0].spec.shape
    given = [
        b.apply("permute", y, name=f"{label}_by_head", dims=(0, 2, 1, 3)) for y, label in zip(parts, "qkv", strict=True)
    ]
    given += [] if mask is None else [mask]
    y = b.apply("scaled_dot_product_attention", *given, name="attention")
    y = b.apply("permute", y, name="by_token", dims=(0, 2, 1, 3))
    return b.apply("reshape", y, name="merged", shape=(batch, count, heads * width))


def parted(b: Builder, z: Value, words: Dim, width: Dim, *, bias: bool = True) -> tuple[Value, Value]:
    """Returns the output projections of the picture's tokens and of the `words` of the text before them."""
    count = z.spec.shape[1] - words
    told = b.apply("slice", z, name="of_text", dim=1, start=0, length=words)
    own = b.apply("slice", z, name="of_picture", dim=1, start=words, length=count)
    own = linear(b, "to_out.0", b.apply("contiguous", own, name="picture_in_order"), width, bias=bias)
    told = linear(b, "to_add_out", b.apply("contiguous", told, name="text_in_order"), width, bias=bias)
    return own, told


def clipped(b: Builder, name: str, x: Value) -> Value:
    """Returns tokens kept within float16's range, in float16."""
    return b.apply("clamp", x, name=name) if b.dtype == "float16" else x
