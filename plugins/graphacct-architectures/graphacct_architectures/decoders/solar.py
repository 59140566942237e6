"""Solar Pro: Llama's layers, some of which are given a part of what entered earlier ones.

Upstage, "Solar Pro Preview", 2024. The class stands in the model's own repository (`modeling_solar.py`), not in the
transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, PresetFiles, Value, Workload, brief, fields, frozen
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.llama import describe as llama
from graphacct_architectures.decoders.parts.decode import After, Merge, decode
from graphacct_architectures.decoders.parts.family import Decoding, decoder, whole
from graphacct_architectures.decoders.parts.sparse import layer_indices
from graphacct_architectures.heads import check_outputs, checked, headed

SPAN = "transformer"


def shares() -> Any:
    """Returns the part that is taken of the earlier stream, in training and otherwise: two numbers."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...]:
        good = isinstance(value, (list, tuple)) and len(value) == 2
        if not good or any(isinstance(item, bool) or not isinstance(item, (int, float)) for item in value):
            raise ConfigError(f"{field.name} is two numbers, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, (1.0, 1.0))


@frozen(kw_only=True)
class SolarConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on: layers before which the stream is remembered
    (`bskcn_1`, `bskcn_2`), and those before which it is mixed in (`bskcn_3`, `bskcn_4`)."""

    bskcn_1: tuple[int, ...] = layer_indices()
    bskcn_2: tuple[int, ...] = layer_indices()
    bskcn_3: tuple[int, ...] = layer_indices()
    bskcn_4: tuple[int, ...] = layer_indices()
    bskcn_tv: tuple[float, ...] = shares()


@frozen
class SolarDecoding(Decoding):
    """Llama's graph with the skip connections."""

    def __call__(self, config: SolarConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        """Returns the outputs of the class that the configuration names."""
        ending = checked(config, self.name, self.classes, self.stem)
        check_outputs(ending, config, workload)
        return decode(headed(self.describe(config), config, ending, self.tokens, self.span), workload, b, skips(config))


def _at(before: Callable[[int, Value], Value], index: int, b: Builder, x: Value) -> Value:
    return before(index, x)


def skips(config: SolarConfig) -> Merge:
    """Returns what is done to the stream before each layer, as `decode` takes it."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    pairs = (("first", config.bskcn_1, config.bskcn_3), ("second", config.bskcn_2, config.bskcn_4))

    def merge(b: Builder, ids: Value, x: Value) -> tuple[Value, Mapping[int, After], Mapping[str, Value]]:
        kept: dict[str, Value] = {}

        def before(index: int, x: Value) -> Value:
            for label, keeps, _ in pairs:
                if index in keeps:
                    kept[label] = b.apply("clone", x, name=f"{label}_kept_before_{index}")
            for label, _, mixes in pairs:
                if index in mixes:
                    if label not in kept:
                        raise ConfigError(f"layer {index} mixes in a stream that no earlier layer remembers")
                    old = b.apply("scale", kept[label], name=f"{label}_share_{index}")
                    x = b.apply("scale", x, name=f"{label}_rest_{index}")
                    x = b.apply("add", old, x, name=f"{label}_mixed_{index}")
            return x

        places = [index for part in pairs for keys in part[1:] for index in keys if index < count]
        after: dict[int, After] = {}
        for index in sorted({*places} - {0}):
            after[index] = partial(_at, before, index)
        return before(0, x), after, {}

    return merge


ARCHITECTURE = attrs.evolve(
    decoder(
        "solar",
        SolarConfig,
        llama,
        PresetFiles(__file__),
        span=SPAN,
        no_cost={"sliding_window": None, "pretraining_tp": None},
        doc="Solar Pro: Llama's layers with skip connections between some.",
    ),
    build=SolarDecoding("solar", llama, span=SPAN, stem="Solar"),
)
