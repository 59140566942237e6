"""The blocks of diffusers' U-Nets, by the names that a file gives them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from graphacct_architectures.layers import layer_norm, linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, frozen
from graphacct_diffusers.attention import attend, map_attention
from graphacct_diffusers.layers import group_norm
from graphacct_diffusers.resnet import Resnet, downsample, resnet, upsample
from graphacct_diffusers.transformer_2d import Transformer, transformer

DOWN = (
    "DownBlock2D",
    "CrossAttnDownBlock2D",
    "AttnDownBlock2D",
    "ResnetDownsampleBlock2D",
    "SimpleCrossAttnDownBlock2D",
)
UP = ("UpBlock2D", "CrossAttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D", "SimpleCrossAttnUpBlock2D")
MID = ("UNetMidBlock2DCrossAttn", "UNetMidBlock2D", "UNetMidBlock2DSimpleCrossAttn")
CROSS = "Cross"
"""Part of the names of blocks that ask the text."""
SIMPLE_GROUPS = 32
"""Groups of the norm of a text (`cross_attention_norm`), which no key of a file sets."""


@frozen(kw_only=True)
class Block:
    """One block of a U-Net.

    Attributes:
        kind: Its name in the file.
        channels: Channels of its output.
        layers: Its ResNet blocks.
        resized: Whether its last module halves or doubles the map.
        resnet: What its ResNet blocks are.
        heads: Heads of a transformer.
        head_width: Channels of a head, in a block whose attention has no transformer.
        depths: Transformer blocks, for each layer.
        linear: As in Transformer.
        only_text: As in Transformer.
        text_norm: The norm of the text in a simple attention: `layer_norm`, `group_norm` or None.
        padding: Of the convolution that halves the map.
        resized_by_resnet: Whether a ResNet block halves or doubles the map in a kind that may have either.
        norm_groups: Groups of the norm of attention, those of the ResNet blocks' unless given; None for no norm.
    """

    kind: str
    channels: Dim
    layers: int
    resized: bool
    resnet: Resnet
    heads: Dim = 1
    head_width: Dim = 1
    depths: Sequence[Dim] = ()
    linear: bool = False
    only_text: bool = False
    text_norm: str | None = None
    padding: int = 1
    resized_by_resnet: bool = False
    norm_groups: Dim | None = attrs.field(default=attrs.Factory(lambda self: self.resnet.groups, takes_self=True))

    @property
    def by_resnet(self) -> bool:
        """Whether a ResNet block halves or doubles the map, instead of a convolution."""
        return self.resized_by_resnet or self.kind.startswith(("Resnet", "Simple"))

    def attended(self, b: Builder, index: int, x: Value, text: Value | None) -> Value:
        """Applies the attention after one of its ResNet blocks, if it has any."""
        r, name = self.resnet, f"attentions.{index}"
        if "Simple" in self.kind:
            assert text is not None
            return simple_attention(b, name, x, text, self)
        if CROSS in self.kind:
            assert text is not None
            t = Transformer(
                heads=self.heads,
                layers=self.depths[index],
                groups=r.groups,
                linear=self.linear,
                only_text=self.only_text,
                workload=r.workload,
            )
            return transformer(b, name, x, text, t)
        if self.kind.startswith("Attn"):
            return map_attention(b, name, x, self.head_width, r.workload, group_norm, groups=self.norm_groups)
        return x


def down(
    b: Builder, name: str, x: Value, time: Value | None, text: Value | None, d: Block
) -> tuple[Value, list[Value]]:
    """Applies a block that goes down. Returns its output, and the maps that its counterpart takes."""
    skipped = []
    with b.scope(name):
        for index in range(d.layers):
            x = resnet(b, f"resnets.{index}", x, d.channels, time, d.resnet)
            x = d.attended(b, index, x, text)
            skipped.append(x)
        if d.resized:
            if d.by_resnet:
                x = resnet(b, "downsamplers.0", x, d.channels, time, d.resnet, "down")
            else:
                x = downsample(b, "downsamplers.0", x, padding=d.padding)
            skipped.append(x)
    return x, skipped


def middle(b: Builder, x: Value, time: Value | None, text: Value | None, d: Block) -> Value:
    """Applies the block in the middle: a ResNet block, and `layers` times an attention and another one."""
    with b.scope("mid_block"):
        x = resnet(b, "resnets.0", x, d.channels, time, d.resnet)
        for index in range(d.layers):
            x = d.attended(b, index, x, text)
            x = resnet(b, f"resnets.{index + 1}", x, d.channels, time, d.resnet)
    return x


def up(
    b: Builder,
    name: str,
    x: Value,
    skipped: list[Value],
    time: Value | None,
    text: Value | None,
    d: Block,
    size: Sequence[Dim] | None = None,
) -> Value:
    """Applies a block that goes up: each ResNet block takes the last of the maps that went down, which is removed from
    `skipped`. `size` is the height and width that it ends with, twice its own unless given."""
    with b.scope(name):
        for index in range(d.layers):
            x = b.apply("concat", x, skipped.pop(), name=f"with_skipped_{index}", dim=1)
            x = resnet(b, f"resnets.{index}", x, d.channels, time, d.resnet)
            x = d.attended(b, index, x, text)
        if d.resized:
            if d.by_resnet:
                x = resnet(b, "upsamplers.0", x, d.channels, time, d.resnet, "up")
            else:
                x = upsample(b, "upsamplers.0", x, size)
    return x


def simple_attention(b: Builder, name: str, x: Value, text: Value, d: Block) -> Value:
    """Applies Attention with added keys and values: a map's elements ask the text and, unless `only_text`, each
    other."""
    batch, channels, height, width = x.spec.shape
    heads, workload = channels // d.head_width, d.resnet.workload
    inner = heads * d.head_width
    with b.scope(name):
        y = b.apply("reshape", x, name="flat", shape=(batch, channels, height * width))
        text = _normed(b, text, d.text_norm)
        y = b.apply("transpose", group_norm(b, "group_norm", y, d.resnet.groups), name="tokens", dims=(1, 2))
        q = split_heads(b, linear(b, "to_q", y, inner), heads, d.head_width, "q")
        found = []
        for part, label in (("k", "added_k"), ("v", "added_v")):
            added = split_heads(b, linear(b, f"add_{part}_proj", text, inner), heads, d.head_width, label)
            if not d.only_text:
                own = split_heads(b, linear(b, f"to_{part}", y, inner), heads, d.head_width, part)
                added = b.apply("concat", added, own, name=f"all_{part}", dim=2)
            found.append(added)
        y = merge_heads(b, attend(b, q, found[0], found[1], workload))
        y = linear(b, "to_out.0", y, channels)
        y = b.apply("transpose", y, name="back", dims=(-1, -2))
        y = b.apply("reshape", y, name="map", shape=(batch, channels, height, width))
        return b.apply("add", y, x, name="residual")


def _normed(b: Builder, text: Value, kind: str | None) -> Value:
    if kind == "layer_norm":
        return layer_norm(b, "norm_cross", text)
    if kind == "group_norm":
        text = b.apply("transpose", text, name="text_transposed", dims=(1, 2))
        text = group_norm(b, "norm_cross", text, SIMPLE_GROUPS)
        return b.apply("transpose", text, name="text_normed", dims=(1, 2))
    return text
