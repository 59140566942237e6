"""ChromaTransformer2DModel: FLUX whose shifts, scales and gates one small network makes of a time, for all layers at
once (lodestones, 2025)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear, rms_norm

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_diffusers import keys, latents, streams
from graphacct_diffusers.flux import mixed, single_mixed
from graphacct_diffusers.layers import modulated, sinusoids, text_projection
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed
from graphacct_diffusers.rotation import tables
from graphacct_diffusers.stack import stacked

TOKENS = 512
"""Tokens of T5's texts."""
OF_DOUBLE, OF_SINGLE, OF_LAST = 12, 3, 2
"""Rows of the network's output that a layer of two streams reads, one of a single stream, and the last norm."""


@frozen(kw_only=True)
class ChromaConfig(streams.StreamsConfig):
    """The keys that the cost of Chroma depends on."""

    num_layers: int = fields.size(19, minimum=0)
    num_single_layers: int = fields.size(38, minimum=0)
    approximator_num_channels: Dim = fields.size(64)
    approximator_hidden_dim: Dim = fields.size(5120)
    approximator_layers: int = fields.size(5, minimum=0)


def build(c: ChromaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy tokens to the velocity of the flow there."""
    batch = workload.batch
    rows, columns = streams.grid(c, workload)
    count, words = rows * columns, workload.seq_len or TOKENS
    x = b.input("hidden_states", (batch, count, c.in_channels))
    text = b.input("encoder_hidden_states", (batch, words, c.joint_attention_dim))
    x = linear(b, "x_embedder", x, c.width)
    steps = b.apply("scale", b.input("timestep", (batch,)), name="timestep_scaled")
    told = approximated(c, b, steps)
    text = linear(b, "context_embedder", text, c.width)
    places = b.input("txt_ids", (words, 3)), b.input("img_ids", (count, 3))
    turns = tables(b, "pos_embed", b.apply("concat", *places, name="ids", dim=0), c.axes_dims_rope)
    text, x = stacked(
        b, "transformer_blocks", c.num_layers, partial(block, c, workload), text, x, constants=(told, *turns)
    )
    x = b.apply("concat", text, x, name="stream", dim=1)
    x = stacked(b, "single_transformer_blocks", c.num_single_layers, partial(single, c), x, constants=(told, *turns))
    x = b.apply("slice", x, name="of_picture", dim=1, start=words, length=count)
    last = b.apply("slice", told, name="last_rows", dim=1, start=rows_of(c) - OF_LAST, length=OF_LAST)
    shift, scale = parts_of(b, "norm_out", last, OF_LAST)
    x = modulated(b, "norm_out.modulated", normed(b, "norm_out.norm", x), scale, shift)
    return linear(b, "proj_out", x, c.channels)


def rows_of(c: ChromaConfig) -> int:
    """Returns how many shifts, scales and gates the network makes."""
    return OF_SINGLE * c.num_single_layers + OF_DOUBLE * c.num_layers + OF_LAST


def approximated(c: ChromaConfig, b: Builder, steps: Value) -> Value:
    """Returns the shifts, scales and gates of all layers (batch, rows, width): the network's, of a time, a guidance of
    zero and each row's number."""
    batch, rows = steps.spec.shape[0], rows_of(c)
    each = exact_div(c.approximator_num_channels, 4, "approximator_num_channels / 4")
    with b.scope("time_text_embed"):
        time = sinusoids(b, "time_proj", steps, each)
        nothing = b.apply("constant", name="no_guidance", shape=(batch,), dtype="int64")
        guidance = sinusoids(b, "guidance_proj", nothing, each)
        numbers = b.apply("constant", name="mod_proj", shape=(rows, 2 * each), dtype="float32")
        if b.dtype != "float32":
            numbers = b.apply("cast", numbers, name="mod_proj_as_computed", dtype=b.dtype)
        numbers = b.apply("reshape", numbers, name="mod_proj_one", shape=(1, rows, 2 * each))
        numbers = b.apply("repeat", numbers, name="numbers", times=(batch, 1, 1))
        both = b.apply("concat", time, guidance, name="time_and_guidance", dim=1)
        both = b.apply("reshape", both, name="as_row", shape=(batch, 1, 2 * each))
        both = b.apply("repeat", both, name="for_rows", times=(1, rows, 1))
        x = b.apply("concat", both, numbers, name="input_vec", dim=-1)
    with b.scope("distilled_guidance_layer"):
        x = linear(b, "in_proj", x, c.approximator_hidden_dim)
        for index in range(c.approximator_layers):
            y = rms_norm(b, f"norms.{index}", x)
            y = text_projection(b, f"layers.{index}", y, c.approximator_hidden_dim, "silu")
            x = b.apply("add", x, y, name=f"residual_{index}")
        return linear(b, "out_proj", x, c.width)


def parts_of(b: Builder, name: str, x: Value, count: int) -> list[Value]:
    """Returns rows (batch, count, width) as `count` views (batch, 1, width)."""
    batch, _, width = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}.flat", shape=(batch, count * width))
    parts = b.apply("split", x, name=f"{name}.parts", parts=count, dim=1)
    return [b.apply("reshape", part, name=f"{name}.part_{i}", shape=(batch, 1, width)) for i, part in enumerate(parts)]


def block(
    c: ChromaConfig, workload: Workload, b: Builder, text: Value, x: Value, told: Value, cos: Value, sin: Value
) -> Any:
    """Applies ChromaTransformerBlock. Each layer reads rows of its own; a layer that stands for several shows the
    first's."""
    first = OF_SINGLE * c.num_single_layers
    half = OF_DOUBLE // 2
    own, other = (
        b.apply("slice", told, name=f"rows_of_{label}", dim=1, start=start, length=half)
        for label, start in (("picture", first), ("text", first + half * c.num_layers))
    )
    both = b.apply("concat", own, other, name="rows", dim=1)
    own, other = (
        b.apply("slice", both, name=f"of_{label}", dim=1, start=start, length=half)
        for label, start in (("picture", 0), ("text", half))
    )
    parts, parts_of_text = parts_of(b, "norm1", own, half), parts_of(b, "norm1_context", other, half)
    return mixed(c, workload, b, text, x, parts, parts_of_text, cos, sin)


def single(c: ChromaConfig, b: Builder, x: Value, told: Value, cos: Value, sin: Value) -> Value:
    """Applies ChromaSingleTransformerBlock to the text's and the picture's tokens as one stream."""
    rows = b.apply("slice", told, name="rows", dim=1, start=0, length=OF_SINGLE)
    return single_mixed(c, b, x, parts_of(b, "norm", rows, OF_SINGLE), cos, sin)


ARCHITECTURE = Architecture(
    "chroma",
    ChromaConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": latents.image_size},
    attention=("fused",),
    dtype="bfloat16",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("ChromaTransformer2DModel",),
    stated=latents.stated,
    doc="Chroma: FLUX with one network for all shifts and scales. image_size is the picture's, in pixels.",
)
