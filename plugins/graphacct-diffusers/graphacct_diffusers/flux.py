"""FluxTransformer2DModel: a picture and a text in joint attention, then in one stream (Black Forest Labs, 2024).

The picture's tokens are squares of 2 by 2 latents, which the pipeline packs: the model is given tokens.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear, rms_norm

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.joint import after
from graphacct_diffusers.layers import gated_sum, grid_of, modulated
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, shifts, time_and_text
from graphacct_diffusers.rotation import rotated, tables
from graphacct_diffusers.stack import stacked

TOKENS = 512
"""Tokens of T5's texts."""
PACKED = 2
"""Latents of a side of one token."""
RATIO = 4


@frozen(kw_only=True)
class FluxConfig:
    """The keys that the cost of FLUX depends on."""

    sample_size: Any = latents.sample_size(128)
    vae_scale_factor: Dim | None = fields.optional_size(8)
    patch_size: Dim = fields.size(1)
    in_channels: Dim = fields.size(64)
    out_channels: Dim | None = fields.optional_size()
    num_layers: Dim = fields.size(19, minimum=0)
    num_single_layers: Dim = fields.size(38, minimum=0)
    attention_head_dim: Dim = fields.size(128)
    num_attention_heads: Dim = fields.size(24)
    joint_attention_dim: Dim = fields.size(4096)
    pooled_projection_dim: Dim = fields.size(768)
    guidance_embeds: bool = fields.flag(False)
    axes_dims_rope: tuple[Dim, ...] = fields.counts((16, 56, 56), 3)

    def __attrs_post_init__(self) -> None:
        turned = sum(self.axes_dims_rope)
        if type(turned) is int and type(self.attention_head_dim) is int and turned != self.attention_head_dim:
            raise ConfigError(f"axes_dims_rope add up to {turned}, and attention_head_dim is {self.attention_head_dim}")

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim


