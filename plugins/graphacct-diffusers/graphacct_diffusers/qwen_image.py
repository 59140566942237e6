"""QwenImageTransformer2DModel: a picture's tokens and a text's in joint attention (Wu et al., 2025, arXiv:2508.02324).

Positions turn pairs of channels as complex numbers. The picture's tokens are squares of 2 by 2 latents, which the
pipeline packs: the model is given tokens.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_diffusers import keys, latents, streams
from graphacct_diffusers.layers import feed_forward, gated_sum, modulated
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, shifts, time_told
from graphacct_diffusers.sd3 import head_norm

TOKENS = 512
"""The most tokens of a text, as the pipeline cuts them."""
MLP = "gelu-approximate"


@frozen(kw_only=True)
class QwenImageConfig(streams.StreamsConfig):
    """The keys that the cost of Qwen-Image depends on."""

    patch_size: Dim = fields.size(2)
    out_channels: Dim | None = fields.optional_size(16)
    num_layers: Dim = fields.size(60, minimum=0)
    joint_attention_dim: Dim = fields.size(3584)
    zero_cond_t: bool = fields.always(False)
    use_additional_t_cond: bool = fields.always(False)
    use_layer3d_rope: bool = fields.always(False)


def build(c: QwenImageConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy tokens to the velocity of the flow there."""
    batch = workload.batch
    grid = streams.grid(c, workload)
    count, words = grid[0] * grid[1], workload.seq_len or TOKENS
    x = b.input("hidden_states", (batch, count, c.in_channels))
    text = b.input("encoder_hidden_states", (batch, words, c.joint_attention_dim))
    steps = b.input("timestep", (batch,))
    x = linear(b, "img_in", x, c.width)
    text = linear(b, "txt_in", head_norm("rms_norm", b, "txt_norm", text), c.width)
    time = time_told(b, "time_text_embed", steps, c.width)
    turns = angles(c, b, grid, words)
    body = partial(block, c, workload)
    text, x = b.repeat("transformer_blocks", c.num_layers, body, text, x, constants=(time, *turns))
    scale, shift = shifts(b, "norm_out", time, 2)
    x = modulated(b, "norm_out.modulated", normed(b, "norm_out.norm", x), scale, shift)
    return linear(b, "proj_out", x, c.channels)


