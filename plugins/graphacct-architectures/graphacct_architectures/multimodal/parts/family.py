"""Shared by families of text models that read images: the fields of their configurations, and the Architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, SubModel, Value, Workload, brief, equal, fields
from graphacct_architectures.losses import (
    CROSS_ENTROPY,
    SUM,
    check_entropy,
    cross_entropy,
    entropy_if,
    next_token,
    total,
)
from graphacct_architectures.multimodal.parts.compose import Composition, composed, placeholders

if TYPE_CHECKING:
    from graphacct_architectures.multimodal.parts.paired import Paired

PREPROCESSING = dict.fromkeys(
    (
        "ignore_index",
        "image_seq_length",
        "image_token",
        "num_image_tokens",
        "use_image_newline_parameter",
        "vision_start_token_id",
        "projection_dim",
        "hidden_size",
        "vocab_size",
        "text_config_dict",
    )
)
"""Keys that say how inputs are prepared, or repeat what another object says."""


ONE_TILE: Mapping[str, Callable[[Any], Any]] = {"tiles": lambda config: 1}
"""The workload's size of families whose images are cut into squares, each of which the tower sees as an image."""


def layer_indices(default: int | tuple[int, ...]) -> Any:
    """Returns the hidden states of a tower that are read: an index, or several."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = value if isinstance(value, (list, tuple)) else [value]
        if not items or not all(type(item) is int for item in items):
            raise ConfigError(f"{field.name} is the index of a layer, or a list of them, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, default)


def composition(
    name: str,
    config: type[Any],
    compose: Callable[[Any, str], Composition | Paired],
    presets: Mapping[str, Any],
    *,
    classes: tuple[str, str],
    doc: str,
    image_size: Callable[[Any], Any] | None,
    sizes: Mapping[str, Callable[[Any], Any]] | None = None,
    aliases: Mapping[str, str] | None = None,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
    model_types: tuple[str, ...] = (),
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    per_second: Mapping[str, Callable[[Any], Any]] | None = None,
    inner_classes: Mapping[str, str] | None = None,
    labelled: str = "",
) -> Architecture:
    """Returns the Architecture of a family: `compose(config, root)` returns the composition of a configuration, with a
    decoder or a pair, whose modules are in `root`, `model.` or empty. `classes` are the class with a head and the one
    without; `image_size` is
    the default of the workload's images, `sizes` are the workload's other sizes, `per_second` and `inner_classes`
    are the Architecture's. `labelled` is the class that classifies texts, where the last token is read.
    """
    headed, alone = classes

    def scored(config: Any) -> bool:
        return config.architectures == headed or (config.architectures == labelled and not equal(config.num_labels, 1))

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        check_entropy(scored(config), workload, config.architectures)
        if config.architectures != headed and workload.logits == "last":
            raise ConfigError(f"{config.architectures} has no logits of the vocabulary: leave logits='last' out")
        found = compose(config, "" if config.architectures == alone else "model.")
        if not isinstance(found, Composition):
            from graphacct_architectures.multimodal.parts.paired import paired  # few models have an encoder-decoder

            return paired(found, workload, b)
        if config.architectures == alone:
            found = attrs.evolve(found, head="")
        if labelled and config.architectures == labelled:
            from graphacct_architectures.classifier import Classifier  # few models have one

            score = Classifier("score", config.num_labels, bias=False, pooled=True)
            found = attrs.evolve(found, head="", classifier=score)
        return composed(found, workload, b)

    def places(config: Any, workload: Workload, operators: Mapping[str, Any]) -> Dim:
        return placeholders(compose(config, "").parts, workload, operators)

    def entropy(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
        return (cross_entropy if config.architectures == labelled else next_token)(config, outputs, b)

    seen = {"images": lambda config: 1, "image_size": image_size} if image_size is not None else {}
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"seq_len": context, **seen, **(sizes or {})},
        attention=("fused", "eager"),
        phases=("forward", "train", "prefill", "decode"),
        last_logits=True,
        aliases={"torch_dtype": "dtype", **(aliases or {})},
        no_cost={**PREPROCESSING, **(no_cost or {})},
        losses={CROSS_ENTROPY: entropy, SUM: total},
        default_loss=lambda config: entropy_if(scored(config)),
        inexact=inexact,
        model_types=model_types or (name,),
        prepare=prepare,
        per_second=per_second or {},
        placeholders=places,
        inner_classes=inner_classes or {},
        doc=doc,
    )


def context(config: Any) -> Dim:
    """Returns the longest sequence of the text model."""
    text: SubModel = config.text_config
    length: Dim = text.architecture.sizes["seq_len"](text.config)
    return length


def inexact(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact of the text model."""
    text: SubModel = config.text_config
    known = text.architecture.inexact
    return () if known is None else tuple(known(text.config, workload, dtype))


def own_or_text(config: Any) -> bool:
    """Returns whether the head is tied: as the file says, or else as its text model's keys do."""
    return bool(config.tie_word_embeddings or getattr(config.text_config.config, "tie_word_embeddings", False))
