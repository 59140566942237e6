"""LongT5: T5 with an encoder that attends to neighbouring blocks and, if the file says, to sums of tokens.

Guo et al., 2022 (arXiv:2112.07916). With `transient-global` attention each layer adds up every `global_block_size`
tokens of its input, and all tokens see the normalized sums. The decoder is T5's.
"""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.banded import padded_length
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Stack
from graphacct_architectures.encoder_decoders.parts.embeddings import embedded
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.encoder_decoders.t5 import GATED, T5Config, t5
from graphacct_architectures.layers import dropped, linear

LM, MODEL, ENCODER = "LongT5ForConditionalGeneration", "LongT5Model", "LongT5EncoderModel"
LOCAL, GLOBAL = "local", "transient-global"
MODULES = {LOCAL: "LocalSelfAttention", GLOBAL: "TransientGlobalSelfAttention"}
NORM = Norm(upcast="statistics")


@frozen(kw_only=True)
class LongT5Config(T5Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, ENCODER))
    local_radius: Dim = fields.size(127)
    global_block_size: Dim = fields.size(16)
    encoder_attention_type: str = fields.choice(LOCAL, (LOCAL, GLOBAL))

    @property
    def scaled(self) -> bool:
        """Whether the head's input is scaled, whatever `scale_decoder_outputs` says."""
        return self.tie_word_embeddings

    @property
    def gated(self) -> bool:
        """Whether the network has a gate, whatever `is_gated_act` says."""
        return self.feed_forward_proj.startswith(GATED)

    @property
    def activation(self) -> str:
        """The network's operator, whatever `dense_act_fn` says."""
        kind = self.feed_forward_proj
        return "gelu_new" if kind == "gated-gelu" else ACTIVATIONS[kind.removeprefix(GATED)]

    @property
    def module(self) -> str:
        """The name of the encoder's attention."""
        return MODULES[self.encoder_attention_type]

    @property
    def block(self) -> Dim:
        """How many tokens a block has."""
        return self.local_radius + 1


def describe(config: LongT5Config) -> EncoderDecoder:
    """Returns T5's decoder, and an encoder of layers of its own."""
    found = t5(config, LM, alone=config.architectures == ENCODER)
    assert found.encoder is not None
    return attrs.evolve(found, encoder=attrs.evolve(found.encoder, own=partial(encoded, config)))


def encoded(config: LongT5Config, d: EncoderDecoder, stack: Stack, workload: Workload, b: Builder, ids: Value) -> Value:
    """Returns the encoder's output for ids (batch, seq)."""
    x = embedded(d, stack, workload, b, ids)
    bias = position_biases(config, b, x)
    b.hold(bias)
    network = next(part.module for part in stack.parts if isinstance(part.module, Mlp))
    body = partial(layer, config, network, workload)
    x = b.repeat("block", stack.count, body, x, constants=(bias,))
    x = normed_by(b, "final_layer_norm", x, NORM)
    return dropped(b, "last_drop", x, config.dropout_rate, workload)


def position_biases(config: LongT5Config, b: Builder, x: Value) -> Value:
    """Returns what all layers add to their scores, (batch, blocks, heads, block, keys): the first layer makes it."""
    batch, seq, _ = x.spec.shape
    block, heads, buckets = config.block, config.num_heads, config.relative_attention_num_buckets
    count = floor_div(padded_length(seq, block), block)
    with b.scope(f"block.0.layer.0.{config.module}"):
        table = b.parameter("relative_attention_bias.weight", (buckets, heads))
        near = b.apply("relative_buckets", name="buckets", queries=block, keys=3 * block)
        y = b.apply("embedding", near, table, name="relative_attention_bias")
        y = b.apply("permute", y, name="heads_first", dims=(2, 0, 1))
        y = b.apply("reshape", y, name="biases", shape=(1, 1, heads, block, 3 * block))
        mask = b.apply("full", name="mask", shape=(batch, count, 1, block, 3 * block), dtype="float32")
        y = b.apply("add", y, mask, name="position_bias")
        if config.encoder_attention_type == LOCAL:
            return y
        if y.spec.dtype != b.dtype:
            y = b.apply("cast", y, name="position_bias_narrowed", dtype=b.dtype)
        return b.apply("concat", y, side_biases(config, b, x), name="all_biases", dim=-1)


def side_biases(config: LongT5Config, b: Builder, x: Value) -> Value:
    """Returns the biases of tokens towards the sums, (batch, blocks, heads, block, sums); the builder is in the first
    layer's attention."""
    batch, seq, _ = x.spec.shape
    block, heads = config.block, config.num_heads
    sums, length = floor_div(seq, config.global_block_size), padded_length(seq, block)
    table = b.parameter("global_relative_attention_bias.weight", (config.relative_attention_num_buckets, heads))
    ids = b.apply("full", name="side_buckets", shape=(batch, seq, sums), dtype="int64")
    y = b.apply("embedding", ids, table, name="global_relative_attention_bias")
    y = b.apply("permute", y, name="side_heads_first", dims=(0, 3, 1, 2))
    mask = b.apply("full", name="side_mask", shape=(batch, 1, seq, sums), dtype="float32")
    y = b.apply("add", mask, y, name="side_bias")
    if not equal(length, seq):
        y = b.apply("pad", y, name="side_padded", padding=((0, length - seq), (0, 0)))
    y = b.apply("reshape", y, name="side_blocks", shape=(batch, heads, floor_div(length, block), block, sums))
    y = b.apply("transpose", y, name="side_by_block", dims=(1, 2))
    return y if y.spec.dtype == b.dtype else b.apply("cast", y, name="side_narrowed", dtype=b.dtype)


