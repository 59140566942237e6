"""What an encoder's classes predict: the pooler, and words for every token."""

from __future__ import annotations

import attrs

from graphacct import Builder, Value, equal
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.layers import activation, layer_norm, linear

POOLED = "pooled"
"""The value of `reads` for the pooler's output."""


def pooler(e: Encoder, b: Builder, x: Value) -> Value:
    """Returns the first token's output, projected if the pooler has a projection."""
    if not e.pooler:
        return b.apply("select", x, name="pooler_first", dim=1)
    scope, _, name = e.pooler.rpartition(".")
    with b.scope(scope):
        first = b.apply("select", x, name="first" if scope else f"{name}_first", dim=1)
        return b.apply("tanh", linear(b, name, first, e.width), name="activation" if scope else f"{name}_activation")


def predicted(e: Encoder, head: Head, b: Builder, x: Value) -> Value:
    """Returns the prediction for every token."""
    b.hold(x)
    y = x
    if head.dense:
        y = activation(b, head.activation, linear(b, head.dense, x, head.width), f"{head.dense}_act")
    if head.norm:
        y = layer_norm(b, head.norm, y)
    words = f"{e.module}.embeddings.word_embeddings.weight"
    if head.of_words:
        with b.scope(head.decoder):
            table = attrs.evolve(b.parameter("weight", (head.outputs, e.width)), name=words)
            y = b.apply("matmul", y, b.apply("transpose", table, name="words", dims=(0, 1)), name="products")
            return b.apply("add", y, b.parameter(head.bias, (head.outputs,)), name="logits")
    tied = words if head.tied and not e.head_owns else ""
    weight = b.parameter(f"{head.decoder}.weight", (head.outputs, y.spec.shape[-1]), tied_to=tied)
    if head.bias and not head.added:  # stored under its own name and the projection's
        name = f"{head.bias.rpartition('.')[0]}.stored_bias".removeprefix(".")
        b.apply("reshape", b.parameter(head.bias, (head.outputs,)), name=name, shape=(head.outputs,))
    if head.added:  # a bias of the head, and no projection's
        y = b.apply("linear", y, weight, name=head.decoder)
        return b.apply("add", y, b.parameter(head.bias, (head.outputs,)), name="logits")
    own = not (head.tied if head.bias_tied is None else head.bias_tied)
    bias = b.parameter(f"{head.decoder}.bias", (head.outputs,), tied_to="" if own else head.bias)
    y = b.apply("linear", y, weight, bias, name=head.decoder)
    return b.apply("select", y, name="logits", dim=-1) if equal(head.outputs, 1) else y