def angles(c: QwenImageConfig, b: Builder, grid: tuple[Dim, ...], words: Dim) -> tuple[Value, Value]:
    """Returns the complex numbers (n, half a head) by which the picture's and the text's channels are turned."""
    frame, *sides = (exact_div(width, 2, "axes_dims_rope / 2") for width in c.axes_dims_rope)
    half = frame + sides[0] + sides[1]

    def table(name: str, rows: Dim, width: Dim) -> Value:
        found: Value = b.apply("constant", name=name, shape=(rows, width), dtype="complex64")
        return found

    with b.scope("pos_embed"):
        parts = [b.apply("reshape", table("frames", 1, frame), name="frame", shape=(1, 1, 1, frame))]
        for axis, (size, width) in enumerate(zip(grid, sides, strict=True)):
            rest = size - size // 2
            both = table(f"before_{axis}", rest, width), table(f"after_{axis}", size // 2, width)
            shape = [1, 1, 1, width]
            shape[axis + 1] = size
            x = b.apply("concat", *both, name=f"axis_{axis}", dim=0)
            parts.append(b.apply("reshape", x, name=f"row_{axis}", shape=tuple(shape)))
        wide = [
            b.apply("expand", part, name=f"part_{place}", shape=(1, *grid, part.spec.shape[-1]))
            for place, part in enumerate(parts)
        ]
        x = b.apply("concat", *wide, name="all", dim=-1)
        x = b.apply("reshape", x, name="rows", shape=(grid[0] * grid[1], half))
        x = b.apply("clone", x, name="kept")
        x = b.apply("concat", x, name="of_pictures", dim=0)
        shapes = ((x, grid[0] * grid[1], "picture"), (table("text", words, half), words, "text"))
        picture, text = (b.apply("reshape", y, name=f"of_{name}", shape=(n, 1, half)) for y, n, name in shapes)
        return picture, text


def block(
    c: QwenImageConfig, workload: Workload, b: Builder, text: Value, x: Value, time: Value, seen: Value, told: Value
) -> Any:
    """Applies QwenImageTransformerBlock: both streams ask both, and each has its own network."""
    own, other = modulation(b, "img_mod", time), modulation(b, "txt_mod", time)
    y = modulated(b, "img_norm1_modulated", normed(b, "img_norm1", x), own[1], own[0])
    t = modulated(b, "txt_norm1_modulated", normed(b, "txt_norm1", text), other[1], other[0])
    with b.scope("attn"):
        norm = partial(head_norm, "rms_norm")
        parts = streams.heads_of(c, b, y, streams.OWN, norm)
        texts = streams.heads_of(c, b, t, streams.TEXT, norm)
        for place, label in enumerate("qk"):
            parts[place] = turned(b, f"{label}_turned", parts[place], seen)
        for place, label in enumerate("qk"):
            texts[place] = turned(b, f"text_{label}_turned", texts[place], told)
        z = streams.attended(b, streams.together(b, texts, parts))
        z, answer = streams.parted(b, z, text.spec.shape[1], c.width)
    x = gated_sum(b, "img_attn_residual", x, own[2], z)
    text = gated_sum(b, "txt_attn_residual", text, other[2], answer)
    x, text = (after(b, kind, stream, mods, workload) for kind, stream, mods in (("img", x, own), ("txt", text, other)))
    return streams.clipped(b, "text_clipped", text), streams.clipped(b, "picture_clipped", x)


def after(b: Builder, kind: str, x: Value, parts: list[Value], workload: Workload) -> Value:
    """Applies the network of a stream, between its shift, scale and gate."""
    y = modulated(b, f"{kind}_norm2_modulated", normed(b, f"{kind}_norm2", x), parts[4], parts[3])
    return gated_sum(b, f"{kind}_mlp_residual", x, parts[5], feed_forward(b, f"{kind}_mlp", y, MLP, workload))


def modulation(b: Builder, name: str, time: Value) -> list[Value]:
    """Returns a shift, a scale and a gate (batch, 1, width) for attention, and three for the network."""
    batch, width = time.spec.shape
    with b.scope(name):
        x = linear(b, "1", b.apply("silu", time, name="0"), 6 * width)
    found: list[Value] = []
    for half, both in enumerate(b.apply("split", x, name=f"{name}_halves", parts=2, dim=-1)):
        parts = b.apply("split", both, name=f"{name}_parts_{half}", parts=3, dim=-1)
        found += [
            b.apply("reshape", part, name=f"{name}_{half}_{place}", shape=(batch, 1, width))
            for place, part in enumerate(parts)
        ]
    return found


def turned(b: Builder, name: str, x: Value, angles: Value) -> Value:
    """Returns x (batch, n, heads, width), each pair of its channels multiplied by a complex number, in float32."""
    batch, count, heads, width = x.spec.shape
    with b.scope(name):
        wide = b.apply("cast", x, name="wide", dtype="float32")
        pairs = b.apply("reshape", wide, name="pairs", shape=(batch, count, heads, exact_div(width, 2), 2))
        z = b.apply("mul", b.apply("view_as_complex", pairs, name="complex"), angles, name="product")
        z = b.apply("view_as_real", z, name="real")
        z = b.apply("reshape", z, name="flat", shape=(batch, count, heads, width))
        return b.apply("cast", z, name="as_computed", dtype=x.spec.dtype)


ARCHITECTURE = Architecture(
    "qwen-image",
    QwenImageConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": latents.image_size},
    attention=("fused",),
    dtype="bfloat16",
    no_cost={**keys.NO_COST, "guidance_embeds": None},
    losses=LOSSES,
    model_types=("QwenImageTransformer2DModel",),
    stated=latents.stated,
    doc="Qwen-Image: a picture's tokens of 2 by 2 latents and a text. image_size is the picture's, in pixels.",
)
