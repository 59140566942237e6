"""Funnel Transformer: blocks of layers over ever fewer tokens, and a decoder that reads the text at full length again.

Dai et al., 2020 (arXiv:2006.03236). The first layer of each later block has pooled queries. Classes of whole texts have
the blocks alone.
"""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, fields, frozen, less
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier, classified, scored, token
from graphacct_architectures.encoders.canine import interleaved
from graphacct_architectures.encoders.parts.family import built, chooses
from graphacct_architectures.encoders.parts.pooled import (
    Shared,
    after,
    averaged,
    before,
    distances,
    given,
    layer,
    pooled_length,
    rows,
)
from graphacct_architectures.layers import activation as act
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear

BASE_MODEL, MODEL, REPLACED, WORDS = "FunnelBaseModel", "FunnelModel", "FunnelForPreTraining", "FunnelForMaskedLM"
SEQUENCE, TOKENS = "FunnelForSequenceClassification", "FunnelForTokenClassification"
SPANS, CHOICE = "FunnelForQuestionAnswering", "FunnelForMultipleChoice"
CLASSES = (MODEL, BASE_MODEL, REPLACED, WORDS, SEQUENCE, TOKENS, SPANS, CHOICE)


def _repeats(value: Any, field: attrs.Attribute[Any]) -> tuple[Dim, ...] | None:
    if value is not None and not isinstance(value, (list, tuple)):
        raise ConfigError(f"{field.name} is a list of counts, or null, not {brief(value)}")
    return None if value is None else tuple(fields.bounded(part, field.name) for part in value)


@frozen(kw_only=True)
class FunnelConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    vocab_size: Dim = fields.size(30522)
    block_sizes: tuple[Dim, ...] = fields.counts((4, 4, 4))
    block_repeats: tuple[Dim, ...] | None = fields.checked_field(_repeats, None)
    num_decoder_layers: Dim = fields.size(2)
    d_model: Dim = fields.size(768)
    n_head: Dim = fields.size(12)
    d_head: Dim = fields.size(64)
    d_inner: Dim = fields.size(3072)
    hidden_act: str = activation("gelu_new")
    hidden_dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.0)
    pooling_type: str = fields.choice("mean", ("mean", "max"))
    attention_type: str = fields.choice("relative_shift", ("relative_shift", "factorized"))
    separate_cls: bool = fields.flag(True)
    truncate_seq: bool = fields.flag(True)
    pool_q_only: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.block_repeats is not None and len(self.block_repeats) != len(self.block_sizes):
            raise ConfigError(
                f"block_repeats has {len(self.block_repeats)} counts and block_sizes {len(self.block_sizes)}: give one "
                "for each block"
            )

    @property
    def factorized(self) -> bool:
        """Whether scores of distances are products of both places' sines and cosines."""
        return self.attention_type == "factorized"

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """How many layers each block has, and how often each layer runs. Raises ConfigError for a symbol."""
        repeats = self.block_repeats or (1,) * len(self.block_sizes)
        for key, counts in (("block_sizes", self.block_sizes), ("block_repeats", repeats)):
            if any(type(count) is not int for count in counts):
                raise ConfigError(f"{key} has a symbol: blocks are written out, so give numbers")
        return tuple((int(size), int(times)) for size, times in zip(self.block_sizes, repeats, strict=True))


def classifier(config: FunnelConfig) -> Classifier | None:
    """Returns the class's classifier, or None."""
    name = config.architectures
    if name in (SEQUENCE, CHOICE):
        count = 1 if chooses(config) else config.num_labels
        return Classifier(
            "classifier.linear_out",
            count,
            "first",
            dense="classifier.linear_hidden",
            width=config.d_model,
            activation="tanh",
            dropout=config.hidden_dropout,
        )
    if name == TOKENS:
        return Classifier("classifier", config.num_labels, dropout=config.hidden_dropout)
    return Classifier("qa_outputs", config.num_labels, spans=True) if name == SPANS else None


