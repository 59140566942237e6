"""Gemma 4's tower: patches of images of any size, whose rows and columns have learned places and rotate queries and
keys; means of squares of patches are the image's tokens.

Google DeepMind, "Gemma 4", 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isqrt
from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.gemma4 import GAINLESS, NORM
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.projections import head_normed
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.parts.clipped import clipped

VISION = "Gemma4VisionModel"
CHANNELS = 3


@frozen(kw_only=True)
class Gemma4VisionConfig:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(16)
    num_attention_heads: Dim = fields.size(12)
    num_key_value_heads: Dim = fields.size(12)
    head_dim: Dim = fields.size(64)
    hidden_activation: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    pooling_kernel_size: Dim = fields.size(3)
    patch_size: Dim = fields.size(16)
    position_embedding_size: Dim = fields.size(10240)
    use_clipped_linears: bool = fields.flag(False)
    standardize: bool = fields.flag(False)
    default_output_length: int = fields.size(280)
    dtype: str | None = fields.dtype()

    @property
    def kv_heads(self) -> Dim:
        """Heads of keys and values."""
        exact_div(self.num_attention_heads, self.num_key_value_heads, "num_attention_heads / num_key_value_heads")
        return self.num_key_value_heads

    @property
    def image_size(self) -> tuple[Dim, Dim]:
        """The sides of the largest square image that is no more than `default_output_length` tokens."""
        side = isqrt(self.default_output_length) * self.pooling_kernel_size * self.patch_size
        return side, side


def grid(config: Gemma4VisionConfig, size: tuple[Dim, Dim] | None) -> tuple[Dim, Dim]:
    """Returns an image's patches and its tokens. Raises ConfigError unless they are whole squares."""
    assert size is not None  # the architecture declares its default
    unit = config.patch_size * config.pooling_kernel_size
    for side in size:
        if has_value(side) and has_value(unit) and side % unit:
            raise ConfigError(
                f"image_size {size[0]}x{size[1]} is that after resizing: multiples of {unit}, "
                f"{config.pooling_kernel_size} patches of {config.patch_size} pixels"
            )
    rows, columns = (exact_div(side, config.patch_size, "image_size / patch_size") for side in size)
    tokens = exact_div(rows * columns, config.pooling_kernel_size**2, "patches / pooling_kernel_size squared")
    return rows * columns, tokens


