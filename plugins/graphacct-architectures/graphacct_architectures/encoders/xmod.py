"""X-MOD: RoBERTa's layers with an adapter for each language after the network.

Pfeiffer et al., 2022 (arXiv:2205.06266). Each text runs through the adapter of its language; all are counted as texts
in `default_language`, or in the first of the languages.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, fields, floor_div, frozen
from graphacct_architectures.encoders.parts.description import Encoder, Names
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.parts.layer import attended, attention, feed_forward
from graphacct_architectures.encoders.roberta import CLASSES, RobertaConfig, of_class
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, resident

ROBERTAS = {f"Xmod{name.removeprefix('Roberta')}": name for name in CLASSES}
"""RoBERTa's class for each of X-MOD's."""
NAMES = Names(attention_norm="attention.output.LayerNorm", norm="output.LayerNorm")


def languages() -> Any:
    """Returns the names of languages; the ConfigError for another value says so."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...]:
        if not isinstance(value, (list, tuple)) or not value or not all(isinstance(name, str) for name in value):
            raise ConfigError(f"{field.name} is a list of names of languages, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, ("en_XX",))


def language() -> Any:
    """Returns the name of a language, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{field.name} is the name of a language, not {brief(value)}")
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class XmodConfig(RobertaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("XmodModel", tuple(ROBERTAS))
    vocab_size: Dim = fields.size(30522)
    pre_norm: bool = fields.flag(False)
    adapter_reduction_factor: Dim = fields.size(2)
    adapter_layer_norm: bool = fields.flag(False)
    adapter_reuse_layer_norm: bool = fields.flag(True)
    ln_before_adapter: bool = fields.flag(True)
    languages: tuple[str, ...] = languages()
    default_language: str | None = language()
    prefix: ClassVar[str] = "roberta"


def describe(config: XmodConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head. Raises ConfigError for an unknown language."""
    if config.default_language is not None and config.default_language not in config.languages:
        raise ConfigError(f"default_language {config.default_language!r} is not one of the languages")
    last = "encoder.LayerNorm" if config.pre_norm else ""
    found = of_class(config, ROBERTAS[config.architectures])
    return attrs.evolve(found, names=NAMES, norm_first=config.pre_norm, last_norm=last)


def stream(config: XmodConfig, e: Encoder, workload: Workload, b: Builder, states: Value | None = None) -> Value:
    """Returns the last layer's output."""
    if states is not None:
        raise ConfigError("X-MOD as a decoder beside an encoder is not modelled")
    x = embedded(e, workload, b)
    b.hold(x)
    return through(e, workload, b, x, body=partial(layer, config))


def layer(config: XmodConfig, e: Encoder, workload: Workload, b: Builder, x: Value, *mask: Value) -> Value:
    """Applies attention, the network and the adapter of a language; its norm is the network's, read again."""
    b.hold(x)
    x = attended(e, workload, b, x, partial(attention, e, workload), mask)
    norm = e.names.norm
    turn = 0
    y = x
    if e.norm_first:
        with b.turn(turn):
            y = layer_norm(b, norm, x)
        turn += 1
    y = dropped(b, "output.dropout", feed_forward(e, workload, b, y), e.dropout, workload)
    y = residual = b.apply("add", y, x, name="output_residual")
    if config.adapter_layer_norm:
        y = layer_norm(b, "output.adapter_layer_norm", y)
    elif config.adapter_reuse_layer_norm:
        with b.turn(turn):
            y = layer_norm(b, norm, y)
        turn += 1
    residual = y if config.ln_before_adapter else residual
    y = dropped(b, "output.adapter_dropout", adapted(config, e, b, y), e.dropout, workload)
    y = b.apply("add", y, residual, name="adapter_residual")
    if e.norm_first:
        return y
    with b.turn(turn):
        return layer_norm(b, norm, y)


def adapted(config: XmodConfig, e: Encoder, b: Builder, x: Value) -> Value:
    """Returns the output of one language's adapter; the others are in memory."""
    narrow = floor_div(e.width, config.adapter_reduction_factor)
    spoken = config.default_language or config.languages[0]
    y = x
    with b.scope("output"):
        zeros = b.apply("full", name="adapted_zeros", shape=x.spec.shape, dtype=x.spec.dtype)
        for name in config.languages:
            with b.scope(f"adapter_modules.{name}"):
                if name != spoken:
                    for dense, shape in (("dense1", (narrow, e.width)), ("dense2", (e.width, narrow))):
                        weight = b.parameter(f"{dense}.weight", shape)
                        resident(b, dense, weight, b.parameter(f"{dense}.bias", shape[:1]))
                    continue
                y = b.apply("clone", x, name="of_language")
                y = activation(b, e.activation, linear(b, "dense1", y, narrow), "adapter_act_fn")
                y = linear(b, "dense2", y, e.width)
        return b.apply("add", zeros, y, name="adapted")


ARCHITECTURE = encoder(
    "xmod",
    XmodConfig,
    describe,
    PresetFiles(__file__),
    doc="X-MOD: RoBERTa's layers with adapters of languages, alone or with the head of a class.",
    configured=stream,
)
