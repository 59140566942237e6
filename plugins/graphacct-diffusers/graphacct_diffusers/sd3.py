"""SD3Transformer2DModel: a picture's patches and a text in joint attention (Esser et al., 2024, arXiv:2403.03206)."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from graphacct_architectures.layers import linear, rms_norm

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.joint import after, joint_attention
from graphacct_diffusers.layers import as_map, grid_of, modulated
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, patched, shifts, time_and_text

TOKENS = 333
"""77 tokens of CLIP's and 256 of T5's, which the pipeline joins."""


def layer_numbers() -> Any:
    """Returns a list of the numbers of layers."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        parts = value if isinstance(value, (list, tuple)) else [value]
        if not all(type(part) is int and part >= 0 for part in parts):
            raise ConfigError(f"{field.name} are numbers of layers, not {brief(value)}")
        return tuple(parts)

    return fields.checked_field(check, ())


@frozen(kw_only=True)
class SD3Config:
    """The keys that the cost of Stable Diffusion 3's transformer depends on."""

    sample_size: Any = latents.sample_size(128)
    vae_scale_factor: Dim | None = fields.optional_size()
    patch_size: Dim = fields.size(2)
    in_channels: Dim = fields.size(16)
    num_layers: int = fields.size(18)
    attention_head_dim: Dim = fields.size(64)
    num_attention_heads: Dim = fields.size(18)
    joint_attention_dim: Dim = fields.size(4096)
    caption_projection_dim: Dim = fields.size(1152)
    pooled_projection_dim: Dim = fields.size(2048)
    out_channels: Dim | None = fields.optional_size(16)
    pos_embed_max_size: Dim = fields.size(96)
    dual_attention_layers: tuple[int, ...] = layer_numbers()
    qk_norm: str | None = keys.optional_choice(None, ("rms_norm", "layer_norm"))

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


def build(c: SD3Config, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents to the velocity of the flow there."""
    batch, sides = workload.batch, latents.latents(c, workload)
    grid = grid_of(sides, c.patch_size)
    x = b.input("hidden_states", (batch, c.in_channels, *sides))
    text = b.input("encoder_hidden_states", (batch, workload.seq_len or TOKENS, c.joint_attention_dim))
    pooled = b.input("pooled_projections", (batch, c.pooled_projection_dim))
    steps = b.input("timestep", (batch,), "int64")
    x = patched(b, x, c.width, c.patch_size, grid, c.pos_embed_max_size)
    x = b.apply("contiguous", x, name="tokens")
    time = time_and_text(b, "time_text_embed", steps, pooled, c.width, None)
    text = linear(b, "context_embedder", text, c.width)
    x, text = layers(c, workload, b, x, text, time)
    last = c.num_layers - 1
    with b.scope(f"transformer_blocks.{last}"):
        x, _ = block(c, workload, last in c.dual_attention_layers, True, b, x, text, time)
    scale, shift = shifts(b, "norm_out", time, 2)
    x = modulated(b, "norm_out.modulated", normed(b, "norm_out.norm", x), scale, shift)
    channels = c.in_channels if c.out_channels is None else c.out_channels
    x = linear(b, "proj_out", x, c.patch_size * c.patch_size * channels)
    return as_map(b, "sample", x, grid, c.patch_size, channels)


def layers(c: SD3Config, workload: Workload, b: Builder, x: Value, text: Value, time: Value) -> Any:
    """Applies all blocks but the last: those with a second attention and those without, each run of them folded."""
    start, last = 0, c.num_layers - 1
    while start < last:
        dual = start in c.dual_attention_layers
        end = start + 1
        while end < last and (end in c.dual_attention_layers) == dual:
            end += 1
        body = partial(block, c, workload, dual, False)
        x, text = b.repeat("transformer_blocks", end - start, body, x, text, constants=(time,), start=start)
        start = end
    return x, text


def block(
    c: SD3Config, workload: Workload, dual: bool, last: bool, b: Builder, x: Value, text: Value, time: Value
) -> Any:
    """Applies JointTransformerBlock. The last one leaves the text as it is."""
    parts = shifts(b, "norm1", time, 9 if dual else 6)
    y = normed(b, "norm1.norm", x)
    y1 = modulated(b, "norm1.modulated", y, parts[1], parts[0])
    y2 = modulated(b, "norm1.modulated_2", y, parts[7], parts[6]) if dual else None
    told = shifts(b, "norm1_context", time, 2 if last else 6)
    scale, shift = (told[0], told[1]) if last else (told[1], told[0])
    t = modulated(b, "norm1_context.modulated", normed(b, "norm1_context.norm", text), scale, shift)
    norm = None if c.qk_norm is None else partial(head_norm, c.qk_norm)
    heads = c.num_attention_heads
    y, answer = joint_attention(b, "attn", y1, t, heads, workload, norm=norm, text_out=not last)
    extra = None
    if y2 is not None:
        own, _ = joint_attention(b, "attn2", y2, None, heads, workload, norm=norm)
        extra = b.apply("mul", parts[8], own, name="attn2_gated")
    x = after(b, "", x, y, parts[2:6], workload, extra=extra)
    if answer is None:
        return x, text
    return x, after(b, "_context", text, answer, told[2:6], workload)


def head_norm(kind: str, b: Builder, name: str, x: Value) -> Value:
    """Applies the norm of queries or keys to each head."""
    if kind == "layer_norm":
        given = [b.parameter(f"{name}.{part}", x.spec.shape[-1:]) for part in ("weight", "bias")]
        return b.apply("layer_norm", x, *given, name=name)
    return rms_norm(b, name, x, upcast="statistics")


ARCHITECTURE = Architecture(
    "sd3",
    SD3Config,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": latents.image_size},
    attention=("fused",),
    dtype="float16",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("SD3Transformer2DModel",),
    stated=latents.stated,
    doc="Stable Diffusion 3's transformer: a picture and a text in joint attention. image_size is in pixels.",
)
