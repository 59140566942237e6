"""Shared by families of encoders: BERT's keys, the classes of each family, and the Architecture around them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeAlias

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, Value, Workload, brief, equal, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.classifier import Classifier, scored
from graphacct_architectures.crossing import Crossing, Described
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.encode import Stream, encode
from graphacct_architectures.encoders.parts.heads import POOLED
from graphacct_architectures.losses import (
    CROSS_ENTROPY,
    SUM,
    check_entropy,
    cross_entropy,
    entropy_if,
    next_token,
    span,
    total,
    words_and_pairs,
)

CHOICE = "ForMultipleChoice"
"""How the names of classes end that choose one of several answers to a question."""
COMPUTED = ("alibi", "rope", "rotary")
"""Kinds of positions that classes without a table of them have."""
Model: TypeAlias = Callable[[Any, Workload, Builder], Value | tuple[Value, ...]]


@frozen(kw_only=True)
class EncoderConfig:
    """The keys that BERT and related families have, with the defaults of BERT's class."""

    vocab_size: Dim = fields.size(30522)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.1)
    max_position_embeddings: Dim = fields.size(512)
    type_vocab_size: Dim = fields.size(2)
    classifier_dropout: float | None = fields.optional_probability()
    num_labels: Dim = fields.label_count()
    is_decoder: bool = fields.flag(False)
    add_cross_attention: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout


def of_pooled(config: Any, count: Dim) -> Classifier:
    """Returns a classifier of sequences with `count` logits, from the pooler's output; 1 for each answer to choose
    from."""
    return Classifier("classifier", count, POOLED, dropout=config.last_dropout)


def of_first(config: Any, act: str) -> Classifier:
    """Returns a classifier of sequences: two projections of the first token."""
    drop = config.last_dropout
    return Classifier(
        "classifier.out_proj",
        config.num_labels,
        "first",
        dense="classifier.dense",
        width=config.hidden_size,
        activation=act,
        early_dropout=drop,
        dropout=drop,
    )


def of_tokens(config: Any) -> Classifier:
    """Returns a classifier of each token."""
    return Classifier("classifier", config.num_labels, dropout=config.last_dropout)


def of_spans(config: Any, dropout: float = 0.0) -> Classifier:
    """Returns a classifier of the beginning and end of a question's answer."""
    return Classifier("qa_outputs", config.num_labels, spans=True, dropout=dropout)


def of_tasks(config: Any, name: str) -> dict[str, Classifier]:
    """Returns the classifiers of the four classes that BERT and families like it have, by class; `name` is the family,
    as their names begin."""
    return {
        f"{name}ForSequenceClassification": of_pooled(config, config.num_labels),
        f"{name}{CHOICE}": of_pooled(config, 1),
        f"{name}ForTokenClassification": of_tokens(config),
        f"{name}ForQuestionAnswering": of_spans(config),
    }