def image_states(
    config: Gemma4VisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> Mapping[Dim, Value]:
    """Returns the patches of each image, (images, patches, width), after all layers. Raises ConfigError for other
    layers, which no model reads."""
    if any(index not in (0, config.num_hidden_layers) for index in wanted):
        raise ConfigError(f"layers {list(wanted)} of Gemma 4's tower are not read: its pooled tokens are")
    images, (count, _) = workload.batch, grid(config, workload.image_size)
    width, patch = config.hidden_size, config.patch_size
    pixels = b.input("pixel_values", (images, count, CHANNELS * patch**2))
    places = b.input("pixel_position_ids", (images, count, 2), "int64")
    padding = b.apply("all", b.apply("eq", places, name="no_place"), name="padding", dim=-1)
    padding = b.apply("reshape", padding, name="padding_of_each", shape=(images, count, 1))
    b.hold(padding)
    with b.scope("patch_embedder"):
        x = b.apply("scale", b.apply("shift", pixels, name="centred"), name="scaled")
        x = b.apply("linear", x, b.parameter("input_proj.weight", (width, CHANNELS * patch**2)), name="input_proj")
        table = b.parameter("position_embedding_table", (2, config.position_embedding_size, width))
        known = []
        from_zero = b.apply("clamp", places, name="from_zero")
        for place, word in enumerate(("columns", "rows")):
            ids = b.apply("select", from_zero, name=f"{word}_ids", dim=2, index=place)
            rows = b.apply("select", table, name=f"{word}_table", dim=0, index=place)
            known.append(b.apply("embedding", ids, rows, name=word))
        positions = b.apply("masked_fill", b.apply("add", *known, name="positions"), padding, name="places_alone")
        x = b.apply("add", x, positions, name="with_positions")
    b.hold(x)
    with b.scope("encoder"):
        tables = turns(config, b, images, count)
        b.hold(*tables)
        last = b.repeat("layers", config.num_hidden_layers, layer(config, workload), x, constants=tables)
    return {0: x, config.num_hidden_layers: last}


def turns(config: Gemma4VisionConfig, b: Builder, images: Dim, count: Dim) -> tuple[Value, ...]:
    """Returns the cosines and sines of each patch's column and row, (patches, d_head / 2) each: four tables."""
    quarter = exact_div(config.head_dim, 4, "head_dim / 4, a pair for each side")
    with b.scope("rotary_emb"):
        places = b.apply("constant", name="places", shape=(count, 2, 1), dtype="float32")
        rates = b.apply("constant", name="inv_freq", shape=(quarter,), dtype="float32")
        freqs = b.apply("mul", places, rates, name="freqs")
        found: list[Value] = []
        for function in ("cos", "sin"):
            each = b.apply("split", b.apply(function, freqs, name=function), name=f"{function}_sides", parts=2, dim=1)
            halves = [
                b.apply("reshape", part, name=f"{function}_{word}", shape=(count, quarter))
                for part, word in zip(each, ("columns", "rows"), strict=True)
            ]
            table = b.apply("concat", *(half for half in halves for _ in "ab"), name=f"{function}_table", dim=-1)
            if b.dtype != "float32":
                table = b.apply("cast", table, name=f"{function}_narrowed", dtype=b.dtype)
            found += b.apply("split", table, name=f"{function}_parts", parts=2)
    return tuple(found)


def layer(config: Gemma4VisionConfig, workload: Workload) -> Callable[..., Value]:
    """Returns the body of one layer: norms before and after attention, and before and after the network."""
    width, clipping = config.hidden_size, config.use_clipped_linears
    a = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.head_dim,
        scaled=False,
        causal=False,
        unmasked=True,
        dropout=config.attention_dropout,
    )

    def body(b: Builder, x: Value, *tables: Value) -> Value:
        b.hold(x)
        y = normed_by(b, "input_layernorm", x, NORM)
        with b.scope("self_attn"):
            b.hold(y)
            q, k, v = projected(config, a, b, y, tables)
            y, weights = attended(a, workload, b, q, k, v, {})
            y = clipped(b, "o_proj", y, width, clipping=clipping)
        b.hold(*weights)
        x = b.apply("add", x, normed_by(b, "post_attention_layernorm", y, NORM), name="attn_residual")
        y = normed_by(b, "pre_feedforward_layernorm", x, NORM)
        with b.scope("mlp"):
            b.hold(y)
            inner = config.intermediate_size
            gate = clipped(b, "gate_proj", y, inner, clipping=clipping)
            gate = activated(b, ACTIVATIONS[config.hidden_activation], gate)
            y = b.apply("mul", gate, clipped(b, "up_proj", y, inner, clipping=clipping), name="gated")
            y = clipped(b, "down_proj", y, width, clipping=clipping)
        y = normed_by(b, "post_feedforward_layernorm", y, NORM)
        found: Value = b.apply("add", x, y, name="mlp_residual")
        return found

    return body


