"""HunyuanVideoTransformer3DModel: patches of a video and a refined text in joint attention, then in one stream (Kong et
al., 2024, arXiv:2412.03603)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import linear

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_diffusers import keys, latents, streams
from graphacct_diffusers.joint import after
from graphacct_diffusers.layers import conv, gated_sum, modulated, tokens
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, shifts, time_and_text
from graphacct_diffusers.rotation import rotated
from graphacct_diffusers.sd3 import head_norm
from graphacct_diffusers.stack import stacked
from graphacct_diffusers.text_refiner import refined

TOKENS = 256
"""Tokens of the text, as the pipeline cuts them."""
SIZE, FRAMES = (720, 1280), 129
"""The picture and the frames of the pipeline's defaults."""
CONCATENATED = "latent_concat"
"""An image that is among the latents' channels, so that the model is the same."""


@frozen(kw_only=True)
class HunyuanVideoConfig:
    """The keys that the cost of HunyuanVideo depends on."""

    in_channels: Dim = fields.size(16)
    out_channels: Dim | None = fields.optional_size(16)
    num_attention_heads: Dim = fields.size(24)
    attention_head_dim: Dim = fields.size(128)
    num_layers: Dim = fields.size(20, minimum=0)
    num_single_layers: Dim = fields.size(40, minimum=0)
    num_refiner_layers: Dim = fields.size(2, minimum=0)
    mlp_ratio: float = keys.ratio(4.0)
    patch_size: Dim = fields.size(2)
    patch_size_t: Dim = fields.size(1)
    qk_norm: str = keys.only("rms_norm")
    guidance_embeds: bool = fields.flag(True)
    text_embed_dim: Dim = fields.size(4096)
    pooled_projection_dim: Dim = fields.size(768)
    rope_axes_dim: tuple[Dim, ...] = fields.counts((16, 56, 56), 3)
    image_condition_type: str | None = keys.only(None, CONCATENATED)
    vae_scale_factor: Dim = fields.size(8)
    vae_temporal_factor: Dim = fields.size(4)

    def __attrs_post_init__(self) -> None:
        turned = sum(self.rope_axes_dim)
        if has_value(turned) and has_value(self.attention_head_dim) and turned != self.attention_head_dim:
            raise ConfigError(f"rope_axes_dim add up to {turned}, and attention_head_dim is {self.attention_head_dim}")

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def inner(self) -> Dim:
        """Channels inside a block's network."""
        return int(self.width * self.mlp_ratio) if has_value(self.width) else self.width * int(self.mlp_ratio)

    @property
    def pixels(self) -> Dim:
        """Pixels of a side for each latent."""
        return self.vae_scale_factor


