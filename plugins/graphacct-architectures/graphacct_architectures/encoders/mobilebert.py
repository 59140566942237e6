"""MobileBERT: thin layers between bottlenecks, several feed-forward networks in each, and rows of three tokens.

Sun et al., 2020 (arXiv:2004.02984).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, differ, equal, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.activations import activation as activation_key
from graphacct_architectures.classifier import classified
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, MASKED, PRETRAINING, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.parts.layer import core
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, resident, split_heads

BERTS = {f"Mobile{name}": name for name in CLASSES if name != CAUSAL}
"""BERT's class for each of MobileBERT's."""
NO_NORM, LAYER_NORM = "no_norm", "layer_norm"


@frozen(kw_only=True)
class MobileBertConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("MobileBertModel", tuple(BERTS))
    hidden_size: Dim = fields.size(512)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(4)
    intermediate_size: Dim = fields.size(512)
    hidden_act: str = activation_key("relu")
    hidden_dropout_prob: float = fields.probability(0.0)
    embedding_size: Dim = fields.size(128)
    trigram_input: bool = fields.flag(True)
    use_bottleneck: bool = fields.flag(True)
    intra_bottleneck_size: Dim = fields.size(128)
    use_bottleneck_attention: bool = fields.flag(False)
    key_query_shared_bottleneck: bool = fields.flag(True)
    num_feedforward_networks: Dim = fields.size(4)
    normalization_type: str = fields.choice(NO_NORM, (NO_NORM, LAYER_NORM))
    classifier_activation: bool = fields.flag(True)
    prefix: ClassVar[str] = "mobilebert"

    @property
    def inner_width(self) -> Dim:
        """The width between the bottlenecks."""
        return self.intra_bottleneck_size if self.use_bottleneck else self.hidden_size


def describe(config: MobileBertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's classifier. Raises ConfigError for queries that are
    wider than their projection."""
    shared = config.use_bottleneck_attention or config.key_query_shared_bottleneck
    if config.use_bottleneck and not shared and differ(config.hidden_size, config.intra_bottleneck_size):
        raise ConfigError(
            "key_query_shared_bottleneck is False: queries of hidden_size do not fit their projection of "
            f"intra_bottleneck_size {config.intra_bottleneck_size}"
        )
    return attrs.evolve(
        of_class(config, BERTS[config.architectures]),
        causal=False,
        crossed=False,
        head=None,
        embedding_width=config.embedding_size,
        types_made=True,
        pooler="pooler.dense" if config.classifier_activation else "",
    )


