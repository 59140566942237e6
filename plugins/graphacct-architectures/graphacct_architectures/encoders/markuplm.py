"""MarkupLM: RoBERTa's layers with embeddings of each token's path in a web page.

Li et al., 2021 (arXiv:2110.08518).
"""

from __future__ import annotations

from functools import partial

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_pooled, of_spans, of_tokens
from graphacct_architectures.encoders.parts.layer import core, projected
from graphacct_architectures.layers import activation, dropped, embedding, linear

MODEL, SEQUENCE, TOKENS, SPANS = (
    "MarkupLMModel",
    "MarkupLMForSequenceClassification",
    "MarkupLMForTokenClassification",
    "MarkupLMForQuestionAnswering",
)


@frozen(kw_only=True)
class MarkupLMConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, SEQUENCE, TOKENS, SPANS))
    pad_token_id: Dim = fields.size(0, minimum=0)
    max_xpath_tag_unit_embeddings: Dim = fields.size(256)
    max_xpath_subs_unit_embeddings: Dim = fields.size(1024)
    xpath_unit_hidden_size: Dim = fields.size(32)
    max_depth: Dim = fields.size(50)


def describe(config: MarkupLMConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head."""
    name = config.architectures
    classifiers = {
        SEQUENCE: of_pooled(config, config.num_labels),
        TOKENS: of_tokens(config),
        SPANS: of_spans(config),
    }
    return like_bert(
        config,
        "" if name == MODEL else "markuplm",
        counted=True,
        usable=config.max_position_embeddings - config.pad_token_id - 1,
        causal=False,
        crossed=False,
        pooled=name in (MODEL, SEQUENCE),
        classifier=classifiers.get(name),
    )


def stream(config: MarkupLMConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b, extra=partial(with_paths, config, workload))
    b.hold(x)
    ones = b.apply("full", name="attention_mask", shape=(workload.batch, 1, 1, workload.seq_len), dtype=b.dtype)
    mask = b.apply("scale", b.apply("shift", ones, name="unseen"), name="mask")
    return through(e, workload, b, x, mask, attend=attend)


def with_paths(config: MarkupLMConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns tokens' rows with those of their paths: at each depth a tag and its number, joined, and two projections.

    Raises ConfigError if the depth is a symbol, because each has tables of its own.
    """
    depth = config.max_depth
    if type(depth) is not int:
        raise ConfigError(f"max_depth {depth} is a symbol: each depth has tables of its own, so give a number")
    sizes = (workload.batch, workload.seq_len, depth)
    joined = []
    with b.scope("xpath_embeddings"):
        for name, count in (
            ("tag", config.max_xpath_tag_unit_embeddings),
            ("subs", config.max_xpath_subs_unit_embeddings),
        ):
            ids = b.apply("full", name=f"{name}_ids", shape=sizes, dtype="int64")
            rows = []
            for index in range(depth):
                column = b.apply("select", ids, name=f"{name}_{index}", dim=-1, index=index)
                table = f"xpath_{name}_sub_embeddings.{index}"
                rows.append(embedding(b, table, column, count, config.xpath_unit_hidden_size))
            joined.append(b.apply("concat", *rows, name=f"{name}_path", dim=-1))
        y = b.apply("add", *joined, name="paths")
        y = linear(b, "xpath_unitseq2_inner", y, 4 * config.hidden_size)
        y = dropped(b, "dropout", activation(b, "relu", y, "activation"), config.hidden_dropout_prob, workload)
        y = linear(b, "inner2emb", y, config.hidden_size)
        name, width = "xpath_unitseq2_embeddings", config.xpath_unit_hidden_size * depth
        b.apply("resident", b.parameter(f"{name}.weight", (config.hidden_size, width)), name=name)
        b.apply("resident", b.parameter(f"{name}.bias", (config.hidden_size,)), name=f"{name}_bias")
    return b.apply("add", x, y, name="with_paths")


def attend(e: Encoder, workload: Workload, b: Builder, x: Value, mask: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights, of a softmax in float32."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        return core(e, workload, b, q, k, v, mask, upcast=True)


ARCHITECTURE = encoder(
    "markuplm",
    MarkupLMConfig,
    describe,
    PresetFiles(__file__),
    doc="MarkupLM: a text encoder with paths in a web page, alone or with the head of a class.",
    configured=stream,
    no_cost=dict.fromkeys(("tag_pad_id", "subs_pad_id")),
)