def encoder(
    name: str,
    config: type[Any],
    describe: Callable[[Any], Encoder],
    presets: Mapping[str, Any],
    *,
    doc: str,
    aliases: Mapping[str, str] | None = None,
    streamed: Stream | None = None,
    configured: Callable[..., Value] | None = None,
    finished: Callable[..., tuple[Value, ...]] | None = None,
    always_scored: Collection[str] = (),
    language_model: str = "",
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
) -> Architecture:
    """Returns the Architecture of a family of encoders: `describe` returns a configuration's description, and
    `streamed` is what makes the last layer's output, if not BERT's layers do, or `configured`, whose first argument is
    the configuration. `finished` makes the outputs of classes that have heads of another kind (the configuration is its
    first argument); those that are `always_scored` have logits. `language_model` is the name of the class that can
    attend to another model, if the family has one."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        own = streamed if configured is None else partial(configured, config)
        finish = None if finished is None else partial(finished, config)
        return encode(describe(config), workload, b, own, finish=finish)

    def scored_by(config: Any) -> bool:
        return config.architectures in always_scored or has_logits(describe(config))

    def usable(config: Any) -> Dim:
        return describe(config).usable

    allowed = {"position_embedding_type": ("absolute",), **(no_cost or {})}
    found = built(name, config, build, presets, scored_by, usable, doc=doc, aliases=aliases, no_cost=allowed)
    if not hasattr(config, "position_embedding_type"):
        found = attrs.evolve(found, prepare=absolute)
    told = describe if streamed is None and configured is None else None  # which says all of the layers
    if not language_model:
        return found if told is None else attrs.evolve(found, build=Described(found.build, told))

    def attending(config: Any, workload: Workload, b: Builder, states: Value | None) -> Value | tuple[Value, ...]:
        e = describe(config)
        if not e.crossed:
            raise ConfigError("add_cross_attention is not True: a decoder that attends to an encoder has it")
        own = None if configured is None else partial(configured, config, states=states)
        return encode(e, workload, b, own, states=states)

    return attrs.evolve(found, build=Crossing(found.build, attending, language_model, told))


def absolute(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the content of a file. Raises ConfigError for one whose positions another class computes."""
    kind = content.get("position_embedding_type")
    if kind in COMPUTED:
        raise ConfigError(f"position_embedding_type is {brief(kind)}: this family's class has a table of positions")
    return content


def built(
    name: str,
    config: type[Any],
    model: Model,
    presets: Mapping[str, Any],
    has_logits: Callable[[Any], bool],
    context: Callable[[Any], Dim],
    *,
    doc: str,
    aliases: Mapping[str, str] | None = None,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
) -> Architecture:
    """Returns the Architecture around a function that builds an encoder: `has_logits` says whether a configuration's
    class has logits for a cross-entropy, and `context` how long a text may be."""

    def scored(config: Any) -> bool:
        return chooses(config) or has_logits(config)

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        check_entropy(scored(config), workload, config.architectures)
        if chooses(config):
            return of_choices(model, config, workload, b)
        if workload.choices is not None:
            raise ConfigError(f"{config.architectures} has no choices: classes that end in {CHOICE} have")
        return model(config, workload, b)

    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"seq_len": context, "choices": choices},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={**ALIASES, **fields.LABELS, **(aliases or {})},
        translated=frozenset(aliases or ()),
        model_types=(name,),
        losses={CROSS_ENTROPY: class_loss, SUM: total},
        default_loss=lambda config: entropy_if(scored(config)),
        no_cost=no_cost or {},
        doc=doc,
    )


def chooses(config: Any) -> bool:
    """Returns whether a configuration's class chooses one of several answers to a question."""
    return bool(config.architectures.endswith(CHOICE))


def choices(config: Any) -> Dim | None:
    """Returns how many answers there are unless a workload says it: as few as there is a choice; None for a class
    without questions."""
    return 2 if chooses(config) else None


def of_choices(model: Model, config: Any, workload: Workload, b: Builder) -> Value:
    """Returns the logits (batch, choices) of answers: each is a sequence, and gets one."""
    assert workload.choices is not None  # the default of such a class
    questions = workload.batch
    result = model(config, attrs.evolve(workload, batch=questions * workload.choices), b)
    logits = result[0] if isinstance(result, tuple) else result
    chosen: Value = b.apply("reshape", logits, name="choice_logits", shape=(questions, workload.choices))
    return chosen


def has_logits(e: Encoder) -> bool:
    """Returns whether an encoder has logits of words, of classes or of places in the text."""
    return scored(e.classifier) if e.head is None else not equal(e.head.outputs, 1)


def class_loss(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the cross-entropy of a configuration's class: of the next token in a language model, of both ends of a
    span, of both of BERT's tasks, or else of the labels, for masked words in the logits' dtype."""
    name = config.architectures
    if name.endswith(("ForCausalLM", "LMHeadModel", "Decoder")):
        return next_token(config, outputs, b)
    if len(outputs) == 1:
        return cross_entropy(config, outputs, b)
    return (span if name.endswith("ForQuestionAnswering") else words_and_pairs)(config, outputs, b)
