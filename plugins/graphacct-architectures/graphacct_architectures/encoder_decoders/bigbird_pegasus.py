"""BigBird-PEGASUS: PEGASUS with learned positions and an encoder that attends in blocks to long texts.

Zaheer et al., 2020 (arXiv:2007.14062). Texts that are not longer than a few blocks are attended to in full, as in
BigBird.
"""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, equal, exact_div, fields, frozen, less
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.activations import activation as activation_key
from graphacct_architectures.banded import padded_length
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import Attention, EncoderDecoder, Head, Positions, Stack
from graphacct_architectures.encoder_decoders.parts.embeddings import embedded
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.encoders.parts.blocks import in_blocks
from graphacct_architectures.layers import activation, dropped, linear, merge_heads, split_heads

STEM = "BigBirdPegasus"
LM, MODEL = f"{STEM}ForConditionalGeneration", f"{STEM}Model"
SPARSE, FULL = "block_sparse", "original_full"


@frozen(kw_only=True)
class BigBirdPegasusConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(
        LM, (LM, MODEL, f"{STEM}ForSequenceClassification", f"{STEM}ForQuestionAnswering", f"{STEM}ForCausalLM")
    )
    vocab_size: Dim = fields.size(96103)
    max_position_embeddings: Dim = fields.size(4096)
    encoder_layers: Dim = fields.size(16, minimum=0)
    decoder_layers: Dim = fields.size(16)
    activation_function: str = activation_key("gelu_new")
    num_labels: Dim = fields.label_count()
    attention_type: str = fields.choice(SPARSE, (SPARSE, FULL))
    block_size: Dim = fields.size(64)
    num_random_blocks: Dim = fields.size(3)
    use_bias: bool = fields.flag(False)


def describe(config: BigBirdPegasusConfig) -> EncoderDecoder:
    """Returns an encoder of layers of its own, and PEGASUS's decoder; both end in a norm of the embedding's name."""
    count = config.max_position_embeddings
    table = Positions("embed_positions", count, count)
    found = like_bart(config, LM, MODEL, norm_first=True, encoder_positions=table, decoder_positions=table)
    assert found.decoder is not None
    parts = tuple(
        attrs.evolve(part, module=attrs.evolve(part.module, bias=config.use_bias, k_bias=config.use_bias))
        if isinstance(part.module, Attention)
        else part
        for part in found.decoder.parts
    )
    decoder = attrs.evolve(found.decoder, parts=parts, norm="layernorm_embedding")
    if found.encoder is None:  # its class has a head of its own, whatever the file says
        return attrs.evolve(found, decoder=decoder, head=Head(tied=False))
    encoder = attrs.evolve(found.encoder, norm="layernorm_embedding", own=partial(encoded, config))
    return attrs.evolve(found, encoder=encoder, decoder=decoder)


def is_sparse(config: BigBirdPegasusConfig, seq: Dim) -> bool:
    """Returns whether the encoder attends in blocks to so many tokens."""
    most = (5 + 2 * config.num_random_blocks) * config.block_size
    return config.attention_type == SPARSE and less(most, seq, assumed=False)


def encoded(
    config: BigBirdPegasusConfig, d: EncoderDecoder, stack: Stack, workload: Workload, b: Builder, ids: Value
) -> Value:
    """Returns the encoder's output for ids (batch, seq), whose stream is padded to whole blocks for the layers."""
    x = embedded(d, stack, workload, b, ids)
    batch, seq, width = x.spec.shape
    size = config.block_size
    sparse = is_sparse(config, seq)
    length = padded_length(seq, size) if sparse else seq
    if not equal(length, seq):
        pad = b.apply("full", name="padding_ids", shape=(batch, length - seq), dtype="int64")
        tied = d.table if d.shared and d.shares else ""
        table = b.parameter(f"{stack.table}.weight", (d.vocab_size, width), tied_to=tied)
        rows = b.apply("embedding", pad, table, name="padding")
        rows = b.apply("scale", rows, name="padding_scaled")
        x = b.apply("concat", x, rows, name="padded", dim=1)
    if not equal(stack.count, 0):
        x = b.repeat("layers", stack.count, partial(layer, config, stack, sparse, workload), x)
    x = normed_by(b, stack.norm, x, stack.norm_kind)
    return x if equal(length, seq) else b.apply("slice", x, name="without_padding", dim=1, start=0, length=seq)


def layer(config: BigBirdPegasusConfig, stack: Stack, sparse: bool, workload: Workload, b: Builder, x: Value) -> Value:
    """Adds one layer."""
    b.hold(x)
    width = x.spec.shape[-1]
    y = normed_by(b, "self_attn_layer_norm", x, stack.norm_kind)
    with b.scope("self_attn"):
        with b.scope("self"):
            y, *weights = attended(config, sparse, workload, b, y)
        y = linear(b, "output", y, width, bias=config.use_bias)
    b.hold(*weights)
    x = b.apply("add", x, dropped(b, "attn_dropout", y, config.dropout, workload), name="attn_residual")
    y = normed_by(b, "final_layer_norm", x, stack.norm_kind)
    y = activation(b, ACTIVATIONS[config.activation_function], linear(b, "fc1", y, config.encoder_ffn_dim))
    y = linear(b, "fc2", y, width)
    return b.apply("add", x, dropped(b, "mlp_dropout", y, config.dropout, workload), name="mlp_residual")


def attended(config: BigBirdPegasusConfig, sparse: bool, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the heads' outputs side by side, and the weights of full attention; the builder is in its scope."""
    width, heads = x.spec.shape[-1], config.encoder_attention_heads
    d_head = exact_div(width, heads, "d_model / attention heads")
    q, k, v = (
        split_heads(b, linear(b, name, x, width, bias=config.use_bias), heads, d_head, label)
        for name, label in (("query", "q"), ("key", "k"), ("value", "v"))
    )
    b.hold(x, q, k, v)
    if sparse:
        return (merge_heads(b, in_blocks(b, q, k, v, config.block_size, config.num_random_blocks)),)
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
    weights = dropped(b, "attn_dropout", weights, config.attention_dropout, workload)
    return merge_heads(b, b.apply("matmul", weights, v, name="values")), weights


def inexact(config: BigBirdPegasusConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: masks of attention in blocks."""
    seq = workload.encoder_seq_len or workload.seq_len
    if config.attention_type == FULL or not is_sparse(config, seq):
        return ()
    return ("saved tensors of attention in blocks: the library also saves masks of the blocks",)


ARCHITECTURE = encoder_decoder(
    "bigbird_pegasus",
    BigBirdPegasusConfig,
    describe,
    PresetFiles(__file__),
    doc="BigBird-PEGASUS: learned positions, an encoder in blocks, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases={**KEYS, "attention_probs_dropout_prob": "attention_dropout"},
    language_model=f"{STEM}ForCausalLM",
    inexact=inexact,
)
