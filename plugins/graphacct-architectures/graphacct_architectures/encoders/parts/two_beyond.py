"""Shared by encoders whose positions begin two rows into the table: their keys and their classes."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import of_first, of_spans, of_tokens

SPARE = 2
"""Rows of the position tables before the first position."""
TASKS = (
    "Model",
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
)


def classes(stem: str) -> tuple[str, ...]:
    """Returns the names of a family's classes."""
    return tuple(f"{stem}{task}" for task in TASKS)


def like_nystromformer(config: Any, stem: str, prefix: str) -> Encoder:
    """Returns an encoder alone, or with its class's head; it has no pooler."""
    task = config.architectures.removeprefix(stem)
    act = ACTIVATIONS[config.hidden_act]
    words = Head(
        "cls.predictions.transform.dense",
        config.hidden_size,
        act,
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    choice = Classifier("classifier", 1, "first", dense="pre_classifier", width=config.hidden_size, activation="relu")
    classifiers = {
        "ForSequenceClassification": of_first(config, act),
        "ForTokenClassification": of_tokens(config),
        "ForQuestionAnswering": of_spans(config),
        "ForMultipleChoice": choice,
    }
    return like_bert(
        config,
        "" if task == "Model" else prefix,
        positions=config.max_position_embeddings + SPARE,
        causal=False,
        crossed=False,
        types_sliced=True,
        written_out=True,
        head=words if task == "ForMaskedLM" else None,
        classifier=classifiers.get(task),
    )
