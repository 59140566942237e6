"""SanaTransformer2DModel: tokens of a strongly compressed picture with linear attention, and convolutions between them
(Xie et al., 2024, arXiv:2410.10629)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import dropped, layer_norm, linear, rms_norm

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import attention
from graphacct_diffusers.layers import as_map, conv, gated_sum, grid_of, modulated, text_projection
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, patched, time_told, unplaced
from graphacct_diffusers.pixart import table
from graphacct_diffusers.stack import stacked

TOKENS = 300
"""Tokens of Gemma's texts."""
PIXELS = 32
"""Pixels of a side for each latent of the deep compression autoencoder."""
ACROSS = "rms_norm_across_heads"


@frozen(kw_only=True)
class SanaConfig:
    """The keys that the cost of Sana depends on."""

    sample_size: Any = latents.sample_size(32)
    vae_scale_factor: Dim | None = fields.optional_size(PIXELS)
    patch_size: Dim = fields.size(1)
    in_channels: Dim = fields.size(32)
    out_channels: Dim | None = fields.optional_size(32)
    num_layers: Dim = fields.size(20, minimum=0)
    attention_head_dim: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(70)
    num_cross_attention_heads: Dim = fields.size(20)
    cross_attention_head_dim: Dim = fields.size(112)
    cross_attention_dim: Dim = fields.size(2240)
    caption_channels: Dim = fields.size(2304)
    mlp_ratio: float = keys.ratio(2.5)
    dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(False)
    norm_elementwise_affine: bool = fields.flag(False)
    interpolation_scale: float | None = keys.ratio(None)
    guidance_embeds: bool = fields.flag(False)
    qk_norm: str | None = keys.optional_choice(None, (ACROSS,))

    def __attrs_post_init__(self) -> None:
        if self.cross_attention_dim != self.width:
            raise ConfigError(
                f"cross_attention_dim {self.cross_attention_dim} is not the width {self.width} that captions are "
                "projected to"
            )

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim


def build(c: SanaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents to the velocity of the flow there."""
    batch, sides = workload.batch, latents.latents(c, workload)
    grid = grid_of(sides, c.patch_size)
    x = b.input("hidden_states", (batch, c.in_channels, *sides))
    text = b.input("encoder_hidden_states", (batch, workload.seq_len or TOKENS, c.caption_channels))
    if c.interpolation_scale is None:
        x = unplaced(b, "patch_embed", x, c.width, c.patch_size)
    else:
        own = grid_of(latents.sides(c), c.patch_size)
        x = patched(b, x, c.width, c.patch_size, grid, sides=own, name="patch_embed")
    embedded = told(c, b, batch)
    time = linear(b, "time_embed.linear", b.apply("silu", embedded, name="time_embed.silu"), 6 * c.width)
    text = text_projection(b, "caption_projection", text, c.width)
    text = rms_norm(b, "caption_norm", text, upcast="statistics")
    x = stacked(b, "transformer_blocks", c.num_layers, partial(block, c, workload, grid), x, constants=(time, text))
    x = normed(b, "norm_out.norm", x)
    shift, scale = table(b, "", b.apply("reshape", embedded, name="last_time", shape=(batch, 1, c.width)), 2)
    x = modulated(b, "norm_out.modulated", x, scale, shift)
    channels = c.in_channels if c.out_channels is None else c.out_channels
    x = linear(b, "proj_out", x, c.patch_size * c.patch_size * channels)
    return as_map(b, "sample", x, grid, c.patch_size, channels)


def told(c: SanaConfig, b: Builder, batch: Dim) -> Value:
    """Returns the embedding of a time, and of a strength of guidance if the model is told one."""
    steps = b.input("timestep", (batch,))
    if not c.guidance_embeds:
        return time_told(b, "time_embed.emb", steps, c.width)
    time = time_told(b, "time_embed", steps, c.width)
    guidance = time_told(b, "time_embed", b.input("guidance", (batch,)), c.width, part="guidance_embedder")
    return b.apply("add", time, guidance, name="time_embed.sum")


def block(
    c: SanaConfig, workload: Workload, grid: tuple[Dim, ...], b: Builder, x: Value, time: Value, text: Value
) -> Value:
    """Applies SanaTransformerBlock."""
    batch, count, width = x.spec.shape
    time = b.apply("reshape", time, name="time", shape=(batch, 6, width))
    shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = table(b, "", time, 6)
    y = modulated(b, "norm1_modulated", normed(b, "norm1", x), scale, shift)
    x = gated_sum(b, "attn1_residual", x, gate, linear_attention(c, b, "attn1", y, workload))
    heads, each = c.num_cross_attention_heads, c.cross_attention_head_dim
    norm = across if c.qk_norm else None
    y = attention(b, "attn2", x, text, heads, each, workload, bias=True, dropout=c.dropout, norm=norm)
    x = b.apply("add", y, x, name="attn2_residual")
    y = layer_norm(b, "norm2", x) if c.norm_elementwise_affine else normed(b, "norm2", x)
    y = modulated(b, "norm2_modulated", y, scale_mlp, shift_mlp)
    y = b.apply("reshape", y, name="grid", shape=(batch, *grid, width))
    y = gated_conv(b, "ff", b.apply("permute", y, name="map", dims=(0, 3, 1, 2)), c.mlp_ratio)
    y = b.apply("reshape", y, name="map_flat", shape=(batch, width, count))
    return gated_sum(b, "ff_residual", x, gate_mlp, b.apply("permute", y, name="tokens", dims=(0, 2, 1)))


def across(b: Builder, name: str, x: Value) -> Value:
    """Applies diffusers' RMSNorm over all heads."""
    return rms_norm(b, name, x, upcast="statistics")


def linear_attention(c: SanaConfig, b: Builder, name: str, x: Value, workload: Workload) -> Value:
    """Applies Attention with SanaLinearAttnProcessor2_0: products of keys and values first, in float32. The weights'
    sums are one more row of the values."""
    batch, count, width = x.spec.shape
    heads, each = c.num_attention_heads, c.attention_head_dim
    with b.scope(name):
        parts = [linear(b, part, x, width, bias=c.attention_bias) for part in ("to_q", "to_k", "to_v")]
        if c.qk_norm:
            parts[:2] = [across(b, f"norm_{label}", y) for label, y in zip("qk", parts, strict=False)]
        parts = [
            b.apply("transpose", y, name=f"{label}_rows", dims=(1, 2)) for label, y in zip("qkv", parts, strict=True)
        ]
        q, k, v = (
            b.apply("reshape", y, name=f"{label}_heads", shape=(batch, heads, each, count))
            for label, y in zip("qkv", parts, strict=True)
        )
        k = b.apply("transpose", k, name="k_columns", dims=(2, 3))
        q, k = (b.apply("relu", y, name=f"{label}_positive") for label, y in (("q", q), ("k", k)))
        if b.dtype != "float32":
            q, k, v = (
                b.apply("cast", y, name=f"{label}_wide", dtype="float32") for label, y in (("q", q), ("k", k), ("v", v))
            )
        y = quotient(b, q, k, v, each)
        y = b.apply("reshape", y, name="merged", shape=(batch, width, count))
        y = b.apply("transpose", y, name="tokens", dims=(1, 2))
        if b.dtype != "float32":
            y = b.apply("cast", y, name="as_computed", dtype=b.dtype)
        y = dropped(b, "to_out.1", linear(b, "to_out.0", y, width), c.dropout, workload)
        return b.apply("clamp", y, name="clipped") if b.dtype == "float16" else y


def quotient(b: Builder, q: Value, k: Value, v: Value, each: Dim) -> Value:
    """Returns linear attention's output (batch, heads, each, n), of queries and values (batch, heads, each, n) and keys
    (batch, heads, n, each)."""
    v = b.apply("pad", v, name="v_and_ones", padding=((0, 0), (0, 0), (0, 1), (0, 0)))
    y = b.apply("matmul", b.apply("matmul", v, k, name="scores"), q, name="products")
    if y.spec.dtype != "float32":
        y = b.apply("cast", y, name="products_wide", dtype="float32")
    top = b.apply("slice", y, name="values", dim=2, start=0, length=each)
    sums = b.apply("slice", y, name="sums", dim=2, start=each, length=1)
    found: Value = b.apply("div", top, b.apply("shift", sums, name="sums_above_0"), name="quotient")
    return found


def gated_conv(b: Builder, name: str, x: Value, ratio: float) -> Value:
    """Applies GLUMBConv without its norm: a wider map, a convolution of each channel, half of it as a gate."""
    channels = x.spec.shape[1]
    hidden = int(ratio * channels)
    with b.scope(name):
        y = b.apply("silu", conv(b, "conv_inverted", x, 2 * hidden, 1), name="act")
        y = conv(b, "conv_depth", y, 2 * hidden, groups=2 * hidden)
        y, gate = b.apply("split", y, name="halves", parts=2, dim=1)
        y = b.apply("mul", y, b.apply("silu", gate, name="gate"), name="gated")
        return conv(b, "conv_point", y, channels, 1, bias=False)


ARCHITECTURE = Architecture(
    "sana",
    SanaConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": latents.image_size},
    attention=("fused",),
    dtype="bfloat16",
    no_cost={**keys.NO_COST, "guidance_embeds_scale": None, "timestep_scale": None},
    losses=LOSSES,
    model_types=("SanaTransformer2DModel",),
    stated=latents.stated,
    doc="Sana: linear attention over a picture's latents, told a text. image_size is the picture's, in pixels.",
)
