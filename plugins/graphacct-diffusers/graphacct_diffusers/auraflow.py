"""AuraFlowTransformer2DModel: a picture's patches and a text in joint attention, then in one stream (fal.ai, 2024)."""

from __future__ import annotations

from functools import partial
from math import isqrt
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_diffusers import keys, latents, streams
from graphacct_diffusers.layers import as_map, gated_sum, grid_of, modulated, sinusoids, time_embedding
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import STEPS, normed, shifts
from graphacct_diffusers.stack import stacked

TOKENS = 256
"""Tokens of UMT5's texts."""
REGISTERS = 8
"""Tokens of no text in front of the text, which no key of a file sets."""
ROUNDED = 256
"""The feed-forward's width is a multiple of it."""


@frozen(kw_only=True)
class AuraFlowConfig:
    """The keys that the cost of AuraFlow depends on."""

    sample_size: Any = latents.sample_size(64)
    vae_scale_factor: Dim | None = fields.optional_size()
    patch_size: Dim = fields.size(2)
    in_channels: Dim = fields.size(4)
    num_mmdit_layers: Dim = fields.size(4, minimum=0)
    num_single_dit_layers: Dim = fields.size(32, minimum=0)
    attention_head_dim: Dim = fields.size(256)
    num_attention_heads: Dim = fields.size(12)
    joint_attention_dim: Dim = fields.size(2048)
    caption_projection_dim: Dim = fields.size(3072)
    out_channels: Dim = fields.size(4)
    pos_embed_max_size: int = fields.size(1024)

    def __attrs_post_init__(self) -> None:
        if self.caption_projection_dim != self.width:
            raise ConfigError(
                f"caption_projection_dim is {self.caption_projection_dim}, and attention has {self.width} channels "
                "(num_attention_heads * attention_head_dim): they are equal"
            )

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def inner(self) -> Dim:
        """Channels inside the feed-forward: two thirds of 4 times a token's, rounded down, then up to a multiple."""
        two_thirds = 8 * self.width // 3
        return (two_thirds + ROUNDED - 1) // ROUNDED * ROUNDED


