"""CogVideoXTransformer3DModel: patches of a video and a text as one stream of tokens, each with shifts and gates of its
own (Yang et al., 2024, arXiv:2408.06072)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import dropped, linear, merge_heads, split_heads

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.cogvideox_patches import as_video, embedded, grid_of
from graphacct_diffusers.layers import (
    FEED_FORWARDS,
    feed_forward,
    gated_sum,
    modulated,
    sinusoids,
    time_embedding,
)
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.stack import stacked

PIXELS = 8
"""Pixels of a side for each latent of CogVideoX's autoencoder."""


@frozen(kw_only=True)
class CogVideoXConfig:
    """The keys that the cost of CogVideoX depends on."""

    num_attention_heads: Dim = fields.size(30)
    attention_head_dim: Dim = fields.size(64)
    in_channels: Dim = fields.size(16)
    out_channels: Dim = fields.size(16)
    flip_sin_to_cos: bool = fields.flag(True)
    time_embed_dim: Dim = fields.size(512)
    ofs_embed_dim: None = keys.only(None)
    text_embed_dim: Dim = fields.size(4096)
    num_layers: Dim = fields.size(30, minimum=0)
    dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(True)
    sample_width: int = fields.size(90)
    sample_height: int = fields.size(60)
    sample_frames: int = fields.size(49)
    patch_size: Dim = fields.size(2)
    patch_size_t: int | None = fields.optional_size()
    temporal_compression_ratio: int = fields.size(4)
    max_text_seq_length: Dim = fields.size(226)
    activation_fn: str = fields.choice("gelu-approximate", FEED_FORWARDS)
    timestep_activation_fn: str = keys.act()
    norm_elementwise_affine: bool = fields.flag(True)
    use_rotary_positional_embeddings: bool = fields.flag(False)
    use_learned_positional_embeddings: bool = fields.flag(False)
    patch_bias: bool = fields.flag(True)
    vae_scale_factor: Dim = fields.size(PIXELS)

    def __attrs_post_init__(self) -> None:
        if self.use_learned_positional_embeddings and not self.use_rotary_positional_embeddings:
            raise ConfigError(
                "use_learned_positional_embeddings needs use_rotary_positional_embeddings, as in the class"
            )

    @property
    def width(self) -> Dim:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @property
    def pixels(self) -> Dim:
        """Pixels of a side for each latent."""
        return self.vae_scale_factor

    @property
    def vae_temporal_factor(self) -> int:
        """Frames for each latent but the first."""
        return self.temporal_compression_ratio

    @property
    def frames(self) -> int:
        """The frames that the file says, and as many more as fill the last patch."""
        each = self.patch_size_t or 1
        count = (self.sample_frames - 1) // self.temporal_compression_ratio + 1
        return ((count + each - 1) // each * each - 1) * self.temporal_compression_ratio + 1


def build(c: CogVideoXConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents of a video to the velocity there."""
    batch, words = workload.batch, workload.seq_len or c.max_text_seq_length
    frames, *sides = latents.video(c, workload)
    grid = grid_of(c, frames, sides)
    x = b.input("hidden_states", (batch, frames, c.in_channels, *sides))
    text = b.input("encoder_hidden_states", (batch, words, c.text_embed_dim))
    steps = sinusoids(b, "time_proj", b.input("timestep", (batch,), "int64"), c.width, flip=c.flip_sin_to_cos)
    turns: tuple[Value, ...] = ()
    if c.use_rotary_positional_embeddings:
        shape = (grid[0] * grid[1] * grid[2], c.attention_head_dim)
        turns = tuple(b.input(f"image_rotary_emb.{part}", shape, "float32") for part in range(2))
    time = time_embedding(b, "time_embedding", steps, c.time_embed_dim, kind=c.timestep_activation_fn)
    x = dropped(b, "embedding_dropout", embedded(c, b, text, x, grid), c.dropout, workload)
    count = x.spec.shape[1] - words
    text = b.apply("slice", x, name="of_text", dim=1, start=0, length=words)
    x = b.apply("slice", x, name="of_video", dim=1, start=words, length=count)
    x, _ = stacked(
        b, "transformer_blocks", c.num_layers, partial(block, c, workload), x, text, constants=(time, *turns)
    )
    x = norms(c, b, "norm_final", x)[0]
    shift, scale = shifts(c, b, "norm_out", time, 2)
    x = modulated(b, "norm_out.modulated", norms(c, b, "norm_out.norm", x)[0], scale, shift)
    return as_video(c, b, x, frames, grid)


def norms(c: CogVideoXConfig, b: Builder, name: str, *streams: Value) -> list[Value]:
    """Applies one layer norm to each of the streams, with the same weights."""
    parts = ("weight", "bias") if c.norm_elementwise_affine else ()
    given = [b.parameter(f"{name}.{part}", streams[0].spec.shape[-1:]) for part in parts]
    return [b.apply("layer_norm", x, *given, name=f"{name}{'_text' * place}") for place, x in enumerate(streams)]


def shifts(c: CogVideoXConfig, b: Builder, name: str, time: Value, count: int) -> list[Value]:
    """Applies an activation and a linear layer to a time (batch, its width): `count` views (batch, 1, width)."""
    batch = time.spec.shape[0]
    with b.scope(name):
        x = linear(b, "linear", b.apply("silu", time, name="silu"), count * c.width)
        parts = b.apply("split", x, name="parts", parts=count, dim=1)
        return [b.apply("reshape", part, name=f"part_{i}", shape=(batch, 1, c.width)) for i, part in enumerate(parts)]


def block(c: CogVideoXConfig, workload: Workload, b: Builder, x: Value, text: Value, time: Value, *turns: Value) -> Any:
    """Applies CogVideoXBlock."""
    words, count = text.spec.shape[1], x.spec.shape[1]
    y, t, gates = zero_norm(c, b, "norm1", x, text, time)
    z = attention(c, b, "attn1", b.apply("concat", t, y, name="attn1.stream", dim=1), words, workload, *turns)
    t, y = b.apply("split", z, name="attn1.parts", sizes=(words, count), dim=1)
    x, text = gated_sum(b, "attn1_residual", x, gates[0], y), gated_sum(b, "attn1_residual_text", text, gates[1], t)
    y, t, gates = zero_norm(c, b, "norm2", x, text, time)
    z = b.apply("concat", t, y, name="ff_stream", dim=1)
    z = feed_forward(b, "ff", z, c.activation_fn, workload, dropout=c.dropout)
    z = dropped(b, "ff.net.3", z, c.dropout, workload)
    y = b.apply("slice", z, name="ff_of_video", dim=1, start=words, length=count)
    t = b.apply("slice", z, name="ff_of_text", dim=1, start=0, length=words)
    return gated_sum(b, "ff_residual", x, gates[0], y), gated_sum(b, "ff_residual_text", text, gates[1], t)


def zero_norm(
    c: CogVideoXConfig, b: Builder, name: str, x: Value, text: Value, time: Value
) -> tuple[Value, Value, tuple[Value, Value]]:
    """Applies CogVideoXLayerNormZero: both streams normed, shifted and scaled, and the gate of each."""
    shift, scale, gate, shift_text, scale_text, gate_text = shifts(c, b, name, time, 6)
    y, t = norms(c, b, f"{name}.norm", x, text)
    y = modulated(b, f"{name}.modulated", y, scale, shift)
    return y, modulated(b, f"{name}.modulated_text", t, scale_text, shift_text), (gate, gate_text)


def attention(
    c: CogVideoXConfig, b: Builder, name: str, x: Value, words: Dim, workload: Workload, *turns: Value
) -> Value:
    """Applies Attention with CogVideoXAttnProcessor2_0: heads normed, those of the video turned by their places."""
    with b.scope(name):
        parts = [linear(b, f"to_{label}", x, c.width, bias=c.attention_bias) for label in "qkv"]
        q, k, v = (
            split_heads(b, y, c.num_attention_heads, c.attention_head_dim, label)
            for y, label in zip(parts, "qkv", strict=True)
        )
        q, k = (head_norm(b, f"norm_{label}", y) for y, label in ((q, "q"), (k, "k")))
        if turns:
            q, k = (turned(b, f"{label}_turned", y, words, *turns) for y, label in ((q, "q"), (k, "k")))
        y = merge_heads(b, b.apply("scaled_dot_product_attention", q, k, v, name="attention"))
        return linear(b, "to_out.0", y, c.width)


def head_norm(b: Builder, name: str, x: Value) -> Value:
    """Applies a layer norm to each head."""
    given = [b.parameter(f"{name}.{part}", x.spec.shape[-1:]) for part in ("weight", "bias")]
    found: Value = b.apply("layer_norm", x, *given, name=name)
    return found


def turned(b: Builder, name: str, x: Value, words: Dim, cos: Value, sin: Value) -> Value:
    """Returns heads (batch, heads, n, width) whose tokens after the `words` of the text are turned, in float32, and
    written back."""
    batch, heads, total, width = x.spec.shape
    count = total - words
    with b.scope(name):
        own = b.apply("slice", x, name="of_video", dim=2, start=words, length=count)
        cos, sin = (
            b.apply("reshape", part, name=f"{kind}_row", shape=(1, 1, count, width))
            for part, kind in ((cos, "cos"), (sin, "sin"))
        )
        pairs = b.apply("reshape", own, name="pairs", shape=(batch, heads, count, width // 2, 2))
        real, other = b.apply("unbind", pairs, name="parts", dim=-1)
        parts = (b.apply("neg", other, name="minus"), real)
        shape = (batch, heads, count, width // 2, 1)
        columns = [b.apply("reshape", part, name=f"column_{i}", shape=shape) for i, part in enumerate(parts)]
        y = b.apply("concat", *columns, name="turned_pairs", dim=-1)
        y = b.apply("reshape", y, name="turned", shape=(batch, heads, count, width))
        if b.dtype != "float32":
            own, y = (b.apply("cast", z, name=f"wide_{i}", dtype="float32") for i, z in enumerate((own, y)))
        y = b.apply("add", b.apply("mul", own, cos, name="by_cos"), b.apply("mul", y, sin, name="by_sin"), name="sum")
        y = y if b.dtype == "float32" else b.apply("cast", y, name="as_computed", dtype=b.dtype)
        return b.apply("slice_scatter", x, y, name="written", dim=2, start=words)


def size(config: CogVideoXConfig) -> tuple[Dim, Dim]:
    """Returns the size in pixels of the file's latents."""
    return config.sample_height * config.pixels, config.sample_width * config.pixels


ARCHITECTURE = Architecture(
    "cogvideox",
    CogVideoXConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.max_text_seq_length,
        "image_size": size,
        "frames": lambda config: config.frames,
    },
    attention=("fused",),
    dtype="bfloat16",
    no_cost={**keys.NO_COST, "spatial_interpolation_scale": None, "temporal_interpolation_scale": None},
    losses=LOSSES,
    model_types=("CogVideoXTransformer3DModel",),
    stated=latents.video_stated,
    doc="CogVideoX: patches of a video and a text in one stream. image_size is in pixels, frames the video's.",
)
