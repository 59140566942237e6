"""LTXVideoTransformer3DModel: tokens of a strongly compressed video, told a time and a text (HaCohen et al., 2024,
arXiv:2501.00103)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import linear, rms_norm

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_diffusers import keys, latents, streams
from graphacct_diffusers.layers import FEED_FORWARDS, feed_forward, gated_sum, modulated, text_projection
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed, time_told
from graphacct_diffusers.stack import stacked

TOKENS = 128
"""Tokens of T5's texts."""
SIZE, FRAMES = (512, 704), 161
"""The picture and the frames of the pipeline's defaults."""
PIXELS, PIECE = 32, 8
"""Pixels of a side for each latent, and frames."""
AXES = 3


@frozen(kw_only=True)
class LTXVideoConfig:
    """The keys that the cost of LTX-Video depends on."""

    in_channels: Dim = fields.size(128)
    out_channels: Dim | None = fields.optional_size(128)
    patch_size: int = keys.only(1)
    patch_size_t: int = keys.only(1)
    num_attention_heads: Dim = fields.size(32)
    attention_head_dim: Dim = fields.size(64)
    cross_attention_dim: Dim = fields.size(2048)
    num_layers: Dim = fields.size(28, minimum=0)
    activation_fn: str = fields.choice("gelu-approximate", FEED_FORWARDS)
    qk_norm: str = keys.only("rms_norm_across_heads")
    norm_elementwise_affine: bool = fields.flag(False)
    caption_channels: Dim = fields.size(4096)
    attention_bias: bool = fields.flag(True)
    attention_out_bias: bool = fields.flag(True)
    vae_scale_factor: Dim = fields.size(PIXELS)
    vae_temporal_factor: Dim = fields.size(PIECE)

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

    @property
    def pixels(self) -> Dim:
        """Pixels of a side for each latent."""
        return self.vae_scale_factor


