"""The settings of quantization in a file, and what a method makes of them: as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.errors import ConfigError, brief
from graphacct.graph.weight_format import WeightFormat
from graphacct.models.weight_formats import WeightFormatKind
from graphacct.models.weight_plan import WeightPlan
from graphacct.tensors import dtype_name


@attrs.frozen
class Said:
    """The settings of one method.

    Attributes:
        name: The key that has them, for messages.
        settings: The settings.
        content: The keys of the config.json.
        kinds: The weight formats.
    """

    name: str
    settings: Mapping[str, Any]
    content: Mapping[str, Any]
    kinds: Mapping[str, WeightFormatKind]

    def format(self, kind: str, **options: Any) -> WeightFormat:
        """Returns a format."""
        return self.kinds[kind].format(**options)

    def integer(self, key: str, default: int, settings: Mapping[str, Any] | None = None) -> int:
        """Returns a setting that is an integer."""
        value = (self.settings if settings is None else settings).get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{key} is {brief(value)}, not an integer")
        return value

    def flag(self, key: str, default: bool = False, settings: Mapping[str, Any] | None = None) -> bool:
        """Returns a setting that is true or false."""
        value = (self.settings if settings is None else settings).get(key)
        if value is not None and not isinstance(value, bool):
            raise ConfigError(f"{key} is {brief(value)}, not true or false")
        return default if value is None else value

    def names(self, key: str) -> tuple[str, ...]:
        """Returns a setting that is a list of modules' names; empty if it is not there."""
        value = self.settings.get(key)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{key} is {brief(value)}, not a list of modules' names")
        return tuple(value)

    def must(self, key: str, *allowed: Any) -> None:
        """Raises ConfigError if a setting is there and none of these values: others store something else."""
        value = self.settings.get(key)
        if value is not None and not any(value == item for item in allowed):
            raise ConfigError(f"{key} {brief(value)} is not known; known: {', '.join(map(str, allowed))}")

    @property
    def dtype(self) -> str:
        """The dtype of the model's other weights, which some methods store their scales in."""
        value = self.content.get("dtype", self.content.get("torch_dtype"))
        name = dtype_name(value.removeprefix("torch.")) if isinstance(value, str) and value != "auto" else ""
        return name if name in ("float32", "bfloat16", "float16") else "bfloat16"


@attrs.frozen
class Found:
    """What settings say: a plan for the weights (None for no quantization), the dtype of the cache."""

    plan: WeightPlan | None
    kv_dtype: str = ""


@attrs.frozen
class Method:
    """One method.

    Attributes:
        read: Returns what its settings say. Raises ConfigError for settings whose bytes are not known.
        read_keys: The settings that `read` reads.
        idle_keys: The settings that say nothing of bytes.
        marks: Settings by which those of an older file, which names no method, are recognised.
        modules: Whether other keys are modules' names, with settings of their own.
    """

    read: Callable[[Said], Found]
    read_keys: frozenset[str]
    idle_keys: frozenset[str] = frozenset()
    marks: tuple[str, ...] = ()
    modules: bool = False
