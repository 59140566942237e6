"""Losses: the scalars that a training step starts its gradients from, under the names that users give them.

A loss is a function of a configuration, the model's outputs and a Builder, which adds its nodes and returns the scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, prod

if TYPE_CHECKING:
    Loss: TypeAlias = Callable[[Any, tuple[Value, ...], Builder], Value]


def total(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the sum of all outputs: each is summed, then the sums are added."""
    b.returned()
    first, *others = outputs
    result: Value = b.apply("sum", first, name="loss_0" if others else "loss")
    for index, other in enumerate(others, 1):
        part = b.apply("sum", other, name=f"loss_{index}")
        result = b.apply("add", result, part, name="loss" if index == len(others) else f"loss_to_{index}")
    return result


def cross_entropy(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the cross-entropy of the first output against one target per row of logits, computed after the model
    returned."""
    b.returned()
    return own_cross_entropy(config, outputs, b)


def own_cross_entropy(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the same, computed by the model itself: the values that its function holds stay in memory until then."""
    logits = outputs[0]
    rows = b.apply("reshape", logits, name="loss_rows", shape=(prod(logits.spec.shape[:-1]), logits.spec.shape[-1]))
    targets = b.input("targets", rows.spec.shape[:1], "int64")
    loss: Value = b.apply("cross_entropy", rows, targets, name="loss")
    return loss


def next_token(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the transformers library's loss of a causal language model, in float32: each position's target is the
    next token.

    The labels are padded by one and their first is dropped, so that no position of the logits is dropped.
    """
    logits = outputs[0]
    batch, seq, vocabulary = logits.spec.shape
    labels = b.input("labels", (batch, seq), "int64")
    padded = b.apply("pad", labels, name="loss_labels_padded", padding=((0, 1),))
    b.hold(padded)
    shifted = b.apply("slice", padded, name="loss_labels_shifted", dim=-1, start=1, length=seq)
    shifted = b.apply("contiguous", shifted, name="loss_labels_copied")
    targets = b.apply("reshape", shifted, name="loss_targets", shape=(batch * seq,))
    upcast = b.apply("cast", logits, name="loss_logits", dtype="float32")
    rows = b.apply("reshape", upcast, name="loss_rows", shape=(batch * seq, vocabulary))
    loss: Value = b.apply("cross_entropy", rows, targets, name="loss")
    return loss


def each_token(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the transformers library's loss of a classifier of tokens, in float32."""
    logits = outputs[0]
    batch, seq, classes = logits.spec.shape
    labels = b.input("labels", (batch, seq), "int64")
    rows = b.apply("reshape", logits, name="loss_rows", shape=(batch * seq, classes))
    targets = b.apply("reshape", labels, name="loss_targets", shape=(batch * seq,))
    upcast = b.apply("cast", rows, name="loss_logits", dtype="float32")
    loss: Value = b.apply("cross_entropy", upcast, targets, name="loss")
    return loss


def span(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the loss of a class that answers questions, computed after the model returned."""
    b.returned()
    return own_span(config, outputs, b)


def own_span(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the same, computed by the model itself: the mean of two cross-entropies over a text's tokens, whose
    targets are the answer's first token and its last, clamped to the text, as in the transformers library."""
    parts = []
    for label, logits in zip(("start", "end"), outputs, strict=True):
        places = b.input(f"{label}_positions", logits.spec.shape[:1], "int64")
        targets = b.apply("clamp", places, name=f"loss_{label}_targets")
        parts.append(b.apply("cross_entropy", logits, targets, name=f"loss_{label}"))
    return b.apply("scale", b.apply("add", *parts, name="loss_sum"), name="loss")


def words_and_pairs(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns BERT's loss of pretraining: the cross-entropy of the masked words, and that of whether the second
    sentence is the next one."""
    b.returned()
    parts = []
    for label, logits in zip(("words", "pairs"), outputs, strict=True):
        shape = logits.spec.shape
        rows = b.apply("reshape", logits, name=f"loss_{label}_rows", shape=(prod(shape[:-1]), shape[-1]))
        targets = b.input(f"{label}_targets", rows.spec.shape[:1], "int64")
        parts.append(b.apply("cross_entropy", rows, targets, name=f"loss_{label}"))
    return b.apply("add", *parts, name="loss")


SUM, CROSS_ENTROPY = "sum", "cross_entropy"
"""The names of the losses."""
LOSSES: Mapping[str, Loss] = {CROSS_ENTROPY: cross_entropy, SUM: total}
NEXT_TOKEN_LOSSES: Mapping[str, Loss] = {CROSS_ENTROPY: next_token, SUM: total}
SUM_ALONE: Mapping[str, Loss] = {SUM: total}
"""The losses of a model without class logits, which a cross-entropy needs."""


def classes(labels: Dim) -> bool:
    """Returns whether so many labels are classes: without labels there is no head, and one label is a number."""
    return not equal(labels, 0) and not equal(labels, 1)


def check_entropy(scored: bool, workload: Workload, name: str) -> None:
    """Raises ConfigError if a training step asks for the cross-entropy of a model without class logits."""
    if workload.phase == "train" and workload.loss == CROSS_ENTROPY and not scored:
        raise ConfigError(f"{name} has no logits for a cross_entropy: its loss is the sum of its outputs")


def entropy_if(scored: bool) -> str:
    """Returns the default loss: the cross-entropy of a model with class logits, or else the sum of the outputs."""
    return CROSS_ENTROPY if scored else SUM
