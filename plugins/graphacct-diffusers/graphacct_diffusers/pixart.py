"""PixArtTransformer2DModel: patches of latents, told a time and a text (Chen et al., 2023, arXiv:2310.00426)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import KINDS, attention
from graphacct_diffusers.dit import PatchConfig
from graphacct_diffusers.layers import (
    as_map,
    feed_forward,
    gated_sum,
    grid_of,
    modulated,
    sinusoids,
    text_projection,
    time_embedding,
)
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import STEPS, normed, patched, time_told
from graphacct_diffusers.stack import stacked

TOKENS = 120
"""Tokens of T5's texts in PixArt-α; PixArt-Σ has 300."""
LARGE = 128
"""The latents of a side from which on a file without `use_additional_conditions` means true."""


@frozen(kw_only=True)
class PixArtConfig(PatchConfig):
    """The keys that the cost of PixArt depends on."""

    out_channels: Dim | None = fields.optional_size(8)
    sample_size: Any = latents.sample_size(LARGE)
    norm_type: str = keys.only("ada_norm_single")
    cross_attention_dim: Dim | None = fields.optional_size(1152)
    caption_channels: Dim | None = fields.optional_size()
    use_additional_conditions: bool | None = fields.optional_flag()
    attention_type: str = keys.only("default")

    def __attrs_post_init__(self) -> None:
        if self.caption_channels is not None and self.cross_attention_dim not in (None, self.width):
            raise ConfigError(
                f"cross_attention_dim {self.cross_attention_dim} is not the width {self.width} that captions are "
                "projected to"
            )

    @property
    def told_size(self) -> bool:
        """Whether the picture's size and shape are told as well."""
        given = self.use_additional_conditions
        return latents.sides(self)[0] == LARGE if given is None else given


def build(c: PixArtConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents to the noise in them."""
    batch, sides = workload.batch, latents.latents(c, workload)
    grid = grid_of(sides, c.patch_size)
    x = b.input("hidden_states", (batch, c.in_channels, *sides))
    text = None
    if c.cross_attention_dim is not None:
        width = c.cross_attention_dim if c.caption_channels is None else c.caption_channels
        text = b.input("encoder_hidden_states", (batch, workload.seq_len or TOKENS, width))
    x = patched(b, x, c.width, c.patch_size, grid, sides=grid_of(latents.sides(c), c.patch_size))
    embedded = told(c, b, batch)
    time = linear(b, "adaln_single.linear", b.apply("silu", embedded, name="adaln_single.silu"), 6 * c.width)
    if text is not None and c.caption_channels is not None:
        text = text_projection(b, "caption_projection", text, c.width)
    given = (time,) if text is None else (time, text)
    x = stacked(b, "transformer_blocks", c.num_layers, partial(block, c, workload), x, constants=given)
    shift, scale = table(b, "", b.apply("reshape", embedded, name="last_time", shape=(batch, 1, c.width)), 2)
    x = modulated(b, "modulated", normed(b, "norm_out", x), scale, shift)
    channels = c.in_channels if c.out_channels is None else c.out_channels
    x = linear(b, "proj_out", x, c.patch_size * c.patch_size * channels)
    return as_map(b, "sample", x, grid, c.patch_size, channels)


def told(c: PixArtConfig, b: Builder, batch: Dim) -> Value:
    """Applies PixArtAlphaCombinedTimestepSizeEmbeddings: a time, and the picture's size and shape."""
    name = "adaln_single.emb"
    time = time_told(b, name, b.input("timestep", (batch,), "int64"), c.width)
    if not c.told_size:
        return time
    each = c.width // 3
    parts = []
    for kind, count in (("resolution", 2), ("aspect_ratio", 1)):
        given = b.input(kind, (batch, count))
        with b.scope(name):
            flat = b.apply("reshape", given, name=f"{kind}_flat", shape=(batch * count,))
            y = time_embedding(b, f"{kind}_embedder", sinusoids(b, f"{kind}_proj", flat, STEPS), each)
            parts.append(b.apply("reshape", y, name=f"{kind}_told", shape=(batch, count * each)))
    with b.scope(name):
        return b.apply("add", time, b.apply("concat", *parts, name="size", dim=1), name="sum")


def table(b: Builder, name: str, time: Value, count: int) -> Any:
    """Returns the rows of `scale_shift_table` with a time (batch, 1 or count, width) added: `count` views."""
    width = time.spec.shape[-1]
    own = b.parameter("scale_shift_table", (count, width))
    own = b.apply("reshape", own, name=f"{name}table", shape=(1, count, width))
    return b.apply("split", b.apply("add", own, time, name=f"{name}shifts"), name=f"{name}parts", parts=count, dim=1)


def block(c: PixArtConfig, workload: Workload, b: Builder, x: Value, time: Value, text: Value | None = None) -> Value:
    """Applies BasicTransformerBlock whose norms one time for all layers shifts and scales."""
    batch = x.spec.shape[0]
    time = b.apply("reshape", time, name="time", shape=(batch, 6, c.width))
    shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = table(b, "", time, 6)
    heads, width = c.num_attention_heads, c.attention_head_dim
    options: dict[str, Any] = {"bias": c.attention_bias, "dropout": c.dropout}
    y = modulated(b, "norm1_modulated", normed(b, "norm1", x), scale, shift)
    y = attention(b, "attn1", y, None, heads, width, workload, **options)
    x = gated_sum(b, "attn1_residual", x, gate, y, first=False)
    if text is not None:
        x = b.apply("add", attention(b, "attn2", x, text, heads, width, workload, **options), x, name="attn2_residual")
    y = modulated(b, "norm2_modulated", normed(b, "norm2", x), scale_mlp, shift_mlp)
    y = feed_forward(b, "ff", y, c.activation_fn, workload, dropout=c.dropout)
    return gated_sum(b, "ff_residual", x, gate_mlp, y, first=False)


def tokens(config: PixArtConfig) -> Dim | None:
    """Returns the tokens of a text, None for a model without one."""
    return None if config.cross_attention_dim is None else TOKENS


ARCHITECTURE = Architecture(
    "pixart",
    PixArtConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": tokens, "image_size": latents.image_size},
    attention=KINDS,
    dtype="float32",
    no_cost={**keys.NO_COST, "norm_num_groups": None, "upcast_attention": None},
    losses=LOSSES,
    model_types=("PixArtTransformer2DModel",),
    stated=latents.stated,
    doc="PixArt: patches of latents, told a time and a text. image_size is the picture's, in pixels.",
)