def layer(config: LongT5Config, network: Mlp, workload: Workload, b: Builder, x: Value, bias: Value) -> Value:
    """Adds one layer."""
    b.hold(x)
    with b.scope("layer.0"):
        b.hold(x)
        y = normed_by(b, "layer_norm", x, NORM)
        b.hold(y)
        with b.scope(config.module):
            y = attended(config, workload, b, y, bias)
        y = dropped(b, "attn_dropout", y, config.dropout_rate, workload)
        x = b.apply("add", x, y, name="attn_residual")
    with b.scope("layer.1"):
        b.hold(x)
        y = normed_by(b, "layer_norm", x, NORM)
        with b.scope(network.module):
            b.hold(y)
            y = mlp(network, b, y, workload)
        y = dropped(b, "mlp_dropout", y, config.dropout_rate, workload)
        return b.apply("add", x, y, name="mlp_residual")


def attended(config: LongT5Config, workload: Workload, b: Builder, x: Value, bias: Value) -> Value:
    """Returns the output of attention in blocks over x (batch, seq, width); the builder is in its scope."""
    batch, seq, width = x.spec.shape
    heads, d_head, block = config.num_heads, config.d_kv, config.block
    inner, length = heads * d_head, padded_length(seq, block)
    count = floor_div(length, block)
    sums = of_blocks(config, b, x) if config.encoder_attention_type == GLOBAL else None

    def projected(label: str, rows: Value, run: int = 0) -> Value:
        if sums is None:
            z = linear(b, label, rows, inner, bias=False)
        else:
            with b.turn(run):
                z = linear(b, label, rows, inner, bias=False)
        shape = (batch, rows.spec.shape[1], heads, d_head)
        return b.apply("reshape", z, name=f"{label}_heads_{run}", shape=shape)

    def in_blocks(label: str) -> Value:
        z = projected(label, x)
        if not equal(length, seq):
            z = b.apply("pad", z, name=f"{label}_padded", padding=((0, length - seq), (0, 0), (0, 0)))
        return b.apply("reshape", z, name=f"{label}_blocks", shape=(batch, count, block, heads, d_head))

    def with_neighbours(label: str) -> Value:
        z = b.apply("pad", in_blocks(label), name=f"{label}_framed", padding=((1, 1), (0, 0), (0, 0), (0, 0)))
        parts = [b.apply("slice", z, name=f"{label}_{start}", dim=1, start=start, length=count) for start in range(3)]
        z = b.apply("concat", *parts, name=f"{label}_near", dim=2)
        if sums is None:
            return z
        side = projected(label, sums, 1)
        several = side.spec.shape[1]
        side = b.apply("reshape", side, name=f"{label}_side", shape=(batch, 1, several, heads, d_head))
        side = b.apply("repeat", side, name=f"{label}_side_each", times=(1, count, 1, 1, 1))
        return b.apply("concat", z, side, name=f"{label}_all", dim=2)

    q = in_blocks("q")
    k, v = with_neighbours("k"), with_neighbours("v")
    b.hold(q, k, v)
    scores = b.apply("einsum", q, k, name="scores", equation="bnqhd,bnkhd->bnhqk")
    scores = b.apply("add", scores, bias, name="biased")
    if scores.spec.dtype != b.dtype:  # added in place
        scores = b.apply("cast", scores, name="biased_narrowed", dtype=b.dtype)
    wide = {} if scores.spec.dtype == "float32" else {"dtype": "float32"}
    weights = b.apply("softmax", scores, name="softmax", **wide)
    if wide:
        weights = b.apply("cast", weights, name="weights_narrowed", dtype=b.dtype)
    weights = dropped(b, "attn_dropout", weights, config.dropout_rate, workload)
    y = b.apply("einsum", weights, v, name="values", equation="bnhqk,bnkhd->bnqhd")
    y = b.apply("contiguous", y, name="values_contiguous")
    y = b.apply("reshape", y, name="merged", shape=(batch, length, inner))
    if not equal(length, seq):
        y = b.apply("slice", y, name="without_padding", dim=1, start=0, length=seq)
    return linear(b, "o", y, width, bias=False)


def of_blocks(config: LongT5Config, b: Builder, x: Value) -> Value:
    """Returns the normalized sums of every few tokens, (batch, sums, width). Raises ConfigError if the text has fewer
    tokens than one sum."""
    batch, seq, _ = x.spec.shape
    sums = floor_div(seq, config.global_block_size)
    if has_value(sums) and sums < 1:
        raise ConfigError(f"encoder_seq_len is {seq}: a text has at least global_block_size {config.global_block_size}")
    ones = b.apply("full", name="of_block", shape=(batch, seq, sums), dtype="int64")
    ones = b.apply("cast", ones, name="of_block_cast", dtype=x.spec.dtype)
    y = b.apply("einsum", x, ones, name="global_inputs", equation="bnd,bng->bgd")
    return normed_by(b, "global_input_layer_norm", y, NORM)


ARCHITECTURE = encoder_decoder(
    "longt5",
    LongT5Config,
    describe,
    PresetFiles(__file__),
    doc="LongT5: T5 with an encoder in blocks, and sums of tokens that all see.",
    context=lambda config: config.n_positions,
    aliases={"hidden_size": "d_model", "num_attention_heads": "num_heads", "head_dim": "d_kv"},
)
