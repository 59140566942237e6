"""Classification heads: classes or spans, as the transformers library puts them on top of an encoder."""

from __future__ import annotations

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, same
from graphacct_architectures.layers import activation, dropped, linear

EOS = "eos"
"""What a classifier reads that reads one token of the decoder's for each text."""


@attrs.frozen(eq=False)  # each method that attrs generates is compiled on the way of every report
class Classifier:
    """Logits of classes, or of the first and last tokens of spans.

    Attributes:
        name: The projection to the logits.
        outputs: How many there are.
        reads: What they are made of: `tokens` (logits of each), the `first` token or the `last`, the `mean` of all,
            `eos` (the token that ends the encoder's text), or the encoder's `pooled` output.
        dense: The projection before; empty for none.
        width: Its width.
        activation: The operator behind it, or several; empty for none.
        early_dropout: The probability with which what it reads is dropped in training.
        dropout: The probability with which what the last projection reads is.
        spans: Whether each token has two logits, that it is a span's first and that it is its last.
        averaged: Whether what the projection before makes of tokens is averaged.
        bias: Whether the last projection has a bias.
        pooled: Whether the last token's logits are those of the text, though they are worked out of all.
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


def classified(c: Classifier, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the logits made of x (…, width); those of spans' starts and of their ends are two outputs."""
    if c.spans and type(c.outputs) is int and c.outputs != 2:
        raise ConfigError(f"num_labels is {c.outputs}: a token begins a span or ends one, which makes 2")
    x = dropped(b, f"{c.name}_early_drop", x, c.early_dropout, workload)
    if c.dense:
        x = linear(b, c.dense, x, c.width)
        x = b.apply("mean", x, name="pooled", dim=1) if c.averaged else x
    if c.activation:
        x = activation(b, c.activation, x, f"{c.name}_act")
    x = linear(b, c.name, dropped(b, f"{c.name}_drop", x, c.dropout, workload), c.outputs, bias=c.bias)
    if c.pooled:
        return (b.apply("select", x, name="pooled_logits", dim=1, index=-1),)
    if not c.spans:
        return (x,)
    ends = b.apply("split", x, name="starts_and_ends", parts=2)
    columns = [b.apply("select", end, name=f"{label}_column", dim=-1) for label, end in zip(SPANS, ends, strict=True)]
    return tuple(b.apply("contiguous", x, name=label) for label, x in zip(SPANS, columns, strict=True))


SPANS = ("start_logits", "end_logits")


def checked_loss(c: Classifier | None, workload: Workload, name: str) -> None:
    """Raises ConfigError for a cross-entropy of what is no one set of logits."""
    if workload.phase == "train" and workload.loss == "cross_entropy" and (c is None or c.spans or same(c.outputs, 1)):
        raise ConfigError(f"{name} has no logits for a cross_entropy: its loss is the sum of its outputs")


def token(b: Builder, x: Value, which: str) -> Value:
    """Returns what a head reads of x (batch, seq, width): all of it, or the first or last token or the mean of all."""
    if which == "tokens":
        return x
    if which == "mean":
        return b.apply("mean", x, name="mean", dim=1)
    index = {} if which == "first" else {"index": -1}
    return b.apply("select", x, name=f"{which}_token", dim=1, **index)
