"""LiLT: RoBERTa's layers for texts beside narrow layers for layouts, which add their scores to each other's.

Wang et al., 2022 (arXiv:2202.13669).
"""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Names
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_first, of_spans, of_tokens
from graphacct_architectures.encoders.parts.layer import added, feed_forward, head_width, networked
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear, merge_heads, split_heads

MODEL, SEQUENCE, TOKENS, SPANS = (
    "LiltModel",
    "LiltForSequenceClassification",
    "LiltForTokenClassification",
    "LiltForQuestionAnswering",
)
LAYOUT = Names(
    query="attention.self.layout_query",
    key="attention.self.layout_key",
    value="attention.self.layout_value",
    out="attention.layout_output.dense",
    attention_norm="attention.layout_output.LayerNorm",
    up="layout_intermediate.dense",
    act="layout_intermediate.intermediate_act_fn",
    down="layout_output.dense",
    norm="layout_output.LayerNorm",
    label="layout_",
)


@frozen(kw_only=True)
class LiltConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, SEQUENCE, TOKENS, SPANS))
    pad_token_id: Dim = fields.size(0, minimum=0)
    channel_shrink_ratio: Dim = fields.size(4)
    max_2d_position_embeddings: Dim = fields.size(1024)


def describe(config: LiltConfig) -> Encoder:
    """Returns the encoder of texts with its pooler, or with its class's head."""
    name = config.architectures
    classifiers = {SEQUENCE: of_first(config, "tanh"), TOKENS: of_tokens(config), SPANS: of_spans(config)}
    return like_bert(
        config,
        "" if name == MODEL else "lilt",
        counted=True,
        usable=config.max_position_embeddings - config.pad_token_id - 1,
        causal=False,
        crossed=False,
        written_out=True,
        pooled=name == MODEL,
        classifier=classifiers.get(name),
    )


def stream(config: LiltConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output for the text."""
    small = attrs.evolve(
        e,
        width=floor_div(e.width, config.channel_shrink_ratio),
        inner=floor_div(e.inner, config.channel_shrink_ratio),
        names=LAYOUT,
    )
    with b.scope("embeddings"):
        places = b.apply("arange", name="position_ids", batch=workload.batch, n=workload.seq_len)
    x = embedded(e, workload, b, places=places)
    y = laid_out(config, small, workload, b, places)
    b.hold(x, y)
    x, _ = b.repeat(e.names.stack, e.count, partial(layer, e, small, workload), x, y)
    return x


def laid_out(config: LiltConfig, small: Encoder, workload: Workload, b: Builder, places: Value) -> Value:
    """Returns rows of each token's box: its sides, height and width side by side, projected, and its position."""
    each, rows = floor_div(config.hidden_size, 6), config.max_2d_position_embeddings
    box = b.input("bbox", (workload.batch, workload.seq_len, 4), "int64")
    with b.scope("layout_embeddings"):
        sides = [b.apply("select", box, name=f"side_{index}", dim=-1, index=index) for index in range(4)]
        tables = {name: b.parameter(f"{name}_position_embeddings.weight", (rows, each)) for name in "xyhw"}
        height, width = (b.apply("sub", sides[far], sides[near], name=name) for far, near, name in EXTENTS)
        parts = [
            b.apply("embedding", place, tables[name], name=f"{name}_position_embeddings{far}")
            for name, place, far in (
                *zip("xyxy", sides, ("", "", "_far", "_far"), strict=True),
                ("h", height, ""),
                ("w", width, ""),
            )
        ]
        y = b.apply("concat", *parts, name="box", dim=-1)
        y = linear(b, "box_linear_embeddings", y, small.width)
        at = embedding(b, "box_position_embeddings", places, config.max_position_embeddings, small.width)
        y = layer_norm(b, "LayerNorm", b.apply("add", y, at, name="with_positions"))
        return dropped(b, "dropout", y, small.dropout, workload)


EXTENTS = ((3, 1, "height"), (2, 0, "width"))
"""A box's height and width, as a side less another."""


def layer(e: Encoder, small: Encoder, workload: Workload, b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """Applies a layer to the text and to its layout; the scores of both are added for each."""
    b.hold(x, y)
    pairs = ((e, x, ""), (small, y, "layout_"))
    heads = []
    for stack, entering, word in pairs:
        names = zip((stack.names.query, stack.names.key, stack.names.value), "qkv", strict=True)
        parts = [(linear(b, name, entering, stack.width), label) for name, label in names]
        with b.scope("attention.self"):
            heads.append([split_heads(b, part, e.heads, head_width(stack), f"{word}{label}") for part, label in parts])
    outputs = []
    with b.scope("attention.self"):
        scores = []
        for (q, k, _), (_, _, word) in zip(heads, pairs, strict=True):
            keys = b.apply("transpose", k, name=f"{word}k_last", dims=(-2, -1))
            products = b.apply("matmul", q, keys, name=f"{word}scores")
            scores.append(b.apply("scale", products, name=f"{word}scale"))
        for (_, _, v), (_, _, word), (own, other) in zip(heads, pairs, (scores, scores[::-1]), strict=True):
            both = b.apply("add", own, other, name=f"{word}both")
            weights = b.apply("softmax", both, name=f"{word}softmax")
            weights = dropped(b, f"{word}dropout", weights, e.attention_dropout, workload)
            with b.scope(f"{word}merged" if word else ""):
                outputs.append(merge_heads(b, b.apply("matmul", weights, v, name=f"{word}values")))
    found = []
    for (stack, entering, _), output in zip(pairs, outputs, strict=True):
        attended = added(stack, workload, b, output, entering)
        found.append(networked(stack, workload, b, attended, feed_forward))
    return found[0], found[1]


ARCHITECTURE = encoder(
    "lilt",
    LiltConfig,
    describe,
    PresetFiles(__file__),
    doc="LiLT: layers for texts beside narrow ones for layouts, alone or with the head of a class.",
    configured=stream,
)
