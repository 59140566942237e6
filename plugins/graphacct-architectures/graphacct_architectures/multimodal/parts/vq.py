"""Images as words of a code: an encoder of convolutions, and the nearest vector of a code book for each place (VQ-GAN).

Esser et al., 2021 (arXiv:2012.09841); Gafni et al., 2022 (arXiv:2203.13131).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Parameter, Value, Workload, brief, fields, frozen, has_value, prod
from graphacct_architectures.layers import dropped

GROUPS = 32
"""Groups of channels that are normalized together."""
MOST_BLOCKS = 1000


def multipliers(default: tuple[int, ...]) -> Any:
    """Returns the key of how many times the first channels each level has."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = default if value is None else value
        whole = isinstance(items, (list, tuple)) and all(type(item) is int and 0 < item < 10**6 for item in items)
        if not whole or not 0 < len(items) <= MOST_BLOCKS:
            raise ConfigError(f"{field.name} is a list of positive whole numbers, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class VqConfig:
    """The keys that such encoders have."""

    embed_dim: Dim = fields.size(256)
    num_embeddings: Dim = fields.size(8192)
    double_latent: bool = fields.flag(False)
    latent_channels: Dim = fields.size(256)
    in_channels: Dim = fields.size(3)
    base_channels: int = fields.size(128)
    channel_multiplier: tuple[int, ...] = multipliers((1, 1, 2, 2, 4))
    num_res_blocks: int = fields.size(2)
    dropout: float = fields.probability(0.0)

    @property
    def levels(self) -> int:
        """How many sizes of the image there are."""
        return len(self.channel_multiplier)

    def attends(self, level: int) -> bool:
        """Returns whether each block of a level is followed by attention."""
        raise NotImplementedError

    @property
    def attends_between(self) -> bool:
        """Whether the block in the middle has attention."""
        return True


def convolved(b: Builder, name: str, x: Value, width: Dim, kernel: int = 3, stride: int = 1) -> Value:
    """Returns a convolution of a square kernel with padding on all sides, or none with a stride."""
    weight = b.parameter(f"{name}.weight", (width, x.spec.shape[1], kernel, kernel))
    rest = b.parameter(f"{name}.bias", (width,))
    padding = (kernel // 2,) * 2 if stride == 1 else (0, 0)
    found: Value = b.apply("convolution", x, weight, rest, name=name, stride=(stride,) * 2, padding=padding)
    return found


def group_normed(b: Builder, name: str, x: Value) -> Value:
    """Returns x with groups of channels normalized."""
    width = x.spec.shape[1]
    if has_value(width) and width % GROUPS:
        raise ConfigError(f"vq_config has {width} channels at a place, which {GROUPS} groups do not divide")
    rest = b.parameter(f"{name}.weight", (width,)), b.parameter(f"{name}.bias", (width,))
    found: Value = b.apply("group_norm", x, *rest, name=name, groups=GROUPS)
    return found


def swished(b: Builder, name: str, x: Value) -> Value:
    """Returns x times its sigmoid, two steps as in the published code."""
    gate = b.apply("sigmoid", x, name=f"{name}_sigmoid")
    found: Value = b.apply("mul", x, gate, name=f"{name}_act")
    return found


def block(c: VqConfig, workload: Workload, b: Builder, x: Value, width: Dim) -> Value:
    """Returns a residual block's output; the builder is in its scope."""
    y = convolved(b, "conv1", swished(b, "first", group_normed(b, "norm1", x)), width)
    y = swished(b, "second", group_normed(b, "norm2", y))
    y = convolved(b, "conv2", dropped(b, "dropout", y, c.dropout, workload), width)
    if x.spec.shape[1] != width:
        x = convolved(b, "nin_shortcut", x, width, 1)
    found: Value = b.apply("add", x, y, name="residual")
    return found


def attended(b: Builder, x: Value) -> Value:
    """Returns the output of attention of all places over all, one head; the builder is in its scope."""
    batch, width, *sides = x.spec.shape
    places = prod(sides)
    y = group_normed(b, "norm", x)
    q, k, v = (
        b.apply("reshape", convolved(b, name, y, width, 1), name=f"{name}_flat", shape=(batch, width, places))
        for name in "qkv"
    )
    q = b.apply("permute", q, name="q_rows", dims=(0, 2, 1))
    scores = b.apply("scale", b.apply("matmul", q, k, name="scores"), name="scaled")
    weights = b.apply("softmax", scores, name="softmax")
    weights = b.apply("permute", weights, name="weights_of_keys", dims=(0, 2, 1))
    y = b.apply("reshape", b.apply("matmul", v, weights, name="values"), name="plane", shape=(batch, width, *sides))
    found: Value = b.apply("add", x, convolved(b, "proj_out", y, width, 1), name="residual")
    return found


def middle(c: VqConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns two blocks' output with attention between them; the builder is in the encoder's or decoder's scope."""
    width = x.spec.shape[1]
    with b.scope("mid.block_1"):
        x = block(c, workload, b, x, width)
    if c.attends_between:
        with b.scope("mid.attn_1"):
            x = attended(b, x)
    with b.scope("mid.block_2"):
        return block(c, workload, b, x, width)


def encoded(c: VqConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the latents (images, channels, rows, columns) of images; the builder is in the encoder's scope."""
    x = convolved(b, "conv_in", x, c.base_channels)
    for level, times in enumerate(c.channel_multiplier):
        for index in range(c.num_res_blocks):
            with b.scope(f"down.{level}.block.{index}"):
                x = block(c, workload, b, x, c.base_channels * times)
            if c.attends(level):
                with b.scope(f"down.{level}.attn.{index}"):
                    x = attended(b, x)
        if level != c.levels - 1:
            with b.scope(f"down.{level}.downsample"):
                x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (0, 1), (0, 1)))
                x = convolved(b, "conv", x, x.spec.shape[1], stride=2)
    x = middle(c, workload, b, x)
    x = swished(b, "out", group_normed(b, "norm_out", x))
    return convolved(b, "conv_out", x, 2 * c.latent_channels if c.double_latent else c.latent_channels)


def decoded(c: VqConfig, workload: Workload, b: Builder, x: Value, out: Dim) -> Value:
    """Returns images of latents; the builder is in the decoder's scope."""
    x = convolved(b, "conv_in", x, c.base_channels * c.channel_multiplier[-1])
    x = middle(c, workload, b, x)
    for place, level in enumerate(reversed(range(c.levels))):
        for index in range(c.num_res_blocks + 1):
            with b.scope(f"up.{place}.block.{index}"):
                x = block(c, workload, b, x, c.base_channels * c.channel_multiplier[level])
            if level == c.levels - 1:
                with b.scope(f"up.{place}.attn.{index}"):
                    x = attended(b, x)
        if level != 0:
            with b.scope(f"up.{place}.upsample"):
                high, wide = x.spec.shape[2:]
                x = b.apply("upsample_nearest", x, name="larger", size=(2 * high, 2 * wide))
                x = convolved(b, "conv", x, x.spec.shape[1])
    x = swished(b, "out", group_normed(b, "norm_out", x))
    return convolved(b, "conv_out", x, out)


def nearest(c: VqConfig, b: Builder, x: Value) -> Value:
    """Returns the number of the code book's vector that is nearest to each place, (images, places); the builder is in
    the quantizer's scope. What the class makes of the vectors besides, its loss included, costs the same."""
    x = b.apply("contiguous", b.apply("permute", x, name="width_last", dims=(0, 2, 3, 1)), name="latents")
    ids, table = closest(c.num_embeddings, b, x)
    found = b.apply("embedding", ids, table, name="embedding")
    found = b.apply("reshape", found, name="found", shape=x.spec.shape)
    error = b.apply("square", b.apply("sub", found, x, name="errors"), name="errors_squared")
    b.apply("mean", error, name="commitment", dim=-1)
    return ids


def closest(codes: Dim, b: Builder, x: Value) -> tuple[Value, Parameter]:
    """Returns the number of the code book's vector that is nearest to each row of x (…, width), and the book of so many
    vectors."""
    *places, width = x.spec.shape
    count = prod(places)
    table = b.parameter("embedding.weight", (codes, width))
    flat = b.apply("reshape", x, name="rows", shape=(count, width))
    own = b.apply("sum", b.apply("square", flat, name="squares"), name="lengths", dim=1, keepdim=True)
    others = b.apply("sum", b.apply("square", table, name="codes_squares"), name="codes_lengths", dim=1)
    columns = b.apply("transpose", table, name="codes_across", dims=(0, 1))
    products = b.apply("scale", b.apply("matmul", flat, columns, name="products"), name="products_doubled")
    distances = b.apply("sub", b.apply("add", own, others, name="sums"), products, name="distances")
    return b.apply("argmin", distances, name="nearest", dim=1), table