def projected(
    config: Gemma4VisionConfig, a: Attention, b: Builder, x: Value, tables: tuple[Value, ...]
) -> tuple[Value, ...]:
    """Returns queries, keys and values, (images, heads, patches, d_head), each head normalized; queries and keys are
    rotated, a half of each head by the column and a half by the row."""
    found = []
    norms = {"q": ("q_norm", NORM), "k": ("k_norm", NORM), "v": ("v_norm", GAINLESS)}
    for label, (name, kind) in norms.items():
        heads = a.heads if label == "q" else a.kv_heads
        y = clipped(b, f"{label}_proj", x, heads * a.d_head, clipping=config.use_clipped_linears)
        y = head_normed(b, y, heads, a.d_head, label, name, kind)
        if label != "v":  # the library joins the halves while a patch's heads lie side by side
            halves = b.apply("split", y, name=f"{label}_sides", parts=2)
            turned = []
            for half, cos, sin, word in zip(halves, tables[:2], tables[2:], ("columns", "rows"), strict=True):
                half = b.apply("rotary_embedding", half, cos, sin, name=f"{label}_{word}", composed=True)
                turned.append(b.apply("transpose", half, name=f"{label}_{word}_by_patch", dims=(1, 2)))
            y = b.apply("concat", *turned, name=f"{label}_turned", dim=-1)
            y = b.apply("transpose", y, name=f"{label}_by_head", dims=(1, 2))
        found.append(y)
    return tuple(found)


def pooled(config: Gemma4VisionConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the tokens of all images, (tokens, width): means of squares of patches, by a product with a matrix that
    says which patches are a token's; larger by a constant, and standardized if the model does."""
    images, count, width = x.spec.shape
    _, tokens = grid(config, workload.image_size)
    with b.scope("pooler"):
        outside = b.apply("constant", name="outside", shape=(images, count, 1), dtype="bool")
        x = b.apply("masked_fill", x, outside, name="without_padding")
        if not equal(count, tokens):
            squares = b.apply("constant", name="square_ids", shape=(images, count), dtype="int64")
            weights = b.apply("one_hot", squares, name="squares", classes=tokens)
            weights = b.apply("scale", b.apply("cast", weights, name="shares", dtype="float32"), name="weights")
            empty = b.apply("all", b.apply("eq", weights, name="no_share"), name="empty", dim=1)
            valid = b.apply("logical_not", empty, name="valid")
            weights = b.apply("transpose", weights, name="squares_first", dims=(1, 2))
            wide = x if b.dtype == "float32" else b.apply("cast", x, name="wide", dtype="float32")
            x = b.apply("matmul", weights, wide, name="means")
            x = x if b.dtype == "float32" else b.apply("cast", x, name="narrowed", dtype=b.dtype)
        else:
            valid = b.apply("reshape", outside, name="valid", shape=(images, count))
        x = x if b.dtype == "float32" else b.apply("cast", x, name="wide_again", dtype="float32")
        x = b.apply("scale", x, name="scaled")
    x = b.apply("index", x, valid, name="tokens", dims=(0,), count=images * tokens)
    if config.standardize:
        for operator, name, word in (("sub", "std_bias", "standardized"), ("mul", "std_scale", "standardized_scaled")):
            ends = b.parameter(name, (width,), buffer=True)
            x = b.apply(operator, x, b.apply("cast", ends, name=f"{name}_wide", dtype="float32"), name=word)
    return x if b.dtype == "float32" else b.apply("cast", x, name="tokens_narrowed", dtype=b.dtype)


def looked(config: Gemma4VisionConfig, workload: Workload, b: Builder) -> Value:
    """Adds the whole tower; the builder is in its scope. Returns the tokens of all images, (tokens, width)."""
    return pooled(config, workload, b, image_states(config, workload, b)[config.num_hidden_layers])


def build(config: Gemma4VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images to their tokens."""
    return looked(config, workload, b)


NO_COST: Mapping[str, Any] = dict.fromkeys(
    ("rope_parameters", "attention_bias", "global_head_dim", "max_position_embeddings", "video_seq_length")
)
ARCHITECTURE = Architecture(
    "gemma4_vision",
    Gemma4VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=NO_COST,
    model_types=("gemma4_vision",),
    losses=SUM_ALONE,
    doc="Gemma 4's tower alone: patches with places in two tables, means of squares of them.",
)
