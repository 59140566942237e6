"""TAPAS: BERT's layers over a question and a table, whose cells are told apart by seven kinds of token types.

Herzig et al., 2020 (arXiv:2004.02349). The class for questions selects cells and a way to sum them up. What it computes
of each cell and column beside the products, means and masks of single numbers, is not counted, and of its losses the
sum alone is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, equal, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_pooled
from graphacct_architectures.layers import dropped, embedding, linear

MODEL, MASKED = "TapasModel", "TapasForMaskedLM"
QUESTIONS, SEQUENCE = "TapasForQuestionAnswering", "TapasForSequenceClassification"
TYPES = (3, 256, 256, 2, 256, 256, 10)


def table_sizes() -> Any:
    """Returns the rows of the tables of token types."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Dim, ...]:
        rows = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
        if not rows or not all(has_value(size) and size > 0 for size in rows):
            raise ConfigError(f"{field.name} is {brief(value)}, not a list of the rows of tables")
        return rows

    return fields.checked_field(check, TYPES)


@frozen(kw_only=True)
class TapasConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, QUESTIONS, SEQUENCE))
    max_position_embeddings: Dim = fields.size(1024)
    type_vocab_sizes: tuple[Dim, ...] = table_sizes()
    num_aggregation_labels: Dim = fields.size(0, minimum=0)
    select_one_column: bool = fields.flag(True)


def describe(config: TapasConfig) -> Encoder:
    """Returns the encoder with its pooler, which every class but that of masked words has."""
    name = config.architectures
    head = Head(
        "cls.predictions.transform.dense",
        config.hidden_size,
        ACTIVATIONS[config.hidden_act],
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    return like_bert(
        config,
        "" if name == MODEL else "tapas",
        causal=False,
        counted=True,
        token_types=0,
        written_out=True,
        pooled=name != MASKED,
        head=head if name == MASKED else None,
        classifier=of_pooled(config, config.num_labels) if name == SEQUENCE else None,
    )


def stream(config: TapasConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""

    def typed(b: Builder, x: Value) -> Value:
        shape = (workload.batch, workload.seq_len, len(config.type_vocab_sizes))
        kinds = b.apply("full", name="token_type_ids", shape=shape, dtype="int64")
        for index, size in enumerate(config.type_vocab_sizes):
            own = b.apply("select", kinds, name=f"token_types_{index}", dim=2, index=index)
            rows = embedding(b, f"token_type_embeddings_{index}", own, size, e.width)
            x = b.apply("add", x, rows, name=f"with_token_types_{index}")
        return x

    x = embedded(e, workload, b, extra=typed)
    b.hold(x)
    return through(e, workload, b, x)


def finished(config: TapasConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None) -> tuple[Value, ...]:
    """Returns the logits of each token, and of the ways to sum up cells, of the class for questions."""
    if config.architectures != QUESTIONS:
        return ()
    assert pooled is not None
    if not config.select_one_column:
        raise ConfigError("select_one_column is not True: the class for questions runs without labels only if it is")
    x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    logits = of_weights(b, x, "output")
    columns = of_weights(b, b.apply("detach", x, name="seen_by_columns"), "column_output")
    logits = b.apply("scale", logits, name="temperature")
    column = b.apply("detach", columns, name="chosen_column")
    logits = b.apply("add", logits, column, name="in_chosen_column")
    if equal(config.num_aggregation_labels, 0):
        return (logits,)
    return logits, linear(b, "aggregation_classifier", pooled, config.num_aggregation_labels)


def of_weights(b: Builder, x: Value, name: str) -> Value:
    """Returns the product of each token's row with one row of weights, and a number added."""
    weights = b.parameter(f"{name}_weights", (x.spec.shape[-1],))
    y = b.apply("einsum", x, weights, name=f"{name}_products", equation="bsj,j->bs")
    return b.apply("add", y, b.parameter(f"{name}_bias", ()), name=f"{name}_logits")


LEARNING = (
    *("positive_label_weight", "aggregation_loss_weight", "use_answer_as_supervision", "answer_loss_importance"),
    *("use_normalized_answer_loss", "huber_loss_delta", "temperature", "aggregation_temperature"),
    *("use_gumbel_for_cells", "use_gumbel_for_aggregation", "average_approximation_function"),
    *("cell_selection_preference", "answer_loss_cutoff", "max_num_rows", "max_num_columns", "average_logits_per_cell"),
    *("allow_empty_column_selection", "init_cell_selection_weights_to_zero", "reset_position_index_per_cell"),
    *("disable_per_token_loss", "aggregation_labels", "no_aggregation_label_index"),
)
"""Keys of the losses, and of what is done with single numbers."""


def uncounted(config: TapasConfig, workload: Workload, dtype: str) -> Sequence[str]:
    """Returns what a training step saves besides."""
    if config.architectures != QUESTIONS:
        return ()
    return ("a step of TapasForQuestionAnswering also saves numbers of each cell of a table, which are not counted",)


ARCHITECTURE = encoder(
    "tapas",
    TapasConfig,
    describe,
    PresetFiles(__file__),
    doc="TAPAS: BERT's layers over questions and tables, alone or with the head of a class.",
    configured=stream,
    finished=finished,
    no_cost={**dict.fromkeys(LEARNING), "type_vocab_size": None},
)
ARCHITECTURE = attrs.evolve(ARCHITECTURE, inexact=uncounted)
