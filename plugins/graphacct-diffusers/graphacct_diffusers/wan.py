"""WanTransformer3DModel: patches of a video's latents, told a time, a text and perhaps an image (Wan, 2025,
arXiv:2503.20314)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import layer_norm, linear, rms_norm

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
from graphacct_diffusers import keys, latents
from graphacct_diffusers.layers import (
    conv,
    feed_forward,
    gated_sum,
    modulated,
    sinusoids,
    text_projection,
    time_embedding,
    tokens,
)
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.patches import normed

TOKENS = 512
"""Tokens of UMT5's texts. A model of images is written for this number alone."""
IMAGE_TOKENS = 257
"""Tokens of CLIP's images."""
SIZE, FRAMES = (480, 832), 81
"""The picture and the frames of the published examples."""
OLDER, NEWER = 8, 16
"""Pixels of a side for each latent, in Wan 2.1's autoencoder and in Wan 2.2's."""
NEWER_CHANNELS = 48
"""Channels of the latents of Wan 2.2's autoencoder."""


@frozen(kw_only=True)
class WanConfig:
    """The keys that the cost of Wan depends on."""

    patch_size: tuple[Dim, ...] = fields.counts((1, 2, 2), 3)
    num_attention_heads: Dim = fields.size(40)
    attention_head_dim: Dim = fields.size(128)
    in_channels: Dim = fields.size(16)
    out_channels: Dim | None = fields.optional_size(16)
    text_dim: Dim = fields.size(4096)
    freq_dim: Dim = fields.size(256)
    ffn_dim: Dim = fields.size(13824)
    num_layers: Dim = fields.size(40)
    cross_attn_norm: bool = fields.flag(True)
    qk_norm: str | None = keys.only("rms_norm_across_heads")
    image_dim: Dim | None = fields.optional_size()
    added_kv_proj_dim: Dim | None = fields.optional_size()
    rope_max_seq_len: Dim = fields.size(1024)
    pos_embed_seq_len: None = keys.only(None)
    vae_scale_factor: Dim | None = fields.optional_size()
    vae_temporal_factor: Dim = fields.size(4)

    def __attrs_post_init__(self) -> None:
        if (self.image_dim is None) != (self.added_kv_proj_dim is None):
            raise ConfigError("image_dim and added_kv_proj_dim are of a model of images: both are null, or neither")
        if self.added_kv_proj_dim not in (None, self.width):
            raise ConfigError(
                f"added_kv_proj_dim is {self.added_kv_proj_dim}, and images are projected to {self.width} channels"
            )

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def pixels(self) -> Dim:
        """Pixels of a side for each latent."""
        if self.vae_scale_factor is not None:
            return self.vae_scale_factor
        return NEWER if self.out_channels == NEWER_CHANNELS else OLDER


