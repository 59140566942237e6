"""diffusers' Transformer2DModel inside a U-Net: the map's elements as tokens, which ask each other and a text."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import layer_norm, linear

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_diffusers.attention import attention
from graphacct_diffusers.layers import conv, feed_forward, group_norm
from graphacct_diffusers.stack import stacked


@frozen(kw_only=True)
class Transformer:
    """One Transformer2DModel.

    Attributes:
        heads: Heads of attention; each has the whole part of the channels divided by them.
        layers: Transformer blocks.
        groups: Groups of its norm.
        linear: Whether tokens are projected, instead of the map (`use_linear_projection`).
        only_text: Whether both attentions of a block ask the text (`only_cross_attention`).
        workload: The workload.
    """

    heads: Dim
    layers: Dim
    groups: Dim
    linear: bool = False
    only_text: bool = False
    workload: Workload


def transformer(b: Builder, name: str, x: Value, text: Value, t: Transformer) -> Value:
    """Applies Transformer2DModel to a map (batch, channels, height, width) and a text (batch, tokens, width)."""
    batch, channels, height, width = x.spec.shape
    inner = channels // t.heads * t.heads
    with b.scope(name):
        y = group_norm(b, "norm", x, t.groups)
        if not t.linear:
            y = conv(b, "proj_in", y, inner, 1)
        y = b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1))
        y = b.apply("reshape", y, name="tokens", shape=(batch, height * width, y.spec.shape[-1]))
        if t.linear:
            y = linear(b, "proj_in", y, inner)
        y = stacked(b, "transformer_blocks", t.layers, partial(block, t), y, constants=(text,))
        if t.linear:
            y = linear(b, "proj_out", y, channels)
        y = b.apply("reshape", y, name="grid", shape=(batch, height, width, y.spec.shape[-1]))
        y = b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2))
        y = b.apply("contiguous", y, name="map")
        if not t.linear:
            y = conv(b, "proj_out", y, channels, 1)
        return b.apply("add", y, x, name="residual")


def block(t: Transformer, b: Builder, x: Value, text: Value) -> Value:
    """Applies BasicTransformerBlock with layer norms."""
    width = x.spec.shape[-1] // t.heads
    own = text if t.only_text else None
    y = attention(b, "attn1", layer_norm(b, "norm1", x), own, t.heads, width, t.workload)
    x = b.apply("add", y, x, name="attn1_residual")
    y = attention(b, "attn2", layer_norm(b, "norm2", x), text, t.heads, width, t.workload)
    x = b.apply("add", y, x, name="attn2_residual")
    y = feed_forward(b, "ff", layer_norm(b, "norm3", x), "geglu", t.workload)
    return b.apply("add", y, x, name="ff_residual")
