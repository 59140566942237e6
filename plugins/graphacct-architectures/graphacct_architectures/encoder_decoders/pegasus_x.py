"""PEGASUS-X: PEGASUS for long texts, whose encoder attends in blocks and to learned global tokens.

Phang et al., 2022 (arXiv:2208.04347). Global tokens see all others and are seen by all; blocks are staggered by half in
every other layer. Sinusoidal positions are made in each pass. The decoder is PEGASUS's, without biases in attention.
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
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.banded import padded_length, runs
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import whole
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.embeddings import embedded, looked_up
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.layers import activation, dropped, linear, merge_heads, split_heads

NORM = Norm(LAYER_NORM, bias=True)
LM, MODEL = "PegasusXForConditionalGeneration", "PegasusXModel"


@frozen(kw_only=True)
class PegasusXConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    vocab_size: Dim = fields.size(96103)
    max_position_embeddings: Dim = fields.size(16384)
    encoder_layers: Dim = fields.size(16, minimum=0)
    decoder_layers: Dim = fields.size(16)
    num_global_tokens: Dim = fields.size(32)
    block_size: Dim = fields.size(512)
    stagger_local_blocks: bool = fields.flag(True)


@frozen
class Part:
    """The names and sizes of the encoder's attention.

    Attributes:
        heads, d_head: Its heads, and their width.
        size: Tokens of a block.
        dropout: The dropout probability of the weights, in training.
    """

    heads: Dim
    d_head: Dim
    size: Dim
    dropout: float


def describe(config: PegasusXConfig) -> EncoderDecoder:
    """Returns an encoder of layers of its own, and PEGASUS's decoder."""
    count = config.max_position_embeddings
    table = Positions("embed_positions", count, count, computed=True)
    found = like_bart(
        config, LM, MODEL, norm_first=True, encoder_positions=table, decoder_positions=table, logits_bias=""
    )
    assert found.encoder is not None
    assert found.decoder is not None
    parts = tuple(
        attrs.evolve(part, module=attrs.evolve(part.module, bias=False, k_bias=False, written_out=True))
        if isinstance(part.module, Attention)
        else part
        for part in found.decoder.parts
    )
    encoder = attrs.evolve(found.encoder, own=partial(encoded, config))
    return attrs.evolve(found, encoder=encoder, decoder=attrs.evolve(found.decoder, parts=parts))


def encoded(
    config: PegasusXConfig, d: EncoderDecoder, stack: Stack, workload: Workload, b: Builder, ids: Value
) -> Value:
    """Returns the encoder's output for ids (batch, seq), whose stream is padded to whole blocks for the layers."""
    x = embedded(d, stack, workload, b, ids)
    batch, seq, width = x.spec.shape
    size = config.block_size
    if config.stagger_local_blocks and has_value(size) and size % 2:
        raise ConfigError(f"block_size is {size}: blocks that are staggered by half have an even number of tokens")
    length = padded_length(seq, size)
    if not equal(length, seq):
        x = b.apply("pad", x, name="padded", padding=((0, length - seq), (0, 0)))
    places = b.apply("arange", name="global_ids", batch=1, n=config.num_global_tokens)
    places = b.apply("expand", places, name="global_ids_each", shape=(batch, config.num_global_tokens))
    y = looked_up(b, "embed_global", places, config.num_global_tokens, width)
    heads = config.encoder_attention_heads
    part = Part(heads, exact_div(width, heads, "d_model / attention heads"), size, config.attention_dropout)
    if not equal(config.encoder_layers, 0):
        count = whole(config.encoder_layers, "encoder_layers")
        staggered = tuple(config.stagger_local_blocks and index % 2 == 1 for index in range(count))
        for start, times, moved in runs(staggered, count):
            body = partial(layer, config, part, moved, workload)
            x, y = b.repeat("layers", times, body, x, y, start=start)
    if not equal(length, seq):
        x = b.apply("slice", x, name="without_padding", dim=1, start=0, length=seq)
    return normed_by(b, "layer_norm", x, stack.norm_kind)


def layer(
    config: PegasusXConfig, part: Part, moved: bool, workload: Workload, b: Builder, x: Value, y: Value
) -> tuple[Value, Value]:
    """Returns tokens x (batch, seq, width) and global tokens y after one layer, whose network runs on each."""
    b.hold(x, y)
    tokens = normed_by(b, "self_attn_layer_norm", x, NORM)
    others = normed_by(b, "global_self_attn_layer_norm", y, NORM)
    half = exact_div(part.size, 2, "block_size / 2") if moved else 0
    if moved:
        tokens = b.apply("pad", tokens, name="staggered", padding=((half, half), (0, 0)))
    with b.scope("self_attn"):
        tokens, others = attended(part, workload, b, tokens, others)
    if moved:
        tokens = b.apply("slice", tokens, name="in_place", dim=1, start=half, length=x.spec.shape[1])
    found = []
    for label, stream, new in (("tokens", x, tokens), ("global", y, others)):
        new = dropped(b, f"{label}_attn_dropout", new, config.dropout, workload)
        stream = b.apply("add", stream, new, name=f"{label}_attn_residual")
        found.append(stream)
    return fed(config, workload, b, found[0], 0), fed(config, workload, b, found[1], 1)