def build(c: WanConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents of a video to the velocity of the flow there."""
    batch, space = workload.batch, latents.video(c, workload)
    for side, patch in zip(space, c.patch_size, strict=True):
        if has_value(side) and has_value(patch) and side % patch:
            raise ConfigError(f"the video has {side} latents along an axis, which patch_size {patch} does not divide")
    grid = tuple(
        exact_div(side, patch, "latents / patch_size") for side, patch in zip(space, c.patch_size, strict=True)
    )
    words = workload.seq_len or TOKENS
    if c.image_dim is not None and has_value(words) and words != TOKENS:
        raise ConfigError(
            f"seq_len {words}: a model told an image takes {TOKENS} tokens of text, as its class is written"
        )
    x = b.input("hidden_states", (batch, c.in_channels, *space))
    steps = b.input("timestep", (batch,), "int64")
    text = b.input("encoder_hidden_states", (batch, words, c.text_dim))
    turns = tables(c, b, grid)
    x = conv(b, "patch_embedding", x, c.width, c.patch_size, stride=c.patch_size, padding=0)
    x = b.apply("contiguous", tokens(b, "patches", x), name="tokens")
    time, parts, text = told(c, b, steps, text)
    x = b.repeat("blocks", c.num_layers, partial(block, c, workload), x, constants=(text, parts, *turns))
    last = b.apply("reshape", time, name="last_time", shape=(batch, 1, c.width))
    shifts = b.apply("add", b.parameter("scale_shift_table", (1, 2, c.width)), last, name="shifts")
    shift, scale = b.apply("split", shifts, name="parts", parts=2, dim=1)
    x = narrow(b, "modulated_narrow", modulated(b, "modulated", wide_norm(b, "norm_out", x), scale, shift))
    return as_video(c, b, x, grid)


def as_video(c: WanConfig, b: Builder, x: Value, grid: tuple[Dim, ...]) -> Value:
    """Returns tokens as latents (batch, channels, frames, height, width)."""
    batch = x.spec.shape[0]
    frames, height, width = c.patch_size
    channels = c.in_channels if c.out_channels is None else c.out_channels
    x = linear(b, "proj_out", x, channels * frames * height * width)
    x = b.apply("reshape", x, name="patches_out", shape=(batch, *grid, *c.patch_size, channels))
    x = b.apply("permute", x, name="permuted", dims=(0, 7, 1, 4, 2, 5, 3, 6))
    sides = [side * patch for side, patch in zip(grid, c.patch_size, strict=True)]
    return b.apply("reshape", x, name="sample", shape=(batch, channels, *sides))


def told(c: WanConfig, b: Builder, steps: Value, text: Value) -> tuple[Value, Value, Value]:
    """Applies WanTimeTextImageEmbedding: the time, its six parts (batch, 6, width), and the tokens that are asked."""
    batch = steps.spec.shape[0]
    image = None
    if c.image_dim is not None:
        image = b.input("encoder_hidden_states_image", (batch, IMAGE_TOKENS, c.image_dim))
    with b.scope("condition_embedder"):
        time = time_embedding(b, "time_embedder", sinusoids(b, "timesteps_proj", steps, c.freq_dim), c.width)
        parts = linear(b, "time_proj", b.apply("silu", time, name="act_fn"), 6 * c.width)
        text = text_projection(b, "text_embedder", text, c.width)
        if image is not None:
            with b.scope("image_embedder"):
                image = layer_norm(b, "norm1", image)
                image = b.apply("gelu", linear(b, "ff.net.0.proj", image, c.image_dim), name="ff.net.0.act")
                image = layer_norm(b, "norm2", linear(b, "ff.net.2", image, c.width))
    parts = b.apply("reshape", parts, name="time_parts", shape=(batch, 6, c.width))
    return time, parts, text if image is None else b.apply("concat", image, text, name="image_and_text", dim=1)


def block(
    c: WanConfig, workload: Workload, b: Builder, x: Value, text: Value, time: Value, cos: Value, sin: Value
) -> Value:
    """Applies WanTransformerBlock; norms and what they are shifted by are in float32."""
    shifts = b.apply(
        "add", b.parameter("scale_shift_table", (1, 6, c.width)), wide(b, "time_wide", time), name="shifts"
    )
    shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = b.apply("split", shifts, name="parts", parts=6, dim=1)
    y = narrow(b, "norm1_narrow", modulated(b, "norm1_modulated", wide_norm(b, "norm1", x), scale, shift))
    y = attention(c, b, "attn1", y, None, (cos, sin))
    x = narrow(b, "attn1_narrow", gated_sum(b, "attn1_residual", wide(b, "attn1_wide", x), gate, y))
    y = wide(b, "norm2_wide", x)
    y = narrow(b, "norm2_narrow", layer_norm(b, "norm2", y) if c.cross_attn_norm else y)
    x = b.apply("add", x, attention(c, b, "attn2", y, text, None), name="attn2_residual")
    y = narrow(b, "norm3_narrow", modulated(b, "norm3_modulated", wide_norm(b, "norm3", x), scale_mlp, shift_mlp))
    y = wide(b, "ffn_wide", feed_forward(b, "ffn", y, "gelu-approximate", workload, inner=c.ffn_dim))
    y = b.apply("mul", y, gate_mlp, name="ffn_gated")
    return narrow(b, "ffn_narrow", b.apply("add", wide(b, "ffn_residual_wide", x), y, name="ffn_residual"))


def attention(
    c: WanConfig, b: Builder, name: str, x: Value, other: Value | None, turns: tuple[Value, Value] | None
) -> Value:
    """Applies WanAttention: norms over all heads; tokens ask each other, or those of a text and an image."""
    image = None
    with b.scope(name):
        if other is not None and c.added_kv_proj_dim is not None:
            image = b.apply("slice", other, name="image", dim=1, start=0, length=IMAGE_TOKENS)
            other = b.apply(
                "slice", other, name="text", dim=1, start=IMAGE_TOKENS, length=other.spec.shape[1] - IMAGE_TOKENS
            )
        asked = x if other is None else other
        q = rms_norm(b, "norm_q", linear(b, "to_q", x, c.width))
        k = rms_norm(b, "norm_k", linear(b, "to_k", asked, c.width))
        v = linear(b, "to_v", asked, c.width)
        q, k, v = (heads_of(c, b, y, label) for y, label in ((q, "q"), (k, "k"), (v, "v")))
        if turns is not None:
            q, k = turned(b, "q_turned", q, *turns), turned(b, "k_turned", k, *turns)
        seen = None
        if image is not None:
            key = rms_norm(b, "norm_added_k", linear(b, "add_k_proj", image, c.width))
            value = linear(b, "add_v_proj", image, c.width)
            key, value = heads_of(c, b, key, "image_k"), heads_of(c, b, value, "image_v")
            seen = attended(b, "image_", q, key, value)
        y = attended(b, "", q, k, v)
        if seen is not None:
            y = b.apply("add", y, seen, name="with_image")
        return linear(b, "to_out.0", y, c.width)


def heads_of(c: WanConfig, b: Builder, x: Value, label: str) -> Value:
    """Returns x (batch, n, width) by head: (batch, n, heads, width / heads), a view."""
    batch, count, _ = x.spec.shape
    return b.apply(
        "reshape", x, name=f"{label}_heads", shape=(batch, count, c.num_attention_heads, c.attention_head_dim)
    )


def attended(b: Builder, label: str, q: Value, k: Value, v: Value) -> Value:
    """Returns what attention gives (batch, n, width) of queries, keys and values by head."""
    batch, count, heads, width = q.spec.shape
    given = [
        b.apply("permute", y, name=f"{label}{part}_by_head", dims=(0, 2, 1, 3))
        for y, part in ((q, "q"), (k, "k"), (v, "v"))
    ]
    y = b.apply("scaled_dot_product_attention", *given, name=f"{label}attention")
    y = b.apply("permute", y, name=f"{label}by_token", dims=(0, 2, 1, 3))
    return b.apply("reshape", y, name=f"{label}merged", shape=(batch, count, heads * width))


def tables(c: WanConfig, b: Builder, grid: tuple[Dim, ...]) -> tuple[Value, Value]:
    """Returns the cosines and sines of all tokens' places (1, n, 1, width of a head), put together of the tables of
    three axes."""
    each = c.attention_head_dim
    side = 2 * (each // 6)
    widths = (each - 2 * side, side, side)
    count = grid[0] * grid[1] * grid[2]
    found = []
    for kind in ("cos", "sin"):
        parts = []
        for axis, width in enumerate(widths):
            shape = [1, 1, 1, width]
            shape[axis] = grid[axis]
            x = b.apply("constant", name=f"rope.{kind}_{axis}", shape=tuple(shape), dtype="float32")
            parts.append(b.apply("expand", x, name=f"rope.{kind}_{axis}_all", shape=(*grid, width)))
        x = b.apply("concat", *parts, name=f"rope.{kind}_parts", dim=-1)
        found.append(b.apply("reshape", x, name=f"rope.{kind}", shape=(1, count, 1, each)))
    return found[0], found[1]


def turned(b: Builder, name: str, x: Value, cos: Value, sin: Value) -> Value:
    """Returns x (batch, n, heads, width), each pair of its channels turned by one angle."""
    batch, count, heads, width = x.spec.shape
    half = width // 2
    with b.scope(name):
        pairs = b.apply("reshape", x, name="pairs", shape=(batch, count, heads, half, 2))
        one, two = b.apply("unbind", pairs, name="parts", dim=-1)
        halves = []
        for part, kind, start in ((cos, "cos", 0), (sin, "sin", 1)):
            y = b.apply("reshape", part, name=f"{kind}_pairs", shape=(1, count, 1, half, 2))
            halves.append(b.apply("select", y, name=kind, dim=-1, index=start))
        c, s = halves
        first = b.apply(
            "sub", b.apply("mul", one, c, name="one_cos"), b.apply("mul", two, s, name="two_sin"), name="first"
        )
        second = b.apply(
            "add", b.apply("mul", one, s, name="one_sin"), b.apply("mul", two, c, name="two_cos"), name="second"
        )
        parts = [
            b.apply("reshape", part, name=f"column_{i}", shape=(batch, count, heads, half, 1))
            for i, part in enumerate((first, second))
        ]
        y = b.apply("concat", *parts, name="turned_pairs", dim=-1)
        y = b.apply("reshape", y, name="turned", shape=(batch, count, heads, width))
        return narrow(b, "as_computed", y)


def wide(b: Builder, name: str, x: Value) -> Value:
    """Returns x in float32."""
    return x if x.spec.dtype == "float32" else b.apply("cast", x, name=name, dtype="float32")


def narrow(b: Builder, name: str, x: Value) -> Value:
    """Returns x in the dtype of the model."""
    return x if x.spec.dtype == b.dtype else b.apply("cast", x, name=name, dtype=b.dtype)


def wide_norm(b: Builder, name: str, x: Value) -> Value:
    """Applies a layer norm without weights, in float32."""
    return normed(b, name, wide(b, f"{name}_wide", x))


ARCHITECTURE = Architecture(
    "wan",
    WanConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: TOKENS, "image_size": lambda config: SIZE, "frames": lambda config: FRAMES},
    attention=("fused",),
    dtype="float32",
    no_cost={**keys.NO_COST, "window_size": None, "add_img_emb": None},
    losses=LOSSES,
    model_types=("WanTransformer3DModel",),
    stated=latents.video_stated,
    doc="Wan: patches of a video, told a time, a text, perhaps an image. image_size is in pixels, frames the video's.",
)