def build(config: FunnelConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output, or to the class's logits."""
    name = config.architectures
    alone = name in (MODEL, BASE_MODEL)
    with b.scope("" if alone else "funnel"):
        x = stream(config, workload, b, whole=name in (BASE_MODEL, SEQUENCE, CHOICE))
    b.hold(x)
    if alone:
        return x
    if name == WORDS:
        tied = "funnel.embeddings.word_embeddings.weight" if config.tie_word_embeddings else ""
        return linear(b, "lm_head", x, config.vocab_size, tied_to=tied)
    if name == REPLACED:
        with b.scope("discriminator_predictions"):
            y = act(b, ACTIVATIONS[config.hidden_act], linear(b, "dense", x, config.d_model))
            y = linear(b, "dense_prediction", y, 1)
            return b.apply("reshape", y, name="logits", shape=y.spec.shape[:2])
    found = classifier(config)
    assert found is not None
    return classified(found, workload, b, token(b, x, found.reads))


def stream(config: FunnelConfig, workload: Workload, b: Builder, *, whole: bool) -> Value:
    """Returns the last block's output (batch, pooled, width) for classes of whole texts, or else the decoder's (batch,
    seq, width). Raises ConfigError for a text of one token, where the first is pooled apart."""
    batch, seq = workload.batch, workload.seq_len
    assert seq is not None
    if config.separate_cls and not less(1, seq, assumed=True):
        raise ConfigError(f"seq_len is {seq}: separate_cls pools the first token apart, so a text has at least 2")
    ids = b.input("input_ids", (batch, seq), "int64")
    mask = b.apply("full", name="attention_mask", shape=(batch, seq), dtype="float32")
    types = b.apply("full", name="token_type_ids", shape=(batch, seq), dtype="int64")
    with b.scope("embeddings"):
        x = layer_norm(b, "layer_norm", embedding(b, "word_embeddings", ids, config.vocab_size, config.d_model))
        x = dropped(b, "dropout", x, config.hidden_dropout, workload)
    b.hold(x, mask, types)
    with b.scope("encoder"):
        x, early = blocks(config, workload, b, x, b.apply("cast", mask, name="mask", dtype=b.dtype), types)
    if whole:
        return x
    b.hold(x, early, mask, types)
    with b.scope("decoder"):
        x = b.apply("add", upsampled(config, b, x, seq), early, name="both")
        shared, tables = structure(config, workload, b, x, mask, types)
        shared = attrs.evolve(shared, places=shared.places if config.factorized else tables[0][:1])
        b.hold(x, *shared.values)
        body = partial(plain, config, workload)
        return b.repeat("layers", config.num_decoder_layers, body, x, constants=shared.values)


def structure(
    config: FunnelConfig, workload: Workload, b: Builder, x: Value, mask: Value, types: Value
) -> tuple[Shared, list[tuple[Value, ...]]]:
    """Returns what layers share, and for each block its distances between tokens of it, and from them to the block
    before."""
    batch, seq, _ = x.spec.shape
    with b.scope("attention_structure"):
        places = distances(config, workload, b, seq)
        tables: list[tuple[Value, ...]] = []
        count = seq
        for at in range(0 if config.factorized else len(config.block_sizes)):
            longer, count = count, count if at == 0 else pooled_length(config, count)
            # distances from twice the number of queries to the number of keys below zero: 2 m + n, with m = n 2 n
            between = () if at == 0 else (rows(b, places[0], 2 * count + longer, f"pooling_{at}"),)
            tables.append((rows(b, places[0], 2 * count, f"no_pooling_{at}"), *between))
        column = b.apply("reshape", types, name="types_column", shape=(batch, seq, 1))
        row = b.apply("reshape", types, name="types_row", shape=(batch, 1, seq))
        same = b.apply("eq", column, row, name="same_type")
        of_class = b.apply("eq", types, name="of_class")
        of_class = b.apply(
            "bitwise_or",
            b.apply("reshape", of_class, name="of_class_column", shape=(batch, seq, 1)),
            b.apply("reshape", of_class, name="of_class_row", shape=(batch, 1, seq)),
            name="of_class_pairs",
        )
        same = b.apply("bitwise_or", of_class, same, name="token_type_mat")
        first: tuple[Value, ...] = ()
        if config.separate_cls:
            ones = b.apply("full", name="ones", shape=(seq - 1, seq - 1), dtype=b.dtype)
            first = (b.apply("pad", ones, name="cls_mask", padding=((1, 0), (1, 0))),)
    return Shared(places if config.factorized else (), same, mask, first), tables


def blocks(
    config: FunnelConfig, workload: Workload, b: Builder, x: Value, mask: Value, types: Value
) -> tuple[Value, Value]:
    """Returns the last block's output, and the hidden state that the decoder adds: that of as many layers as the first
    block has, counted by their runs."""
    shared, tables = structure(config, workload, b, x, mask, types)
    early = x
    for at, (size, times) in enumerate(config.blocks):
        places, across = (shared.places, shared.places) if config.factorized else (tables[at][:1], tables[at][-1:])
        start = 0
        if at and less(2 if config.separate_cls else 1, x.spec.shape[1], assumed=True):
            b.hold(x)
            with b.scope(f"pooling_{at}"):
                query = averaged(config, b, x, config.pooling_type, "hidden")
                shared = before(config, b, shared)
            keys = x if config.pool_q_only else query
            first = (
                shared if config.factorized else attrs.evolve(shared, places=across if config.pool_q_only else places)
            )
            b.hold(query, keys)
            with b.scope(f"blocks.{at}.0"), nullcontext() if times == 1 else b.turn(0):
                x = layer(config, workload, b, query, keys, first)
            with b.scope(f"pooled_{at}"):
                shared = after(config, b, shared)
            start = 1
        elif at and config.separate_cls and config.truncate_seq:
            raise ConfigError(
                f"seq_len {workload.seq_len} leaves block {at} {x.spec.shape[1]} tokens, too few to pool "
                "(separate_cls, truncate_seq): give a longer text"
            )
        own = shared if config.factorized else attrs.evolve(shared, places=places)
        runs = list(itertools.product(range(size), range(times)))[start:]
        if times == 1 and runs:
            body = partial(plain, config, workload)
            x = b.repeat(f"blocks.{at}", len(runs), body, x, constants=own.values, start=start)
        for done, (index, turn) in enumerate(runs if times > 1 else (), start + 1):
            b.hold(x)
            with b.scope(f"blocks.{at}.{index}"), b.turn(turn):
                x = layer(config, workload, b, x, x, own)
            early = x if (at, done) == (0, size) else early
        early = x if (at, times) == (0, 1) else early
    return x, early


def plain(config: FunnelConfig, workload: Workload, b: Builder, x: Value, *values: Value) -> Value:
    """Applies a layer whose queries and keys are the same tokens."""
    b.hold(x)
    return layer(config, workload, b, x, x, given(values, config.separate_cls))


def upsampled(config: FunnelConfig, b: Builder, x: Value, seq: Dim) -> Value:
    """Returns the blocks' output (batch, seq, width): each token as often as it stands for tokens of the text, the
    first once if it is pooled apart."""
    stride = 2 ** (len(config.block_sizes) - 1)
    if stride == 1:
        return x
    if not config.separate_cls:
        x = interleaved(b, x, stride, "upsampled")
        return b.apply("slice", x, name="upsampled_text", dim=1, start=0, length=seq)
    count = x.spec.shape[1]
    first = b.apply("slice", x, name="first", dim=1, start=0, length=1)
    rest = b.apply("slice", x, name="rest", dim=1, start=1, length=count - 1)
    rest = interleaved(b, rest, stride, "upsampled")
    if config.truncate_seq:
        rest = b.apply("pad", rest, name="upsampled_padded", padding=((0, stride - 1), (0, 0)))
    rest = b.apply("slice", rest, name="upsampled_text", dim=1, start=0, length=seq - 1)
    return b.apply("concat", first, rest, name="upsampled_whole", dim=1)


BASE = built(
    "funnel",
    FunnelConfig,
    build,
    PresetFiles(__file__),
    lambda config: config.architectures == WORDS or scored(classifier(config)),
    lambda config: 512,
    doc="Funnel Transformer: blocks over ever fewer tokens, with a decoder of the whole text or the head of a class.",
    aliases={"hidden_size": "d_model", "num_attention_heads": "n_head"},
    no_cost={"initializer_std": None, "max_position_embeddings": None, "type_vocab_size": None},
)
ARCHITECTURE = attrs.evolve(BASE, attention=("eager",))