def stream(config: MobileBertConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    wide = attrs.evolve(e, embedding_norm="", dropout=0.0)
    x = embedded(wide, workload, b, entering=partial(transformed, config), row_width=e.width)
    with b.scope("embeddings"):
        x = dropped(b, "dropout", normed(config, b, "LayerNorm", x), e.dropout, workload)
    b.hold(x)
    return through(e, workload, b, x, body=partial(layer, config))


def transformed(config: MobileBertConfig, b: Builder, x: Value) -> Value:
    """Returns tokens' rows (batch, seq, embedding_size) beside those of the next and the last one, projected to the
    stream's width."""
    seq = x.spec.shape[1]
    if config.trigram_input:
        after = b.apply("slice", x, name="next_rows", dim=1, start=1, length=seq - 1)
        before = b.apply("slice", x, name="last_rows", dim=1, start=0, length=seq - 1)
        after = b.apply("pad", after, name="next_padded", padding=((0, 1), (0, 0)))
        before = b.apply("pad", before, name="last_padded", padding=((1, 0), (0, 0)))
        x = b.apply("concat", after, x, before, name="trigrams", dim=2)
    name = "embedding_transformation"
    if config.trigram_input or not equal(config.embedding_size, config.hidden_size):
        return linear(b, name, x, config.hidden_size)
    weight = b.parameter(f"{name}.weight", (config.hidden_size, config.embedding_size))
    resident(b, name, weight, b.parameter(f"{name}.bias", (config.hidden_size,)))
    return x


def normed(config: MobileBertConfig, b: Builder, name: str, x: Value) -> Value:
    """Returns x normalized, or only scaled and shifted."""
    if config.normalization_type == LAYER_NORM:
        return layer_norm(b, name, x)
    width = x.spec.shape[-1:]
    with b.scope(name):
        y = b.apply("mul", x, b.parameter("weight", width), name="scaled")
        return b.apply("add", y, b.parameter("bias", width), name="shifted")


def layer(config: MobileBertConfig, e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Applies a bottleneck, attention, the networks and a projection back to the stream's width."""
    b.hold(x)
    width = config.inner_width
    query = key = value = entering = x
    if config.use_bottleneck:
        with b.scope("bottleneck"):
            entering = normed(config, b, "input.LayerNorm", linear(b, "input.dense", x, width))
            if config.use_bottleneck_attention:
                query = key = value = entering
                if config.key_query_shared_bottleneck:
                    unused(config, b, "attention")
            elif config.key_query_shared_bottleneck:
                query = key = normed(config, b, "attention.LayerNorm", linear(b, "attention.dense", x, width))
    outer = 0.0 if config.use_bottleneck else e.dropout
    parts = [
        linear(b, f"attention.self.{name}", part, width)
        for name, part in (("query", query), ("key", key), ("value", value))
    ]
    with b.scope("attention.self"):
        d_head = exact_div(width, e.heads, "width / num_attention_heads")
        q, k, v = (split_heads(b, part, e.heads, d_head, label) for part, label in zip(parts, "qkv", strict=True))
        y, weights = core(e, workload, b, q, k, v)
    b.hold(*weights)
    y = dropped(b, "attention.output.dropout", linear(b, "attention.output.dense", y, width), outer, workload)
    y = normed(config, b, "attention.output.LayerNorm", b.apply("add", y, entering, name="attention_residual"))
    if type(config.num_feedforward_networks) is not int:
        raise ConfigError(f"num_feedforward_networks is {config.num_feedforward_networks}: give a number")
    for index in range(config.num_feedforward_networks - 1):
        with b.scope(f"ffn.{index}"):
            inner = linear(b, "output.dense", grown(e, b, y), width)
            y = normed(config, b, "output.LayerNorm", b.apply("add", inner, y, name="residual"))
    inner = dropped(b, "output.dropout", linear(b, "output.dense", grown(e, b, y), width), outer, workload)
    y = normed(config, b, "output.LayerNorm", b.apply("add", inner, y, name="output_residual"))
    if not config.use_bottleneck:
        return y
    with b.scope("output.bottleneck"):
        y = dropped(b, "dropout", linear(b, "dense", y, e.width), e.dropout, workload)
        return normed(config, b, "LayerNorm", b.apply("add", y, x, name="residual"))


def grown(e: Encoder, b: Builder, x: Value) -> Value:
    """Returns x after a network's first projection and its activation."""
    return activation(b, e.activation, linear(b, "intermediate.dense", x, e.inner), "intermediate.intermediate_act_fn")


def unused(config: MobileBertConfig, b: Builder, name: str) -> None:
    """Adds the parameters of a bottleneck that does not run."""
    width = config.intra_bottleneck_size
    shape = (width, config.hidden_size)
    resident(
        b, f"{name}.dense", b.parameter(f"{name}.dense.weight", shape), b.parameter(f"{name}.dense.bias", (width,))
    )
    norm = f"{name}.LayerNorm"
    resident(b, norm, b.parameter(f"{norm}.weight", (width,)), b.parameter(f"{norm}.bias", (width,)))


def finished(
    config: MobileBertConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None
) -> tuple[Value, ...]:
    """Returns the logits of words, whose projection is the embedding's rows above rows of its own, and in pretraining
    those of whether the second sentence is the next one."""
    name = BERTS[config.architectures]
    if name not in (MASKED, PRETRAINING):
        return ()
    b.hold(x)
    width, narrow, words = config.hidden_size, config.embedding_size, config.vocab_size
    with b.scope("cls.predictions"):
        with b.scope("transform"):
            y = activation(b, ACTIVATIONS[config.hidden_act], linear(b, "dense", x, width), "transform_act_fn")
            y = layer_norm(b, "LayerNorm", y)
        table = f"{config.prefix}.embeddings.word_embeddings.weight"
        tied = config.tie_word_embeddings
        rows = b.parameter("decoder.weight", (words, narrow), tied_to=table if tied else "")
        rows = b.apply("transpose", rows, name="embedding_rows", dims=(0, 1))
        own = b.parameter("dense.weight", (width - narrow, words))
        y = b.apply("matmul", y, b.apply("concat", rows, own, name="rows", dim=0), name="products")
        bias = b.parameter("bias", (words,))
        b.apply("resident", bias, name="stored_bias")
        stored = b.parameter("decoder.bias", (words,), tied_to="cls.predictions.bias" if tied else "")
        logits = b.apply("add", y, stored, name="logits")
    follows = describe(config).classifier
    if follows is None:
        return (logits,)
    assert pooled is not None
    return (logits, *classified(follows, workload, b, pooled))


ARCHITECTURE = encoder(
    "mobilebert",
    MobileBertConfig,
    describe,
    PresetFiles(__file__),
    doc="MobileBERT: thin layers between bottlenecks, alone or with the head of a class.",
    configured=stream,
    finished=finished,
    always_scored=tuple(name for name, other in BERTS.items() if other in (MASKED, PRETRAINING)),
    no_cost={"true_hidden_size": None},
)