def build(c: HunyuanVideoConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents of a video to the velocity of the flow there."""
    batch, words = workload.batch, workload.seq_len or TOKENS
    space, patches = latents.video(c, workload), (c.patch_size_t, c.patch_size, c.patch_size)
    for side, patch in zip(space, patches, strict=True):
        if has_value(side) and has_value(patch) and side % patch:
            raise ConfigError(f"the video has {side} latents along an axis, which a patch of {patch} does not divide")
    grid = tuple(exact_div(side, patch, "latents / patch_size") for side, patch in zip(space, patches, strict=True))
    count = grid[0] * grid[1] * grid[2]
    x = b.input("hidden_states", (batch, c.in_channels, *space))
    steps = b.input("timestep", (batch,), "int64")
    text = b.input("encoder_hidden_states", (batch, words, c.text_embed_dim))
    mask = b.input("encoder_attention_mask", (batch, words), "int64")
    pooled = b.input("pooled_projections", (batch, c.pooled_projection_dim))
    guidance = b.input("guidance", (batch,)) if c.guidance_embeds else None
    turns = tables(c, b, "rope", count)
    time = time_and_text(b, "time_text_embed", steps, pooled, c.width, guidance)
    x = conv(b, "x_embedder.proj", x, c.width, patches, stride=patches, padding=0)
    x = tokens(b, "x_embedder.tokens", x)
    text = refined(c, b, "context_embedder", text, steps, mask, workload)
    seen = mask_of(b, mask, count)
    given = (time, seen, *turns)
    x, text = stacked(b, "transformer_blocks", c.num_layers, partial(block, c, workload), x, text, constants=given)
    apart = not (has_value(batch) and batch == 1)
    body = partial(single, c)
    x, text = stacked(b, "single_transformer_blocks", c.num_single_layers, body, x, text, constants=given, apart=apart)
    scale, shift = shifts(b, "norm_out", time, 2)
    x = modulated(b, "norm_out.modulated", normed(b, "norm_out.norm", x), scale, shift)
    channels = c.in_channels if c.out_channels is None else c.out_channels
    x = linear(b, "proj_out", x, channels * c.patch_size_t * c.patch_size * c.patch_size)
    x = b.apply("reshape", x, name="patches_out", shape=(batch, *grid, channels, *patches))
    x = b.apply("permute", x, name="permuted", dims=(0, 4, 1, 5, 2, 6, 3, 7))
    return b.apply("reshape", x, name="sample", shape=(batch, channels, *space))


def tables(c: HunyuanVideoConfig, b: Builder, name: str, count: Dim) -> tuple[Value, Value]:
    """Returns the cosines and sines (n, width of a head), float32, of the places of a video's tokens on three axes."""
    found: dict[str, list[Value]] = {"cos": [], "sin": []}
    with b.scope(name):
        for axis, width in enumerate(c.rope_axes_dim):
            half = exact_div(width, 2, "rope_axes_dim / 2")
            places = b.apply("full", name=f"places_{axis}", shape=(count, 1))
            rates = b.apply("full", name=f"rates_{axis}", shape=(1, half))
            angles = b.apply("mul", places, rates, name=f"angles_{axis}")
            for kind, parts in found.items():
                y = b.apply(
                    "reshape",
                    b.apply(kind, angles, name=f"{kind}_{axis}"),
                    name=f"{kind}_{axis}_column",
                    shape=(count, half, 1),
                )
                y = b.apply(
                    "clone",
                    b.apply("expand", y, name=f"{kind}_{axis}_two", shape=(count, half, 2)),
                    name=f"{kind}_{axis}_twice",
                )
                parts.append(b.apply("reshape", y, name=f"{kind}_{axis}_row", shape=(count, width)))
        cos, sin = (b.apply("concat", *parts, name=kind, dim=1) for kind, parts in found.items())
        return cos, sin


def mask_of(b: Builder, mask: Value, count: Dim) -> Value:
    """Returns which tokens are seen (batch, 1, 1, n): all of the video's, and as many of the text's as it has."""
    batch, words = mask.spec.shape
    total = count + words
    every = b.apply("full", name="all_seen", shape=(batch, total), dtype="bool")
    lengths = b.apply("shift", b.apply("sum", mask, name="words", dim=(1,)), name="seen")
    places = b.apply("reshape", b.apply("arange", name="token_numbers", n=total), name="token_row", shape=(1, total))
    beyond = b.apply("ge", places, b.apply("reshape", lengths, name="seen_column", shape=(batch, 1)), name="beyond")
    x = b.apply("masked_fill", every, beyond, name="attention_mask")
    found: Value = b.apply("reshape", x, name="mask_of_heads", shape=(batch, 1, 1, total))
    return found


def block(
    c: HunyuanVideoConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    text: Value,
    time: Value,
    seen: Value,
    cos: Value,
    sin: Value,
) -> Any:
    """Applies HunyuanVideoTransformerBlock: both streams ask both, and each has its own network."""
    own, other = shifts(b, "norm1", time, 6), shifts(b, "norm1_context", time, 6)
    y = modulated(b, "norm1.modulated", normed(b, "norm1.norm", x), own[1], own[0])
    t = modulated(b, "norm1_context.modulated", normed(b, "norm1_context.norm", text), other[1], other[0])
    count, words = x.spec.shape[1], text.spec.shape[1]
    with b.scope("attn"):
        norm = partial(head_norm, "rms_norm")
        q, k, v = streams.heads_of(c, b, y, streams.OWN, norm)
        parts = [rotated(b, "q_turned", q, cos, sin), rotated(b, "k_turned", k, cos, sin), v]
        told = streams.heads_of(c, b, t, streams.TEXT, norm)
        z = streams.attended(b, streams.together(b, parts, told), added(b, seen))
        y = b.apply("slice", z, name="of_video", dim=1, start=0, length=count)
        t = b.apply("slice", z, name="of_text", dim=1, start=count, length=words)
        y = linear(b, "to_out.0", b.apply("contiguous", y, name="video_in_order"), c.width)
        t = linear(b, "to_add_out", b.apply("contiguous", t, name="text_in_order"), c.width)
    x = after(b, "", x, y, own[2:6], workload, inner=c.inner)
    return x, after(b, "_context", text, t, other[2:6], workload, inner=c.inner)


def added(b: Builder, seen: Value) -> Value:
    """Returns what attention adds to the scores of tokens that are seen, and of those that are not."""
    found: Value = b.apply("cast", seen, name="added_mask", dtype=b.dtype)
    return found


def single(
    c: HunyuanVideoConfig, b: Builder, x: Value, text: Value, time: Value, seen: Value, cos: Value, sin: Value
) -> Any:
    """Applies HunyuanVideoSingleTransformerBlock to the video's and the text's tokens as one stream."""
    count, words = x.spec.shape[1], text.spec.shape[1]

    def parted(name: str, y: Value) -> tuple[Value, Value]:
        own = b.apply("slice", y, name=f"{name}_of_video", dim=1, start=0, length=count)
        return own, b.apply("slice", y, name=f"{name}_of_text", dim=1, start=count, length=words)

    x = b.apply("concat", x, text, name="stream", dim=1)
    shift, scale, gate = shifts(b, "norm", time, 3)
    y = modulated(b, "norm.modulated", normed(b, "norm.norm", x), scale, shift)
    mlp = b.apply("gelu_tanh", linear(b, "proj_mlp", y, c.inner), name="act_mlp")
    y = b.apply("concat", *parted("normed", y), name="normed_stream", dim=1)
    with b.scope("attn"):
        q, k, v = streams.heads_of(c, b, y, streams.OWN, partial(head_norm, "rms_norm"))
        turned = []
        for label, z in (("q", q), ("k", k)):
            own, told = parted(label, z)
            turned.append(
                b.apply("concat", rotated(b, f"{label}_turned", own, cos, sin), told, name=f"{label}_all", dim=1)
            )
        y = streams.attended(b, [*turned, v], added(b, seen))
    y = b.apply("concat", *parted("attended", y), name="attended_stream", dim=1)
    y = linear(b, "proj_out", b.apply("concat", y, mlp, name="attended_and_mlp", dim=2), c.width)
    return parted("stream", gated_sum(b, "residual", x, gate, y, first=False))


ARCHITECTURE = Architecture(
    "hunyuan-video",
    HunyuanVideoConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": lambda config: SIZE, "frames": lambda config: FRAMES},
    attention=("fused",),
    dtype="bfloat16",
    no_cost={**keys.NO_COST, "rope_theta": None},
    losses=LOSSES,
    model_types=("HunyuanVideoTransformer3DModel",),
    stated=latents.video_stated,
    doc="HunyuanVideo: patches of a video, told a time and a text. image_size is in pixels, frames the video's.",
)
