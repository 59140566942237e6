"""BigBird: BERT's layers with attention in blocks for long texts; short ones are attended to in full.

Zaheer et al., 2020 (arXiv:2007.14062).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen, less
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.activations import activation as activation_key
from graphacct_architectures.banded import padded_length
from graphacct_architectures.classifier import classified
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, NEXT, SEQUENCE, SPANS, BertConfig, of_class
from graphacct_architectures.encoders.parts.blocks import in_blocks
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder, of_first, of_spans
from graphacct_architectures.encoders.parts.layer import core, head_width
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, merge_heads, split_heads

BERTS = {f"BigBird{name.removeprefix('Bert')}": name for name in CLASSES if name not in (CAUSAL, NEXT)}
BERTS["BigBirdForCausalLM"] = CAUSAL
"""BERT's class for each of BigBird's."""
SPARSE, FULL = "block_sparse", "original_full"


@frozen(kw_only=True)
class BigBirdConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("BigBirdModel", tuple(BERTS))
    vocab_size: Dim = fields.size(50358)
    hidden_act: str = activation_key("gelu_new")
    max_position_embeddings: Dim = fields.size(4096)
    attention_type: str = fields.choice(SPARSE, (SPARSE, FULL))
    use_bias: bool = fields.flag(True)
    rescale_embeddings: bool = fields.flag(False)
    block_size: Dim = fields.size(64)
    num_random_blocks: Dim = fields.size(3)
    prefix: ClassVar[str] = "bert"


def describe(config: BigBirdConfig) -> Encoder:
    """Returns the encoder with its pooler, which every class but that for questions has, and its class's heads."""
    if config.add_cross_attention:
        raise ConfigError("add_cross_attention is True: BigBird as a decoder beside an encoder is not modelled")
    name = BERTS[config.architectures]
    found = of_class(config, name)
    classifiers = {
        SEQUENCE: of_first(config, ACTIVATIONS[config.hidden_act]),
        SPANS: attrs.evolve(of_spans(config), outputs=2),  # whatever num_labels says
    }
    return attrs.evolve(
        found,
        pooler="pooler",
        pooled=name != SPANS,
        types_sliced=True,
        written_out=True,
        classifier=classifiers.get(name, found.classifier),
    )


def stream(config: BigBirdConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output, without the padding of blocks."""
    seq, size = workload.seq_len, config.block_size
    assert seq is not None
    sparse = config.attention_type == SPARSE and less((5 + 2 * config.num_random_blocks) * size, seq, assumed=False)
    length = padded_length(seq, size) if sparse else seq
    ids = b.input("input_ids", (workload.batch, seq), "int64")
    if not equal(length, seq):
        ids = b.apply("pad", ids, name="input_ids_padded", padding=((0, length - seq),))
    inside = attrs.evolve(workload, seq_len=length)
    entering = rescaled if config.rescale_embeddings else None
    x = embedded(attrs.evolve(e, embedding_norm=""), inside, b, entering=entering, ids=ids)
    with b.scope("embeddings"):
        x = layer_norm(b, "LayerNorm", x)
    b.hold(x)
    x = through(attrs.evolve(e, causal=e.causal and not sparse), inside, b, x, attend=partial(attend, config, sparse))
    return x if equal(length, seq) else b.apply("slice", x, name="without_padding", dim=1, start=0, length=seq)


def rescaled(b: Builder, x: Value) -> Value:
    """Returns tokens' rows times the root of their width."""
    return b.apply("scale", x, name="rescaled")


def attend(
    config: BigBirdConfig, sparse: bool, e: Encoder, workload: Workload, b: Builder, x: Value, mask: Value | None = None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and the weights of full attention."""
    names, width = (e.names.query, e.names.key, e.names.value), head_width(e)
    parts = [linear(b, name, x, e.width, bias=config.use_bias) for name in names]
    with b.scope(e.names.attention):
        q, k, v = (split_heads(b, part, e.heads, width, label) for part, label in zip(parts, "qkv", strict=True))
        if not sparse:
            return core(e, workload, b, q, k, v, mask)
        b.hold(q, k, v)
        return merge_heads(b, in_blocks(b, q, k, v, config.block_size, config.num_random_blocks)), ()


def finished(
    config: BigBirdConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None
) -> tuple[Value, ...]:
    """Returns the logits of the ends of an answer, which have a network of their own."""
    if BERTS[config.architectures] != SPANS:
        return ()
    found, drop = describe(config).classifier, config.hidden_dropout_prob
    assert found is not None
    with b.scope("qa_classifier"):
        y = linear(b, "intermediate.dense", dropped(b, "dropout", x, drop, workload), config.intermediate_size)
        y = activation(b, ACTIVATIONS[config.hidden_act], y, "intermediate.intermediate_act_fn")
        y = dropped(b, "output.dropout", linear(b, "output.dense", y, config.hidden_size), drop, workload)
        y = layer_norm(b, "output.LayerNorm", b.apply("add", y, x, name="output_residual"))
        return classified(found, workload, b, y)


ARCHITECTURE = encoder(
    "big_bird",
    BigBirdConfig,
    describe,
    PresetFiles(__file__),
    doc="BigBird: BERT's layers with attention in blocks, alone or with the head of a class.",
    configured=stream,
    finished=finished,
    no_cost=dict.fromkeys(("sep_token_id", "gradient_checkpointing")),
)
