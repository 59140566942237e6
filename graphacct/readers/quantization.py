"""How a model's files say that its weights are stored: `quantization_config` and its relatives, as a WeightPlan.

Read are `quantization_config` and `compression_config` of a config.json, `quantization` of MLX's, and the files beside
it: modelopt's `hf_quant_config.json`, and those of older GPTQ and AWQ. Each method's settings are in
`quantization_methods.py`, with their sources. Imported only for a model that has any of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, ReadError, brief
from graphacct.files import read_json
from graphacct.models.module_patterns import REGEX
from graphacct.models.near_keys import slip
from graphacct.models.weight_formats import WeightFormatKind
from graphacct.models.weight_plan import WeightPlan
from graphacct.readers.quantization_methods import IGNORED, METHODS
from graphacct.readers.quantization_settings import Method, Said

MOST_BYTES = 16 * 2**20
NOT_TEXT = rf"{REGEX}(?!(?:.*\.)?(?:language[_]model|lm_head)(?:\.|$))"
"""The modules outside the text model of a larger one. Without brackets, names without that part would be tried with it
as well."""
SPELLINGS = {
    "compressed_tensors": "compressed-tensors",
    "compressed-tensors-w8a8": "compressed-tensors",
    "modelopt_fp4": "modelopt",
    "modelopt_fp8": "modelopt",
    "modelopt_mixed": "modelopt",
    "gptq_marlin": "gptq",
    "awq_marlin": "awq",
    "bitsandbytes_4bit": "bitsandbytes",
    "bitsandbytes_8bit": "bitsandbytes",
}
"""Other names of a method, and the one that each stands for."""


@attrs.frozen
class Quantization:
    """What a model's files say of its weights and its cache.

    Attributes:
        plan: How its weights are stored; None if they are not quantized.
        kv_dtype: The dtype of its cache; empty if the files say none.
        not_understood: Settings that nobody knows, by their paths.
        problem: Why the weights cannot be counted as the files say; empty if they can. A report with a format of its
            own (`weights`) does not need them.
    """

    plan: WeightPlan | None = None
    kv_dtype: str = ""
    not_understood: tuple[str, ...] = ()
    problem: str = ""


def of_keys(content: Mapping[str, Any], name: str, kinds: Mapping[str, WeightFormatKind]) -> Quantization:
    """Returns what one key of a config.json says of the weights. `kinds` are the weight formats.

    Raises ReadError for settings that are no object.
    """
    settings = content[name]
    if not isinstance(settings, Mapping):
        raise ReadError(f"{name} is {brief(settings)}, not an object of settings")
    return _read(name, settings, content, kinds)


def of_text_model(content: Mapping[str, Any], name: str, kinds: Mapping[str, WeightFormatKind]) -> Quantization:
    """Returns what a key says of the weights of a larger model's text model: all others stay as they are."""
    found = of_keys(content, name, kinds)
    if found.plan is None:
        return found
    return attrs.evolve(found, plan=attrs.evolve(found.plan, exceptions=(*found.plan.exceptions, NOT_TEXT)))


def beside(content: Mapping[str, Any], path: str, kinds: Mapping[str, WeightFormatKind]) -> Quantization:
    """Returns what a file beside a config.json with the keys `content` says. Raises ReadError for one that cannot be
    read."""
    settings = read_json(path, MOST_BYTES, constants=float)
    name = os.path.basename(path)
    inside = settings.get("quantization", settings) if isinstance(settings, Mapping) else settings
    if not isinstance(inside, Mapping):
        raise ReadError(f"{name} beside it is {brief(inside)}, not an object of settings")
    return _read(name, inside, content, kinds)


def _read(
    name: str, settings: Mapping[str, Any], content: Mapping[str, Any], kinds: Mapping[str, WeightFormatKind]
) -> Quantization:
    try:
        method = _method(settings)
        unknown = _unknown(name, settings, METHODS[method], method)
        found = METHODS[method].read(Said(name, settings, content, kinds))
        if found.plan is not None:
            _check_patterns([*found.plan.exceptions, *(pattern for pattern, _ in found.plan.modules)])
    except GraphacctError as error:
        return Quantization(problem=f"{name}: {error}")
    return Quantization(found.plan, found.kv_dtype, unknown)


def _check_patterns(patterns: Iterable[Any]) -> None:
    """Raises ConfigError for a pattern of modules that is no text, or no regular expression."""
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ConfigError(f"a module's name is {brief(pattern)}, not a text")
        if pattern.startswith(REGEX):
            try:
                re.compile(pattern.removeprefix(REGEX))
            except (re.error, OverflowError, RecursionError) as error:
                raise ConfigError(f"{brief(pattern)} is no regular expression: {error}") from error


def _method(settings: Mapping[str, Any]) -> str:
    """Returns the method that settings are of: the one that they name, or the one whose keys they have."""
    said = settings.get("quant_method")
    if said is None:
        for method, known in METHODS.items():
            if any(key in settings for key in known.marks):
                return method
        raise ConfigError(f"names no quant_method; known: {', '.join(METHODS)}")
    method = str(said).lower().replace(" ", "")
    method = SPELLINGS.get(method, method)
    if method not in METHODS:
        raise ConfigError(f"quant_method is {brief(said)}, which is not known; known: {', '.join(METHODS)}")
    return method


def _unknown(name: str, settings: Mapping[str, Any], known: Method, method: str) -> tuple[str, ...]:
    """Returns the paths of settings that nobody knows. Raises ConfigError for one that misspells a setting that says
    how many bytes there are."""
    paths = []
    plain = {key.replace("_", ""): key for key in known.read_keys}
    for key, value in settings.items():
        if key in known.read_keys or key in known.idle_keys or key in IGNORED or value is None:
            continue
        if known.modules and isinstance(value, (Mapping, bool)):
            continue  # a module's own settings, under its name
        meant = slip(key.lower().replace("_", ""), plain)
        if meant and meant not in settings:
            raise ConfigError(f"{key!r} is no setting of {method}; did you mean {meant!r}?")
        paths.append(f"{name}.{key}")
    return tuple(paths)
