"""Gemma 4's encoder of sound: two convolutions over a spectrum's plane, then conformer layers whose attention sees
blocks of positions and their surroundings. The library's class has attention written out alone.

Zhang et al., 2023 (arXiv:2303.01037); Google DeepMind, "Gemma 4", 2026.
"""

from __future__ import annotations

from collections.abc import Callable

from graphacct import (
    Architecture,
    Builder,
    Dim,
    PresetFiles,
    Value,
    Workload,
    ceil_div,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.gemma_audio import FRAMES, FRAMES_PER_SECOND, convolved_in_depth, projected
from graphacct_architectures.decoders.parts.attention import capped
from graphacct_architectures.decoders.parts.gemma4 import NORM
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear, norm
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.parts.clipped import clipped

AUDIO = "Gemma4AudioModel"
CHANNELS = fields.counts((128, 32), 2)


@frozen(kw_only=True)
class Gemma4AudioConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(AUDIO, (AUDIO,))
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(8)
    hidden_act: str = activation("silu")
    subsampling_conv_channels: tuple[Dim, ...] = CHANNELS
    conv_kernel_size: Dim = fields.size(5)
    attention_chunk_size: Dim = fields.size(12)
    attention_context_left: Dim = fields.size(13)
    attention_context_right: Dim = fields.size(0, minimum=0)
    use_clipped_linears: bool = fields.flag(True)
    output_proj_dims: Dim = fields.size(1536)
    dtype: str | None = fields.dtype()

    @property
    def bins(self) -> Dim:
        """Channels of a frame: the two convolutions leave a quarter, which the projection expects to be a quarter of
        the first one's channels."""
        return exact_div(self.subsampling_conv_channels[0], 4, "subsampling_conv_channels[0] / 4") * 4

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return exact_div(self.hidden_size, self.num_attention_heads, "hidden_size / num_attention_heads")

    @property
    def context(self) -> Dim:
        """The positions that a block sees."""
        return self.attention_chunk_size + self.attention_context_left - 1 + self.attention_context_right


def heard(config: Gemma4AudioConfig, workload: Workload, b: Builder, sounds: Dim, *, masked: bool = False) -> Value:
    """Returns the encoder's output for each sound, (sounds, positions, output_proj_dims); the builder is in its
    scope. With `masked` each spectrum has a mask of its frames."""
    x = b.input("input_features", (sounds, workload.frames, config.bins))
    mask = b.input("input_features_mask", (sounds, workload.frames), "bool") if masked else None
    with b.scope("subsample_conv_projection"):
        x = subsampled(config, b, x, mask)
    with b.scope("rel_pos_enc"):
        table = distances(config, b)
    batch, seq, _ = x.spec.shape
    blocks = ceil_div(seq, config.attention_chunk_size)
    shape = (batch, 1, blocks, config.attention_chunk_size, config.context)
    seen = b.apply("constant", name="blocked_mask", shape=shape, dtype=b.dtype)
    b.hold(table, seen)
    x = b.repeat("layers", config.num_hidden_layers, layer(config), x, constants=(table, seen))
    return linear(b, "output_proj", x, config.output_proj_dims)


def subsampled(config: Gemma4AudioConfig, b: Builder, x: Value, mask: Value | None) -> Value:
    """Returns frames as a quarter of positions: two convolutions over time and bins, each with a norm over channels,
    and a projection."""
    batch, count, bins = x.spec.shape
    x = b.apply("reshape", x, name="one_channel", shape=(batch, 1, count, bins))
    for index, channels in enumerate(config.subsampling_conv_channels):
        with b.scope(f"layer{index}"):
            if mask is not None:
                step = 2**index
                frames = ceil_div(count, step)
                own = mask
                if index:
                    own = b.apply("constant", name="mask", shape=(batch, frames), dtype="bool")
                own = b.apply("reshape", own, name="mask_apart", shape=(batch, 1, frames, 1))
                x = b.apply("mul", x, own, name="masked")
            weight = b.parameter("conv.weight", (channels, x.spec.shape[1], 3, 3))
            x = b.apply("convolution", x, weight, name="conv", stride=2, padding=1)
            x = norm(b, "norm", b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1)), "layer_norm")
            x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
            x = b.apply("relu", b.apply("contiguous", x, name="copied"), name="act")
    return projected(b, x, config.hidden_size)


