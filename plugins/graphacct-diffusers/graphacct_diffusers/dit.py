"""DiTTransformer2DModel: patches of latents, told a time and a class (Peebles and Xie, 2022, arXiv:2212.09748)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import KINDS, attention
from graphacct_diffusers.layers import FEED_FORWARDS, as_map, feed_forward, gated_sum, grid_of, modulated
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, patched, shifts, time_and_class
from graphacct_diffusers.stack import stacked


@frozen(kw_only=True)
class PatchConfig:
    """The keys that transformers of patches share."""

    num_attention_heads: Dim = fields.size(16)
    attention_head_dim: Dim = fields.size(72)
    in_channels: Dim = fields.size(4)
    out_channels: Dim | None = fields.optional_size()
    num_layers: Dim = fields.size(28)
    dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(True)
    patch_size: Dim = fields.size(2)
    activation_fn: str = fields.choice("gelu-approximate", FEED_FORWARDS)
    num_embeds_ada_norm: Dim = fields.size(1000)
    norm_elementwise_affine: bool = fields.always(False)
    vae_scale_factor: Dim | None = fields.optional_size()

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim


@frozen(kw_only=True)
class DiTConfig(PatchConfig):
    """The keys that the cost of DiT depends on."""

    sample_size: Any = latents.sample_size(32)
    norm_type: str = keys.only("ada_norm_zero")


def build(c: DiTConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents to the noise in them."""
    sides = latents.latents(c, workload)
    if has_value(sides[0]) and sides[0] != sides[1]:
        raise ConfigError(f"image_size {workload.image_size} is no square, and DiT's output is one")
    grid = grid_of(sides, c.patch_size)
    x = b.input("hidden_states", (workload.batch, c.in_channels, *sides))
    steps = b.input("timestep", (workload.batch,), "int64")
    labels = b.input("class_labels", (workload.batch,), "int64")
    x = patched(b, x, c.width, c.patch_size, grid, sides=grid_of(latents.sides(c), c.patch_size))
    x = stacked(b, "transformer_blocks", c.num_layers, partial(block, c, workload), x, constants=(steps, labels))
    training = workload.phase == "train"
    count = c.num_embeds_ada_norm
    with b.turn(1):
        name = "transformer_blocks.0.norm1.emb"
        time = time_and_class(b, name, steps, labels, count, c.width, training=training)
    time = linear(b, "proj_out_1", b.apply("silu", time, name="conditioning_silu"), 2 * c.width)
    parts = b.apply("split", time, name="conditioning", parts=2, dim=1)
    shape = (workload.batch, 1, c.width)
    shift, scale = (b.apply("reshape", part, name=f"conditioning_{i}", shape=shape) for i, part in enumerate(parts))
    x = modulated(b, "modulated", normed(b, "norm_out", x), scale, shift)
    channels = c.in_channels if c.out_channels is None else c.out_channels
    x = linear(b, "proj_out_2", x, c.patch_size * c.patch_size * channels)
    return as_map(b, "sample", x, grid, c.patch_size, channels)


def block(c: DiTConfig, workload: Workload, b: Builder, x: Value, steps: Value, labels: Value) -> Value:
    """Applies BasicTransformerBlock with norms that a time and a class shift and scale."""
    with b.turn(0), b.scope("norm1"):  # the first block's runs again after the last block
        count, training = c.num_embeds_ada_norm, workload.phase == "train"
        time = time_and_class(b, "emb", steps, labels, count, c.width, training=training)
    shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = shifts(b, "norm1", time, 6)
    y = modulated(b, "norm1.modulated", normed(b, "norm1.norm", x), scale, shift)
    y = attention(
        b,
        "attn1",
        y,
        None,
        c.num_attention_heads,
        c.attention_head_dim,
        workload,
        bias=c.attention_bias,
        dropout=c.dropout,
    )
    x = gated_sum(b, "attn1_residual", x, gate, y, first=False)
    y = modulated(b, "norm3_modulated", normed(b, "norm3", x), scale_mlp, shift_mlp)
    y = feed_forward(b, "ff", y, c.activation_fn, workload, dropout=c.dropout)
    return gated_sum(b, "ff_residual", x, gate_mlp, y, first=False)


ARCHITECTURE = Architecture(
    "dit",
    DiTConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": latents.image_size},
    attention=KINDS,
    dtype="float32",
    no_cost={**keys.NO_COST, "norm_num_groups": None, "upcast_attention": None},
    losses=LOSSES,
    model_types=("DiTTransformer2DModel",),
    stated=latents.stated,
    doc="DiT: patches of latents, told a time and a class. image_size is the picture's, in pixels.",
)
