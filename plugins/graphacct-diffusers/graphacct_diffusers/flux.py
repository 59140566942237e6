"""FluxTransformer2DModel: a picture and a text in joint attention, then in one stream (Black Forest Labs, 2024).

The picture's tokens are squares of 2 by 2 latents, which the pipeline packs: the model is given tokens.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_diffusers import keys, latents, streams
from graphacct_diffusers.joint import after
from graphacct_diffusers.layers import gated_sum, modulated
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, shifts, time_and_text
from graphacct_diffusers.rotation import rotated, tables
from graphacct_diffusers.stack import stacked

TOKENS = 512
"""Tokens of T5's texts."""
RATIO = 4


@frozen(kw_only=True)
class FluxConfig(streams.StreamsConfig):
    """The keys that the cost of FLUX depends on."""

    num_single_layers: Dim = fields.size(38, minimum=0)
    pooled_projection_dim: Dim = fields.size(768)
    guidance_embeds: bool = fields.flag(False)


def build(c: FluxConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy tokens to the velocity of the flow there."""
    batch = workload.batch
    rows, columns = streams.grid(c, workload)
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
        apart=not (has_value(batch) and batch == 1),
    )
    scale, shift = shifts(b, "norm_out", time, 2)
    x = modulated(b, "norm_out.modulated", normed(b, "norm_out.norm", x), scale, shift)
    return linear(b, "proj_out", x, c.channels)


def block(
    c: FluxConfig, workload: Workload, b: Builder, text: Value, x: Value, time: Value, cos: Value, sin: Value
) -> Any:
    """Applies FluxTransformerBlock."""
    parts, told = shifts(b, "norm1", time, 6), shifts(b, "norm1_context", time, 6)
    return mixed(c, workload, b, text, x, parts, told, cos, sin)


def mixed(
    c: streams.StreamsConfig,
    workload: Workload,
    b: Builder,
    text: Value,
    x: Value,
    parts: list[Value],
    told: list[Value],
    cos: Value,
    sin: Value,
) -> Any:
    """Applies attention to both streams, and to each its own network. `parts` and `told` are a shift, a scale and a
    gate for attention and three for the network, of the picture's stream and of the text's."""
    y = modulated(b, "norm1.modulated", normed(b, "norm1.norm", x), parts[1], parts[0])
    t = modulated(b, "norm1_context.modulated", normed(b, "norm1_context.norm", text), told[1], told[0])
    with b.scope("attn"):
        own = streams.heads_of(c, b, y, streams.OWN)
        other = streams.heads_of(c, b, t, streams.TEXT)
        z = turned(b, streams.together(b, other, own), cos, sin)
        z, answer = streams.parted(b, z, text.spec.shape[1], c.width)
    x = after(b, "", x, z, parts[2:6], workload)
    text = after(b, "_context", text, answer, told[2:6], workload)
    return streams.clipped(b, "text_clipped", text), x


def single(
    c: FluxConfig, workload: Workload, b: Builder, text: Value, x: Value, time: Value, cos: Value, sin: Value
) -> Any:
    """Applies FluxSingleTransformerBlock to the text's and the picture's tokens as one stream."""
    words, count = text.spec.shape[1], x.spec.shape[1]
    x = b.apply("concat", text, x, name="stream", dim=1)
    x = single_mixed(c, b, x, shifts(b, "norm", time, 3), cos, sin)
    text = b.apply("slice", x, name="of_text", dim=1, start=0, length=words)
    return text, b.apply("slice", x, name="of_picture", dim=1, start=words, length=count)


def single_mixed(c: streams.StreamsConfig, b: Builder, x: Value, parts: list[Value], cos: Value, sin: Value) -> Value:
    """Applies attention and a network side by side to one stream, with a shift, a scale and a gate."""
    shift, scale, gate = parts
    y = modulated(b, "norm.modulated", normed(b, "norm.norm", x), scale, shift)
    mlp = b.apply("gelu_tanh", linear(b, "proj_mlp", y, RATIO * c.width), name="act_mlp")
    with b.scope("attn"):
        y = turned(b, streams.heads_of(c, b, y, streams.OWN), cos, sin)
    y = linear(b, "proj_out", b.apply("concat", y, mlp, name="attended_and_mlp", dim=2), c.width)
    return streams.clipped(b, "clipped", gated_sum(b, "residual", x, gate, y))


def turned(b: Builder, parts: list[Value], cos: Value, sin: Value) -> Value:
    """Returns what attention gives of queries, keys and values (batch, n, heads, width), turned by their places."""
    q, k, v = parts
    return streams.attended(b, [rotated(b, "q_turned", q, cos, sin), rotated(b, "k_turned", k, cos, sin), v])


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