def fed(config: PegasusXConfig, workload: Workload, b: Builder, x: Value, run: int) -> Value:
    """Returns a stream after the network, which runs on both in turn."""
    with b.turn(run):
        y = normed_by(b, "final_layer_norm", x, NORM)
        y = linear(b, "fc1", y, config.encoder_ffn_dim)
        y = activation(b, ACTIVATIONS[config.activation_function], y, "activation_fn")
        y = dropped(b, "act_dropout", y, config.activation_dropout, workload)
        y = linear(b, "fc2", y, x.spec.shape[-1])
        y = dropped(b, "mlp_dropout", y, config.dropout, workload)
        return b.apply("add", x, y, name="mlp_residual")


def attended(part: Part, workload: Workload, b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """Returns attention's outputs for tokens and global tokens; the builder is in its scope."""
    width = x.spec.shape[-1]
    sides = []
    for run, stream in enumerate((x, y)):
        with b.turn(run):
            heads = []
            for label in ("q", "k", "v"):
                z = linear(b, f"{label}_proj", stream, width, bias=False)
                if label == "q":
                    z = b.apply("scale", z, name="q_scaled")
                z = split_heads(b, z, part.heads, part.d_head, label)
                heads.append(b.apply("contiguous", z, name=f"{label}_contiguous"))
            sides.append(heads)
    (q, k, v), (global_q, global_k, global_v) = sides
    of_all = seeing_all(part, workload, b, global_q, (global_k, k), (global_v, v))
    of_blocks = in_blocks(part, workload, b, (q, k, v), global_k, global_v)
    outputs = []
    for run, z in enumerate((of_all, of_blocks)):
        with b.turn(run):
            outputs.append(linear(b, "out_proj", z, width, bias=False))
    return outputs[1], outputs[0]


def seeing_all(
    part: Part, workload: Workload, b: Builder, q: Value, keys: tuple[Value, Value], values: tuple[Value, Value]
) -> Value:
    """Returns the outputs of global tokens, heads side by side: they see each other and all tokens."""
    k = b.apply("concat", *keys, name="all_keys", dim=2)
    v = b.apply("concat", *values, name="all_values", dim=2)
    scores = b.apply("matmul", q, b.apply("transpose", k, name="all_keys_last", dims=(-2, -1)), name="global_scores")
    mask = b.apply("full", name="global_mask", shape=(q.spec.shape[0], 1, 1, k.spec.shape[2]), dtype=q.spec.dtype)
    weights = b.apply("softmax", b.apply("add", scores, mask, name="global_masked"), name="global_softmax")
    weights = dropped(b, "global_dropout", weights, part.dropout, workload)
    return merge_heads(b, b.apply("matmul", weights, v, name="global_values"))


def in_blocks(
    part: Part, workload: Workload, b: Builder, own: tuple[Value, Value, Value], global_k: Value, global_v: Value
) -> Value:
    """Returns the outputs of tokens, heads side by side: they see their block and the global tokens."""
    batch, heads, seq, d_head = own[0].spec.shape
    size, several = part.size, global_k.spec.shape[2]
    count = exact_div(seq, size, "positions / block_size")
    q, k, v = (
        b.apply("reshape", x, name=f"{label}_blocks", shape=(batch, heads, count, size, d_head))
        for x, label in zip(own, "qkv", strict=True)
    )
    to_global = b.apply("einsum", q, global_k, name="to_global", equation="bhnkf,bhgf->bhnkg")
    columns = b.apply("transpose", k, name="k_blocks_last", dims=(-2, -1))
    to_local = b.apply("matmul", q, columns, name="to_local")
    scores = b.apply("concat", to_global, to_local, name="local_scores", dim=-1)
    mask = b.apply("full", name="local_mask", shape=(batch, 1, count, 1, several + size), dtype=q.spec.dtype)
    weights = b.apply("softmax", b.apply("add", scores, mask, name="local_masked"), name="local_softmax")
    weights = dropped(b, "local_dropout", weights, part.dropout, workload)
    first, rest = b.apply("split", weights, name="local_weights", sizes=(several, size))
    if equal(several, 1):  # torch.einsum has no product of matrices here
        each = b.apply("reshape", global_v, name="global_v_each", shape=(batch, heads, 1, 1, d_head))
        of_global = b.apply("mul", first, each, name="of_global")
    else:
        of_global = b.apply("einsum", first, global_v, name="of_global", equation="bhnkg,bhgf->bhnkf")
    y = b.apply("add", of_global, b.apply("matmul", rest, v, name="of_local"), name="local_values")
    y = b.apply("permute", y, name="heads_last", dims=(0, 2, 3, 1, 4))
    y = b.apply("contiguous", y, name="local_contiguous")
    return b.apply("reshape", y, name="local_merged", shape=(batch, seq, heads * d_head))


ARCHITECTURE = encoder_decoder(
    "pegasus_x",
    PegasusXConfig,
    describe,
    PresetFiles(__file__),
    doc="PEGASUS-X: an encoder in blocks with global tokens, sinusoidal positions, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
)