def build(c: FluxConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy tokens to the velocity of the flow there."""
    batch = workload.batch
    rows, columns = grid_of(latents.latents(c, workload), PACKED, "a token of 2 by 2")
    count, words = rows * columns, workload.seq_len or TOKENS
    x = b.input("hidden_states", (batch, count, c.in_channels))
    text = b.input("encoder_hidden_states", (batch, words, c.joint_attention_dim))
    pooled = b.input("pooled_projections", (batch, c.pooled_projection_dim))
    x = linear(b, "x_embedder", x, c.width)
    steps = b.apply("scale", b.input("timestep", (batch,)), name="timestep_scaled")
    guidance = None
    if c.guidance_embeds:
        guidance = b.apply("scale", b.input("guidance", (batch,)), name="guidance_scaled")
    time = time_and_text(b, "time_text_embed", steps, pooled, c.width, guidance)
    text = linear(b, "context_embedder", text, c.width)
    places = b.input("txt_ids", (words, 3)), b.input("img_ids", (count, 3))
    turns = tables(b, "pos_embed", b.apply("concat", *places, name="ids", dim=0), c.axes_dims_rope)
    text, x = stacked(
        b, "transformer_blocks", c.num_layers, partial(block, c, workload), text, x, constants=(time, *turns)
    )
    text, x = stacked(
        b,
        "single_transformer_blocks",
        c.num_single_layers,
        partial(single, c, workload),
        text,
        x,
        constants=(time, *turns),
        apart=not (type(batch) is int and batch == 1),
    )
    scale, shift = shifts(b, "norm_out", time, 2)
    x = modulated(b, "norm_out.modulated", normed(b, "norm_out.norm", x), scale, shift)
    channels = c.in_channels if c.out_channels is None else c.out_channels
    return linear(b, "proj_out", x, c.patch_size * c.patch_size * channels)


def block(
    c: FluxConfig, workload: Workload, b: Builder, text: Value, x: Value, time: Value, cos: Value, sin: Value
) -> Any:
    """Applies FluxTransformerBlock."""
    parts, told = shifts(b, "norm1", time, 6), shifts(b, "norm1_context", time, 6)
    y = modulated(b, "norm1.modulated", normed(b, "norm1.norm", x), parts[1], parts[0])
    t = modulated(b, "norm1_context.modulated", normed(b, "norm1_context.norm", text), told[1], told[0])
    with b.scope("attn"):
        own = heads_of(c, b, y, ("to_q", "to_k", "to_v"), ("norm_q", "norm_k", ""))
        other = heads_of(c, b, t, ("add_q_proj", "add_k_proj", "add_v_proj"), ("norm_added_q", "norm_added_k", ""))
        joined = [
            b.apply("concat", one, two, name=f"all_{label}", dim=1)
            for one, two, label in zip(other, own, "qkv", strict=True)
        ]
        z = attended(b, joined, cos, sin)
        words, count = text.spec.shape[1], x.spec.shape[1]
        answer = b.apply("slice", z, name="of_text", dim=1, start=0, length=words)
        z = b.apply("slice", z, name="of_picture", dim=1, start=words, length=count)
        z = linear(b, "to_out.0", b.apply("contiguous", z, name="picture_in_order"), c.width)
        answer = linear(b, "to_add_out", b.apply("contiguous", answer, name="text_in_order"), c.width)
    x = after(b, "", x, z, parts[2:6], workload)
    text = after(b, "_context", text, answer, told[2:6], workload)
    return clipped(b, "text_clipped", text), x


def single(
    c: FluxConfig, workload: Workload, b: Builder, text: Value, x: Value, time: Value, cos: Value, sin: Value
) -> Any:
    """Applies FluxSingleTransformerBlock to the text's and the picture's tokens as one stream."""
    words, count = text.spec.shape[1], x.spec.shape[1]
    x = b.apply("concat", text, x, name="stream", dim=1)
    shift, scale, gate = shifts(b, "norm", time, 3)
    y = modulated(b, "norm.modulated", normed(b, "norm.norm", x), scale, shift)
    mlp = b.apply("gelu_tanh", linear(b, "proj_mlp", y, RATIO * c.width), name="act_mlp")
    with b.scope("attn"):
        y = attended(b, heads_of(c, b, y, ("to_q", "to_k", "to_v"), ("norm_q", "norm_k", "")), cos, sin)
    y = linear(b, "proj_out", b.apply("concat", y, mlp, name="attended_and_mlp", dim=2), c.width)
    x = clipped(b, "clipped", gated_sum(b, "residual", x, gate, y))
    text = b.apply("slice", x, name="of_text", dim=1, start=0, length=words)
    return text, b.apply("slice", x, name="of_picture", dim=1, start=words, length=count)


def heads_of(
    c: Any, b: Builder, x: Value, names: tuple[str, str, str], norms: tuple[str, str, str], normed_by: Any = rms_norm
) -> list[Value]:
    """Returns queries, keys and values (batch, n, heads, width), normed where `norms` names a norm."""
    batch, count, _ = x.spec.shape
    found = []
    for name, norm in zip(names, norms, strict=True):
        y = linear(b, name, x, c.width)
        shape = (batch, count, c.num_attention_heads, c.attention_head_dim)
        y = b.apply("reshape", y, name=f"{name}_heads", shape=shape)
        found.append(normed_by(b, norm, y) if norm else y)
    return found


def attended(b: Builder, parts: list[Value], cos: Value, sin: Value) -> Value:
    """Returns what attention gives of queries, keys and values (batch, n, heads, width), turned by their places."""
    q, k, v = parts
    return joined_by_head(b, [rotated(b, "q_turned", q, cos, sin), rotated(b, "k_turned", k, cos, sin), v])


def joined_by_head(b: Builder, parts: list[Value]) -> Value:
    """Returns what attention gives of queries, keys and values (batch, n, heads, width), its heads joined."""
    batch, count, heads, width = parts[0].spec.shape
    given = [
        b.apply("permute", y, name=f"{label}_by_head", dims=(0, 2, 1, 3)) for y, label in zip(parts, "qkv", strict=True)
    ]
    y = b.apply("scaled_dot_product_attention", *given, name="attention")
    y = b.apply("permute", y, name="by_token", dims=(0, 2, 1, 3))
    return b.apply("reshape", y, name="merged", shape=(batch, count, heads * width))


def clipped(b: Builder, name: str, x: Value) -> Value:
    """Returns tokens kept within float16's range, in float16."""
    return b.apply("clamp", x, name=name) if b.dtype == "float16" else x


ARCHITECTURE = Architecture(
    "flux",
    FluxConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": latents.image_size},
    attention=("fused",),
    dtype="bfloat16",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("FluxTransformer2DModel",),
    stated=latents.stated,
    doc="FLUX: a picture's tokens of 2 by 2 latents and a text. image_size is the picture's, in pixels.",
)