def build(c: LTXVideoConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy tokens of a video to the velocity of the flow there."""
    batch, words = workload.batch, workload.seq_len or TOKENS
    frames, rows, columns = latents.video(c, workload)
    count = frames * rows * columns
    x = b.input("hidden_states", (batch, count, c.in_channels))
    text = b.input("encoder_hidden_states", (batch, words, c.caption_channels))
    steps = b.input("timestep", (batch,), "int64")
    mask = added_mask(b, b.input("encoder_attention_mask", (batch, words), "int64"))
    turns = tables(b, "rope", batch, count, c.width)
    x = linear(b, "proj_in", x, c.width)
    embedded = time_told(b, "time_embed.emb", steps, c.width)
    time = linear(b, "time_embed.linear", b.apply("silu", embedded, name="time_embed.silu"), 6 * c.width)
    time = b.apply("reshape", time, name="time", shape=(batch, 1, 6, c.width))
    text = text_projection(b, "caption_projection", text, c.width)
    body = partial(block, c, workload)
    x = stacked(b, "transformer_blocks", c.num_layers, body, x, constants=(text, time, mask, *turns))
    last = b.apply("reshape", embedded, name="last_time", shape=(batch, 1, 1, c.width))
    shift, scale = shifts(b, last, 2)
    x = modulated(b, "modulated", normed(b, "norm_out", x), scale, shift)
    return linear(b, "proj_out", x, c.in_channels if c.out_channels is None else c.out_channels)


def added_mask(b: Builder, mask: Value) -> Value:
    """Returns what is added to the scores of each word (batch, 1, words): nothing, or much less than nothing."""
    batch, words = mask.spec.shape
    wide = b.apply("cast", mask, name="mask_as_computed", dtype=b.dtype)
    x = b.apply("scale", b.apply("rsub", wide, name="left_out"), name="added_mask")
    found: Value = b.apply("reshape", x, name="mask_row", shape=(batch, 1, words))
    return found


def tables(b: Builder, name: str, batch: Dim, count: Dim, width: Dim) -> tuple[Value, Value]:
    """Returns the cosines and sines (batch, n, width), float32, of the places of tokens on three axes; channels that
    the axes do not share out are not turned."""
    half = width // (2 * AXES)
    left = width - 2 * AXES * half
    with b.scope(name):
        grid = b.apply("full", name="places", shape=(batch, AXES, count))
        grid = b.apply(
            "reshape",
            b.apply("transpose", grid, name="by_token", dims=(1, 2)),
            name="column",
            shape=(batch, count, AXES, 1),
        )
        rates = b.apply("pow_of_number", b.apply("linspace", name="exponents", n=half), name="rates")
        rates = b.apply("scale", b.apply("scale", rates, name="rates_pi"), name="rates_half")
        around = b.apply("shift", b.apply("scale", grid, name="twice"), name="around_0")
        angles = b.apply("mul", rates, around, name="angles")
        angles = b.apply("transpose", angles, name="by_rate", dims=(-1, -2))
        angles = b.apply("reshape", angles, name="flat", shape=(batch, count, AXES * half))
        found = []
        for kind in ("cos", "sin"):
            x = b.apply(
                "reshape", b.apply(kind, angles, name=kind), name=f"{kind}_one", shape=(batch, count, AXES * half, 1)
            )
            x = b.apply("expand", x, name=f"{kind}_two", shape=(batch, count, AXES * half, 2))
            x = b.apply("clone", x, name=f"{kind}_twice")
            x = b.apply("reshape", x, name=f"{kind}_row", shape=(batch, count, 2 * AXES * half))
            if not equal(left, 0):
                still = b.apply("full", name=f"{kind}_still", shape=(batch, count, left))
                x = b.apply("concat", still, x, name=f"{kind}_all", dim=-1)
            found.append(x)
    return found[0], found[1]


def shifts(b: Builder, time: Value, count: int) -> list[Value]:
    """Returns the rows of `scale_shift_table` with a time (batch, 1, 1 or count, width) added: `count` views."""
    width = time.spec.shape[-1]
    own = b.apply("reshape", b.parameter("scale_shift_table", (count, width)), name="table", shape=(1, 1, count, width))
    return list(b.apply("unbind", b.apply("add", own, time, name="shifts"), name="parts", dim=2))


def block(
    c: LTXVideoConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    text: Value,
    time: Value,
    mask: Value,
    cos: Value,
    sin: Value,
) -> Value:
    """Applies LTXVideoTransformerBlock."""
    y = norm(c, b, "norm1", x)
    shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = shifts(b, time, 6)
    y = attention(c, b, "attn1", modulated(b, "norm1_modulated", y, scale, shift), None, turns=(cos, sin))
    x = gated_sum(b, "attn1_residual", x, gate, y)
    x = b.apply("add", x, attention(c, b, "attn2", x, text, mask=mask), name="attn2_residual")
    y = modulated(b, "norm2_modulated", norm(c, b, "norm2", x), scale_mlp, shift_mlp)
    return gated_sum(b, "ff_residual", x, gate_mlp, feed_forward(b, "ff", y, c.activation_fn, workload))


def norm(c: LTXVideoConfig, b: Builder, name: str, x: Value) -> Value:
    """Applies diffusers' RMSNorm, with a weight or without."""
    if c.norm_elementwise_affine:
        return rms_norm(b, name, x, upcast="statistics")
    found: Value = b.apply("rms_norm", x, name=name, upcast="statistics")
    return found


def attention(
    c: LTXVideoConfig,
    b: Builder,
    name: str,
    x: Value,
    text: Value | None,
    *,
    turns: tuple[Value, Value] | None = None,
    mask: Value | None = None,
) -> Value:
    """Applies LTXAttention: norms over all heads; tokens ask each other, or those of a text."""
    with b.scope(name):
        asked = x if text is None else text
        q = rms_norm(b, "norm_q", linear(b, "to_q", x, c.width, bias=c.attention_bias))
        k = linear(b, "to_k", asked, c.width, bias=c.attention_bias)
        v = linear(b, "to_v", asked, c.width, bias=c.attention_bias)
        k = rms_norm(b, "norm_k", k)
        if turns is not None:
            q, k = turned(b, "q_turned", q, *turns), turned(b, "k_turned", k, *turns)
        parts = [by_head(c, b, y, label) for y, label in ((q, "q"), (k, "k"), (v, "v"))]
        if mask is not None:
            mask = mask_of_heads(b, mask, c.num_attention_heads)
        return linear(b, "to_out.0", streams.attended(b, parts, mask), c.width, bias=c.attention_out_bias)


def by_head(c: LTXVideoConfig, b: Builder, x: Value, label: str) -> Value:
    """Returns x (batch, n, width) as (batch, n, heads, width of one), a view."""
    shape = (*x.spec.shape[:2], c.num_attention_heads, c.attention_head_dim)
    found: Value = b.apply("reshape", x, name=f"{label}_heads", shape=shape)
    return found


def mask_of_heads(b: Builder, mask: Value, heads: Dim) -> Value:
    """Returns a mask (batch, 1, words) copied for each head, (batch, heads, 1, words)."""
    batch, _, words = mask.spec.shape
    if not equal(heads, 1):
        mask = b.apply("reshape", mask, name="mask_one", shape=(batch, 1, 1, words))
        mask = b.apply("expand", mask, name="mask_all", shape=(batch, heads, 1, words))
        mask = b.apply("clone", mask, name="mask_copied")
    found: Value = b.apply("reshape", mask, name="mask_heads", shape=(batch, heads, 1, words))
    return found


def turned(b: Builder, name: str, x: Value, cos: Value, sin: Value) -> Value:
    """Returns x (batch, n, width), each pair of its channels turned: x * cos + turned * sin, in float32."""
    batch, count, width = x.spec.shape
    with b.scope(name):
        pairs = b.apply("reshape", x, name="pairs", shape=(batch, count, width // 2, 2))
        real, other = b.apply("unbind", pairs, name="parts", dim=-1)
        parts = (b.apply("neg", other, name="minus"), real)
        shape = (batch, count, width // 2, 1)
        columns = [b.apply("reshape", part, name=f"column_{i}", shape=shape) for i, part in enumerate(parts)]
        y = b.apply(
            "reshape", b.apply("concat", *columns, name="turned_pairs", dim=-1), name="turned", shape=x.spec.shape
        )
        if x.spec.dtype != "float32":
            x, y = (b.apply("cast", z, name=f"wide_{i}", dtype="float32") for i, z in enumerate((x, y)))
        y = b.apply("add", b.apply("mul", x, cos, name="by_cos"), b.apply("mul", y, sin, name="by_sin"), name="sum")
        return y if b.dtype == "float32" else b.apply("cast", y, name="as_computed", dtype=b.dtype)


ARCHITECTURE = Architecture(
    "ltx-video",
    LTXVideoConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": lambda config: SIZE, "frames": lambda config: FRAMES},
    attention=("fused",),
    dtype="bfloat16",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("LTXVideoTransformer3DModel",),
    stated=latents.video_stated,
    doc="LTX-Video: tokens of a video, told a time and a text. image_size is in pixels, frames the video's.",
)