def build(c: AuraFlowConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents to the velocity of the flow there."""
    batch, sides = workload.batch, latents.latents(c, workload)
    grid = grid_of(sides, c.patch_size)
    x = b.input("hidden_states", (batch, c.in_channels, *sides))
    text = b.input("encoder_hidden_states", (batch, workload.seq_len or TOKENS, c.joint_attention_dim))
    x = patched(c, b, x, grid)
    steps = sinusoids(b, "time_step_embed", b.input("timestep", (batch,)), STEPS)
    time = time_embedding(b, "time_step_proj", steps, c.width)
    text = linear(b, "context_embedder", text, c.caption_projection_dim, bias=False)
    registers = b.apply("repeat", b.parameter("register_tokens", (1, REGISTERS, c.width)), times=(batch, 1, 1))
    text = b.apply("concat", registers, text, name="registers_and_text", dim=1)
    text, x = stacked(b, "joint_transformer_blocks", c.num_mmdit_layers, partial(block, c), text, x, constants=(time,))
    if c.num_single_dit_layers:
        words, count = text.spec.shape[1], x.spec.shape[1]
        x = b.apply("concat", text, x, name="stream", dim=1)
        x = stacked(b, "single_transformer_blocks", c.num_single_dit_layers, partial(single, c), x, constants=(time,))
        x = b.apply("slice", x, name="of_picture", dim=1, start=words, length=count)
    scale, shift = shifts(b, "norm_out", time, 2, bias=False)
    x = modulated(b, "norm_out.modulated", x, scale, shift)
    x = linear(b, "proj_out", x, c.patch_size * c.patch_size * c.out_channels, bias=False)
    return as_map(b, "sample", x, grid, c.patch_size, c.out_channels)


def patched(c: AuraFlowConfig, b: Builder, x: Value, grid: tuple[Dim, ...]) -> Value:
    """Applies AuraFlowPatchEmbed: a linear layer of each patch, and learned places out of the middle of a square."""
    batch, channels, *_ = x.spec.shape
    height, width = grid
    side, count = c.patch_size, height * width
    most = isqrt(c.pos_embed_max_size) if has_value(c.pos_embed_max_size) else c.pos_embed_max_size
    for given in grid:
        if has_value(given) and given > most:
            raise ConfigError(
                f"image_size gives {given} patches along a side, beyond the {most} of pos_embed_max_size "
                f"{c.pos_embed_max_size}"
            )
    with b.scope("pos_embed"):
        x = b.apply("reshape", x, name="patches", shape=(batch, channels, height, side, width, side))
        x = b.apply("permute", x, name="by_patch", dims=(0, 2, 4, 1, 3, 5))
        x = b.apply("reshape", x, name="flat", shape=(batch, count, channels * side * side))
        x = linear(b, "proj", x, c.width)
        rows = [b.apply("arange", name=f"places_{axis}", n=size) for axis, size in enumerate(grid)]
        rows = [b.apply("reshape", row, name=f"row_{axis}", shape=row.spec.shape[-1:]) for axis, row in enumerate(rows)]
        down = b.apply("reshape", rows[0], name="down", shape=(height, 1))
        down = b.apply("scale", down, name="rows_before")
        across = b.apply("reshape", rows[1], name="across", shape=(1, width))
        places = b.apply("reshape", b.apply("add", down, across, name="numbers"), name="places", shape=(count,))
        table = b.parameter("pos_embed", (1, c.pos_embed_max_size, c.width))
        return b.apply("add", x, b.apply("index_select", table, places, name="picked", dim=1), name="sum")


def block(c: AuraFlowConfig, b: Builder, text: Value, x: Value, time: Value) -> Any:
    """Applies AuraFlowJointTransformerBlock."""
    own, other = (shifts(b, f"norm1{ending}", time, 6, bias=False) for ending in ("", "_context"))
    y = modulated(b, "norm1.modulated", wide_norm(b, "norm1.norm", x), own[1], own[0])
    t = modulated(b, "norm1_context.modulated", wide_norm(b, "norm1_context.norm", text), other[1], other[0])
    with b.scope("attn"):
        parts = streams.heads_of(c, b, y, streams.OWN, wide_norm, bias=False)
        told = streams.heads_of(c, b, t, streams.TEXT, wide_norm, bias=False)
        z = streams.attended(b, streams.together(b, told, parts))
        y, t = streams.parted(b, z, text.spec.shape[1], c.width, bias=False)
    return after(c, b, "_context", text, t, other), after(c, b, "", x, y, own)


def single(c: AuraFlowConfig, b: Builder, x: Value, time: Value) -> Value:
    """Applies AuraFlowSingleTransformerBlock."""
    parts = shifts(b, "norm1", time, 6, bias=False)
    y = modulated(b, "norm1.modulated", wide_norm(b, "norm1.norm", x), parts[1], parts[0])
    with b.scope("attn"):
        y = streams.attended(b, streams.heads_of(c, b, y, streams.OWN, wide_norm, bias=False))
        y = linear(b, "to_out.0", y, c.width, bias=False)
    return after(c, b, "", x, y, parts)


def after(c: AuraFlowConfig, b: Builder, ending: str, x: Value, y: Value, parts: list[Value]) -> Value:
    """Returns tokens x after attention gave y: gated, added and normed, through the feed-forward, and added to x."""
    _, _, gate, shift, scale, gate_mlp = parts
    y = wide_norm(b, f"norm2{ending}", gated_sum(b, f"attn_residual{ending}", x, gate, y))
    y = modulated(b, f"norm2{ending}_modulated", y, scale, shift)
    with b.scope(f"ff{ending}"):
        gated = b.apply("silu", linear(b, "linear_1", y, c.inner, bias=False), name="act")
        y = b.apply("mul", gated, linear(b, "linear_2", y, c.inner, bias=False), name="gated")
        y = linear(b, "out_projection", y, c.width, bias=False)
    return gated_sum(b, f"ff_residual{ending}", x, gate_mlp, y)


def wide_norm(b: Builder, name: str, x: Value) -> Value:
    """Applies FP32LayerNorm without weights: in float32, and back."""
    if x.spec.dtype == "float32":
        return normed(b, name, x)
    y = normed(b, name, b.apply("cast", x, name=f"{name}_wide", dtype="float32"))
    return b.apply("cast", y, name=f"{name}_narrow", dtype=x.spec.dtype)


ARCHITECTURE = Architecture(
    "auraflow",
    AuraFlowConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": latents.image_size},
    attention=("fused",),
    dtype="float16",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("AuraFlowTransformer2DModel",),
    stated=latents.stated,
    doc="AuraFlow: a picture and a text in joint attention, then in one stream. image_size is in pixels.",
)
