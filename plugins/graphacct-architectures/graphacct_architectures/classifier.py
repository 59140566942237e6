"""Classification heads: classes or spans, as the transformers library puts them on top of an encoder."""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, frozen, has_value
from graphacct_architectures.layers import activation, dropped, linear, norm

EOS = "eos"
"""The values of `reads` that take one token of the decoder's per text."""


@frozen(eq=False)
class Classifier:
    """Logits of classes, or of the first and last tokens of spans.

    Attributes:
        name: The projection to the logits.
        outputs: The number of logits.
        reads: The input: `tokens` (logits of each), the `first` token or the `last`, the `mean` of all, `eos` (the
            token that ends the encoder's text), or the encoder's `pooled` output; `gathered` is the last, which the
            class reads by an index of each number.
        dense: The name of a projection before it; empty for none.
        width: Its width.
        activation: The operator or operators after that projection; empty for none.
        early_dropout: The dropout probability of its input, in training.
        dropout: The dropout probability of the last projection's input, in training.
        spans: Whether each token has two logits: for the start and for the end of a span.
        averaged: Whether the first projection's output is averaged over tokens.
        bias: Whether the last projection has a bias.
        norm: The name of a norm after the first projection's activation; empty for none.
        dense_bias, norm_bias: Whether the first projection and this norm have a bias.
        pooled: Whether the text's logits are the last token's, although all tokens' logits are computed.
    """

    name: str
    outputs: Dim
    reads: str = "tokens"
    dense: str = ""
    width: Dim = 0
    activation: str = ""
    early_dropout: float = 0.0
    dropout: float = 0.0
    spans: bool = False
    averaged: bool = False
    bias: bool = True
    pooled: bool = False
    norm: str = ""
    dense_bias: bool = True
    norm_bias: bool = True


def classified(c: Classifier, workload: Workload, b: Builder, x: Value, ids: Value | None = None) -> tuple[Value, ...]:
    """Returns the logits of x (…, width). For spans, the logits of starts and of ends are two outputs. A classifier
    whose logits are `pooled` needs the token ids (batch, seq)."""
    if c.spans and has_value(c.outputs) and c.outputs != 2:
        raise ConfigError(f"num_labels is {c.outputs}: a token begins a span or ends one, which makes 2")
    x = dropped(b, f"{c.name}_early_drop", x, c.early_dropout, workload)
    if c.dense:
        x = linear(b, c.dense, x, c.width, bias=c.dense_bias)
        x = b.apply("mean", x, name="pooled", dim=1) if c.averaged else x
    if c.activation:
        x = activation(b, c.activation, x, f"{c.name}_act")
    if c.norm:
        x = norm(b, c.norm, x, "layer_norm", bias=c.norm_bias)
    x = linear(b, c.name, dropped(b, f"{c.name}_drop", x, c.dropout, workload), c.outputs, bias=c.bias)
    if c.pooled:
        assert ids is not None
        return (last_token(b, x, ids),)
    if not c.spans:
        return (x,)
    ends = b.apply("split", x, name="starts_and_ends", parts=2)
    columns = [b.apply("select", end, name=f"{label}_column", dim=-1) for label, end in zip(SPANS, ends, strict=True)]
    return tuple(b.apply("contiguous", x, name=label) for label, x in zip(SPANS, columns, strict=True))


def last_token(b: Builder, logits: Value, ids: Value) -> Value:
    """Returns the logits of each text's last token that is no padding: read by the text's row and the token's place,
    which is found in the ids. (The library's class takes the last place of all if its file names no padding.)"""
    batch = ids.spec.shape[0]
    rows = b.apply("reshape", b.apply("arange", name="row_ids", n=batch), name="rows", shape=(batch,))
    last = b.apply("argmax", b.apply("cast", ids, name="no_padding", dtype="int32"), name="last_tokens")
    pooled: Value = b.apply("index_pairs", logits, rows, last, name="pooled_logits")
    return pooled


SPANS = ("start_logits", "end_logits")


def scored(c: Classifier | None) -> bool:
    """Returns whether a head gives logits of classes or of places in the text, which a cross-entropy needs."""
    return c is not None and not equal(c.outputs, 1)


def token(b: Builder, x: Value, which: str) -> Value:
    """Returns the part of x (batch, seq, width) that a head reads: all, the first or last token, or the mean of all.
    A `gathered` token is read by indices that are written out for each of its numbers, and kept."""
    if which == "tokens":
        return x
    if which == "mean":
        return b.apply("mean", x, name="mean", dim=1)
    if which == "gathered":
        batch, _, width = x.spec.shape
        places = b.apply("full", name="last_places", shape=(batch, 1, width), dtype="int64")
        rows: Value = b.apply("gather", x, places, name="last_tokens", dim=1)
        return b.apply("reshape", rows, name="last_token", shape=(batch, width))
    index = {} if which == "first" else {"index": -1}
    return b.apply("select", x, name=f"{which}_token", dim=1, **index)
