"""The classes of a family: the language model, the bare decoder, and classifiers of sequences, tokens and spans.

A file names its class in `architectures`. Only the end of the name counts, so early names (`LLaMAForCausalLM`,
`RWForCausalLM`) work too. A file without a class means the language model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, equal, fields, frozen
from graphacct_architectures.losses import (
    CROSS_ENTROPY,
    SUM,
    check_entropy,
    cross_entropy,
    each_token,
    entropy_if,
    next_token,
    span,
    total,
)

if TYPE_CHECKING:
    from graphacct_architectures.classifier import Classifier
    from graphacct_architectures.decoders.parts.description.decoder import Decoder
    from graphacct_architectures.losses import Loss

CAUSAL, ALONE, SEQUENCE, TOKENS, SPAN, TWO_HEADS = (
    "ForCausalLM",
    "Model",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "DoubleHeadsModel",
)
ENDINGS = (SEQUENCE, TOKENS, SPAN, TWO_HEADS, ALONE)
"""Endings of the classes that are not language models, in the order in which they are tried: a name that ends in
`DoubleHeadsModel` also ends in `Model`."""
CLASSES = (CAUSAL, ALONE, SEQUENCE, TOKENS, SPAN)
"""What most families have."""
LABELS_DROPPED = 0.1
"""The dropout before a classifier of tokens unless a file gives one."""


def first_class(*, kept: str = "", called: tuple[str, ...] = ()) -> Any:
    """Returns the key `architectures`: the class of the weights, the first if there are several. It is empty for no
    class, and for the language model under any name, among them those it is `called` in full. It is `kept` itself for
    the language model of that stem, where the stem makes a difference."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        names = [value] if isinstance(value, str) else value
        if names in ("", None, [], ()):
            return ""
        if not isinstance(names, (list, tuple)) or not isinstance(names[0], str):
            raise ConfigError(f"{field.name} is a list with the name of a class, not {brief(value)}")
        if kept and names[0] == f"{kept}{CAUSAL}":
            return kept
        return "" if names[0].endswith((CAUSAL, "LMHeadModel")) or names[0] in called else names[0]

    return fields.checked_field(check, "")


@frozen(kw_only=True)
class HeadConfig:
    """The keys that determine a decoder's head: the class, and the number of labels of its classifier.

    Attributes:
        spelled: How the file's names of classes begin, and how the names do that stand for them here.
        also_alone: Names of further classes that are the decoder alone.
    """

    spelled: ClassVar[tuple[str, str]] = ("", "")
    also_alone: ClassVar[tuple[str, ...]] = ()
    architectures: str = first_class()
    num_labels: Dim = fields.label_count()
    classifier_dropout: float | None = fields.optional_probability()

    @property
    def ending(self) -> str:
        """The known ending of the class's name, or the whole name if there is none."""
        if not self.architectures:
            return CAUSAL
        return next((ending for ending in ENDINGS if self.architectures.endswith(ending)), self.architectures)


def checked(config: HeadConfig, family: str, classes: Collection[str], stem: str = "") -> str:
    """Returns the ending of the class. Raises ConfigError if the family has no such class.

    Only the family's own `…Model` is the bare decoder: other names (`Qwen2ForRewardModel`) have heads of their own.
    `stem` is how its classes' names begin, if the family's name does not say it.
    """
    ending = config.ending
    own, given = (name.lower().replace("_", "") for name in (stem or family, config.architectures.removesuffix(ALONE)))
    other = own != given and config.architectures not in config.also_alone
    if ending not in classes or (ending == ALONE and other):
        known = ", ".join(f"…{item}" for item in classes)
        stem, same = config.spelled
        found = stem + config.architectures.removeprefix(same) if same else config.architectures
        raise ConfigError(f"architectures has {brief(found)}: the classes of {family} are {known}")
    return ending


def headed(
    d: Decoder, config: HeadConfig, ending: str, tokens: str = "score", span: str = "", texts: str = "score"
) -> Decoder:
    """Returns the decoder of the class that the file names; `d` is the family's language model.

    `tokens` and `texts` are the names of the classifiers of tokens and of texts. `span` is the decoder's name in a
    class that answers questions, if it differs from the language model's.
    """
    _, _, rest = d.module.partition(".")
    if ending == ALONE:
        return attrs.evolve(d, module=rest, headless=True)
    module = ".".join(part for part in (span, rest) if part) if span and ending == SPAN else d.module
    return attrs.evolve(d, module=module, classifier=labels_head(config, ending, tokens, texts))


def labels_head(config: HeadConfig, ending: str, tokens: str, texts: str = "score") -> Classifier | None:
    """Returns the classification head of a class, named `tokens` if it classifies tokens, or else
    `texts`; None if there is none."""
    if ending not in (SEQUENCE, SPAN, TOKENS):
        return None
    from graphacct_architectures.classifier import Classifier  # a language model saves 1 ms of its report's 95

    if ending == SEQUENCE:
        return Classifier(texts, config.num_labels, bias=False, pooled=True)
    if ending == SPAN:
        return Classifier("qa_outputs", 2, spans=True)
    chance = config.classifier_dropout
    if chance is None:
        chance = getattr(config, "hidden_dropout", LABELS_DROPPED)
    return Classifier(tokens, config.num_labels, dropout=chance)


def text_logits(config: HeadConfig, workload: Workload, b: Builder, x: Value, ids: Value) -> Value:
    """Returns the logits of a classifier of texts, read from x (batch, seq, width) where each of the `ids` ends."""
    from graphacct_architectures.classifier import classified

    head = labels_head(config, SEQUENCE, "")
    assert head is not None
    return classified(head, workload, b, x, ids)[0]


def check_outputs(ending: str, config: HeadConfig, workload: Workload) -> None:
    """Raises ConfigError if the workload asks for outputs that the class does not have."""
    if workload.logits == "last" and ending not in (CAUSAL, TWO_HEADS):
        raise ConfigError(f"{config.architectures} has no logits of the vocabulary: leave logits='last' out")
    if ending not in (CAUSAL, TWO_HEADS):
        check_entropy(default_loss(config) == CROSS_ENTROPY, workload, config.architectures)


def class_losses(tokens: Loss = each_token) -> Mapping[str, Loss]:
    """Returns the losses of a family's classes; `tokens` is the cross-entropy of its classifier of tokens."""

    def class_loss(config: HeadConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
        """Returns the cross-entropy of a configuration's class: of the next token, the labels, or a span's ends."""
        if config.ending in (CAUSAL, TWO_HEADS):
            return next_token(config, outputs, b)
        return {TOKENS: tokens, SPAN: span}.get(config.ending, cross_entropy)(config, outputs, b)

    return {CROSS_ENTROPY: class_loss, SUM: total}


def default_loss(config: HeadConfig) -> str:
    """Returns the loss that a class is trained with: the cross-entropy, or the sum of its outputs if it has no class
    logits (the bare decoder, a single label)."""
    labelled = config.ending in (SEQUENCE, TOKENS) and not equal(config.num_labels, 1)
    return entropy_if(labelled or config.ending in (CAUSAL, TWO_HEADS, SPAN))