def distances(config: Gemma4AudioConfig, b: Builder) -> Value:
    """Returns a vector of sines and cosines for each distance, (1, context / 2 + 1, width)."""
    half = exact_div(config.hidden_size, 2, "hidden_size / 2, sines and cosines")
    places = b.apply("constant", name="places", shape=(config.context // 2 + 1, 1), dtype="int64")
    rates = b.apply("constant", name="inv_timescales", shape=(1, 1, half), dtype="float32")
    angles = b.apply("mul", places, rates, name="angles")
    table = b.apply("concat", b.apply("sin", angles, name="sin"), b.apply("cos", angles, name="cos"), name="both")
    return table if b.dtype == "float32" else b.apply("cast", table, name="narrowed", dtype=b.dtype)


def layer(config: Gemma4AudioConfig) -> Callable[..., Value]:
    """Returns the body of one layer: half a network, attention, a convolution, half a network, a norm."""

    def body(b: Builder, x: Value, table: Value, seen: Value) -> Value:
        x = half_network(config, b, x, "feed_forward1")
        y = b.apply("clamp", x, name="clipped_before")
        y = normed_by(b, "norm_pre_attn", y, NORM)
        with b.scope("self_attn"):
            b.hold(y)
            y = attention(config, b, y, table, seen)
        y = b.apply("clamp", y, name="clipped_after")
        y = normed_by(b, "norm_post_attn", y, NORM)
        x = b.apply("add", y, x, name="attn_residual", in_place=True)
        with b.scope("lconv1d"):
            x = convolved(config, b, x)
        x = half_network(config, b, x, "feed_forward2")
        return normed_by(b, "norm_out", b.apply("clamp", x, name="clipped_last"), NORM)

    return body


def half_network(config: Gemma4AudioConfig, b: Builder, x: Value, name: str) -> Value:
    """Returns the stream with a network's output added, times a constant."""
    width, clipping = config.hidden_size, config.use_clipped_linears
    with b.scope(name):
        b.hold(x)
        y = normed_by(b, "pre_layer_norm", b.apply("clamp", x, name="clipped_before"), NORM)
        y = clipped(b, "ffw_layer_1", y, 4 * width, clipping=clipping)
        y = activated(b, ACTIVATIONS[config.hidden_act], y)
        y = clipped(b, "ffw_layer_2", y, width, clipping=clipping)
        y = normed_by(b, "post_layer_norm", b.apply("clamp", y, name="clipped_after"), NORM)
        y = b.apply("scale", y, name="halved", in_place=True)
        found: Value = b.apply("add", y, x, name="residual", in_place=True)
    return found


def attention(config: Gemma4AudioConfig, b: Builder, x: Value, table: Value, seen: Value) -> Value:
    """Returns attention's output, in float32 up to its last projection. Each block of positions sees its context; the
    scores know distances."""
    batch, seq, width = x.spec.shape
    heads, d, chunk, context = config.num_attention_heads, config.d_head, config.attention_chunk_size, config.context
    clipping = config.use_clipped_linears
    blocks = ceil_div(seq, chunk)
    parts = {}
    for label in "qkv":
        y = clipped(b, f"{label}_proj", x, heads * d, clipping=clipping)
        y = wide(b, y, label)
        parts[label] = b.apply("reshape", y, name=f"{label}_heads", shape=(batch, seq, heads, d))
    q = b.apply("scale", parts["q"], name="q_scaled")
    q = b.apply("mul", q, b.apply("softplus", b.parameter("per_dim_scale", (d,)), name="softplus"), name="q_by_dim")
    k = b.apply("scale", parts["k"], name="k_scaled")
    q = b.apply("pad", q, name="q_padded", padding=((0, 0), (0, blocks * chunk - seq), (0, 0), (0, 0)))
    q = b.apply("reshape", q, name="q_blocks", shape=(batch, blocks, chunk, heads, d))
    k, v = (surrounded(config, b, part, label) for part, label in ((k, "k"), (parts["v"], "v")))
    distant = linear(b, "relative_k_proj", table, heads * d, bias=False)
    places = distant.spec.shape[1]
    distant = wide(b, b.apply("reshape", distant, name="distances", shape=(places, heads, d)), "distances")
    q = b.apply("permute", q, name="q_by_head", dims=(0, 3, 1, 2, 4))
    scores = b.apply("matmul", q, b.apply("permute", k, name="k_by_head", dims=(0, 3, 1, 4, 2)), name="scores")
    flat = b.apply("reshape", q, name="q_flat", shape=(batch, heads, blocks * chunk, d))
    by_distance = b.apply("permute", distant, name="distances_by_head", dims=(1, 2, 0))
    near = b.apply("matmul", flat, by_distance, name="distance_scores")
    near = b.apply("reshape", near, name="distance_blocks", shape=(batch, heads, blocks, chunk, places))
    near = shifted(b, near, context)
    scores = b.apply("add", scores, near, name="with_distances")
    scores = capped(b, scores, "scores")
    hidden = b.apply("ne", seen, name="hidden")
    scores = b.apply("masked_fill", scores, hidden, name="within_block")
    weights = b.apply("softmax", scores, name="softmax")
    y = b.apply("matmul", weights, b.apply("permute", v, name="v_by_head", dims=(0, 3, 1, 2, 4)), name="values")
    b.hold(weights)
    y = b.apply("permute", y, name="by_position", dims=(0, 2, 3, 1, 4))
    y = b.apply("reshape", y, name="merge_heads", shape=(batch, blocks * chunk, heads * d))
    if not (has_value(seq) and has_value(chunk) and seq % chunk == 0):
        y = b.apply("slice", y, name="without_padding", dim=1, start=0, length=seq)
        y = b.apply("contiguous", y, name="copied")
    y = y if b.dtype == "float32" else b.apply("cast", y, name="narrowed", dtype=b.dtype)
    return clipped(b, "post", y, width, clipping=clipping)


def wide(b: Builder, x: Value, label: str) -> Value:
    """Returns x in float32."""
    return x if b.dtype == "float32" else b.apply("cast", x, name=f"{label}_wide", dtype="float32")


def surrounded(config: Gemma4AudioConfig, b: Builder, x: Value, label: str) -> Value:
    """Returns what each block sees of x (batch, seq, heads, d_head): (batch, blocks, context, heads, d_head), a copy in
    which positions occur several times."""
    chunk = config.attention_chunk_size
    around = (config.attention_context_left - 1, config.attention_context_right + chunk - 1)
    x = b.apply("pad", x, name=f"{label}_padded", padding=((0, 0), around, (0, 0), (0, 0)))
    x = b.apply("unfold", x, name=f"{label}_windows", dimension=1, size=config.context, step=chunk)
    x = b.apply("permute", x, name=f"{label}_windows_second", dims=(0, 1, 4, 2, 3))
    y: Value = b.apply("contiguous", x, name=f"{label}_blocks")
    return y


def shifted(b: Builder, x: Value, context: Dim) -> Value:
    """Returns scores by distance (batch, heads, blocks, chunk, distances) as scores of places in the context: padded,
    and read in rows of another length (Dai et al., 2019, arXiv:1901.02860, appendix B)."""
    *lead, chunk, places = x.spec.shape
    x = b.apply("pad", x, name="shift_padded", padding=(*((0, 0),) * 4, (0, context + 1 - places)))
    x = b.apply("reshape", x, name="shift_rows", shape=(*lead, chunk * (context + 1)))
    x = b.apply("slice", x, name="shift_cut", dim=-1, start=0, length=chunk * context)
    y: Value = b.apply("reshape", x, name="shifted", shape=(*lead, chunk, context))
    return y


def convolved(config: Gemma4AudioConfig, b: Builder, x: Value) -> Value:
    """Returns the stream with the convolution's output added: a gated linear unit, a convolution in depth over earlier
    positions, a norm, an activation and a projection."""
    width, kernel, clipping = config.hidden_size, config.conv_kernel_size, config.use_clipped_linears
    b.hold(x)
    y = normed_by(b, "pre_layer_norm", x, NORM)
    y = b.apply("glu", clipped(b, "linear_start", y, 2 * width, clipping=clipping), name="glu", dim=-1)
    y = convolved_in_depth(b, y, kernel)
    y = b.apply("clamp", b.apply("transpose", y, name="channels_last", dims=(1, 2)), name="clipped")
    y = activated(b, ACTIVATIONS[config.hidden_act], normed_by(b, "conv_norm", y, NORM))
    y = clipped(b, "linear_end", y, width, clipping=clipping)
    found: Value = b.apply("add", y, x, name="residual", in_place=True)
    return found


def build(config: Gemma4AudioConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a spectrum to its positions."""
    return heard(config, workload, b, workload.batch)


ARCHITECTURE = Architecture(
    "gemma4_audio",
    Gemma4AudioConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    attention=("eager",),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(
        ("attention_logit_cap", "attention_invalid_logits_value", "gradient_clipping", "residual_weight")
    ),
    model_types=("gemma4_audio",),
    losses=SUM_ALONE,
    doc="Gemma 4's encoder of sound: convolutions over a spectrum, conformer layers over blocks.",
)
