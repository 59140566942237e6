"""peft's adapter_config.json: a base model, and the low-rank adapters beside its matrices.

The base is the configuration beside the file, or what `base_model_name_or_path` names: a folder, a file, or a model on
the hub that is a preset. The keys are those of LoraConfig (peft, tuners/lora/config.py). What adapts a model in another
way than by low-rank matrices is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, ReadError, UnknownNameError, brief
from graphacct.files import read_json
from graphacct.models.find import NO_OVERRIDES, ModelChoice, find_model
from graphacct.readers.foreign import kind_of

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins

FILE = "adapter_config.json"
BASE = "base_model_name_or_path"
MOST_BYTES = 2**20
MOST_LAYERS = 4096
NO_COST = frozenset(
    (
        "alora_invocation_tokens",
        "alpha_pattern",
        "arrow_config",
        "auto_mapping",
        "corda_config",
        "eva_config",
        "fan_in_fan_out",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "loftq_config",
        "lora_alpha",
        "megatron_config",
        "megatron_core",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "revision",
        "runtime_config",
        "task_type",
        "use_rslora",
        "ensure_weight_tying",
    )
)
"""Settings that change no cost."""
READ = frozenset(
    (BASE, "r", "target_modules", "rank_pattern", "lora_dropout", "layers_to_transform", "bias", "use_dora")
)
REFUSED = {
    "use_qalora": "QALoRA",
    "use_bdlora": "block-diagonal adapters",
    "modules_to_save": "whole modules that are trained",
    "exclude_modules": "modules that are left out",
    "target_parameters": "adapters of parameters that are no module's",
    "trainable_token_indices": "trained rows of an embedding",
    "layer_replication": "layers that are used again",
    "lora_bias": "biases of adapters",
}
"""Settings that change the cost and are not read, and what each is."""
TASKS = (None, "CAUSAL_LM", "SEQ_2_SEQ_LM")
"""The tasks whose model is the base model's own class."""


def accepts(model: Any) -> bool:
    """Returns whether a path is an adapter_config.json, or a folder with one and no config.json."""
    if not isinstance(model, str):
        return False
    if os.path.isdir(model):
        beside = os.path.isfile(os.path.join(model, "config.json"))
        return not beside and os.path.isfile(os.path.join(model, FILE))
    return os.path.basename(model) == FILE and os.path.isfile(model)


def choose(model: str, plugins: Plugins, overrides: Mapping[str, Any] = NO_OVERRIDES) -> ModelChoice:
    """Returns the base model, with the adapters that the file describes. `overrides` are keys of the base's
    configuration; `base_model_name_or_path` gives another path of the base.

    Raises ReadError, which names the file, for a base that is not found and for adapters that are not read.
    """
    path = os.path.join(model, FILE) if os.path.isdir(model) else model
    content = read_json(path, MOST_BYTES, constants=float)
    try:
        if not isinstance(content, dict):
            raise ReadError(f"is {brief(content)}, not an object with the settings of an adapter")
        kind = content.get("peft_type", "LORA")
        if kind != "LORA":
            raise ReadError(f"is {_adapter()}, of peft_type {brief(kind)}: LORA alone is read\n{_way_out(content)}")
        if not isinstance(content.get("use_dora", False), (bool, type(None))):
            raise ReadError(f"use_dora is {brief(content['use_dora'])}, not true or false\n{_way_out(content)}")
        adapters = _adapters(content)
        base = _base(content, path, plugins, overrides)
    except GraphacctError as error:
        raise ReadError(f"{path}: {error}") from error
    known = NO_COST | READ | REFUSED.keys()
    strange = tuple(key for key, value in content.items() if key not in known and value not in (None, False, [], {}))
    keys = attrs.evolve(base.keys, not_understood=(*base.keys.not_understood, *strange))
    applied = base.applied | ({BASE} & overrides.keys())
    dropout, dora = content.get("lora_dropout", 0.0), content.get("use_dora") or False
    return attrs.evolve(base, keys=keys, applied=applied, adapters=adapters, adapter_dropout=dropout, dora=dora)


def _adapter() -> str:
    return "peft's adapter_config.json: an adapter, not a model"


def _way_out(content: Mapping[str, Any]) -> str:
    return kind_of({"peft_type": "", BASE: content.get(BASE)}, FILE).partition("\n")[2]


def _base(content: Mapping[str, Any], path: str, plugins: Plugins, overrides: Mapping[str, Any]) -> ModelChoice:
    """Returns the base model."""
    beside = os.path.join(os.path.dirname(path), "config.json")
    name = overrides.get(BASE) or (beside if os.path.isfile(beside) else content.get(BASE))
    others = {key: value for key, value in overrides.items() if key != BASE}
    if not isinstance(name, str) or not name:
        raise ReadError(f"is {_adapter()}, and names no base: {BASE} is {brief(name)}\n{_way_out(content)}")
    if os.path.realpath(name) in (os.path.realpath(path), os.path.realpath(os.path.dirname(path))) and name != beside:
        raise ReadError(f"is {_adapter()}, and its base is itself: {BASE} is {brief(name)}\n{_way_out(content)}")
    try:
        found = find_model(name, plugins, others)
    except UnknownNameError as error:
        raise ReadError(
            f"is {_adapter()}, of {brief(name)}, which is no preset: set={BASE}=FOLDER says where it is\n"
            f"{_way_out(content)}"
        ) from error
    if not isinstance(found, ModelChoice) or found.adapters:
        raise ReadError(f"its base {brief(name)} is no model with a configuration\n{_way_out(content)}")
    return found


def _adapters(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the adapters as `lora` takes them. Raises ReadError for what is not read."""
    for key, what in REFUSED.items():
        if content.get(key):
            raise ReadError(f"has {key}, which is not read ({what})\n{_way_out(content)}")
    if content.get("bias", "none") != "none":
        raise ReadError(f"bias is {brief(content['bias'])}: trained biases are not read\n{_way_out(content)}")
    if content.get("task_type") not in TASKS:
        raise ReadError(
            f"task_type is {brief(content['task_type'])}: its model has another head than the base's file says\n"
            f"{_way_out(content)}"
        )
    rank, modules = content.get("r", 8), content.get("target_modules")
    ranks = content.get("rank_pattern") or {}
    if isinstance(modules, str):
        if modules != "all-linear":
            raise ReadError(
                f"target_modules is a pattern, {brief(modules)}, and names alone are read\n{_way_out(content)}"
            )
        if ranks or content.get("layers_to_transform") is not None:
            raise ReadError(f"has all-linear with rank_pattern or layers_to_transform, not read\n{_way_out(content)}")
        return (f"{_rank(rank)}:{modules}",)
    if not isinstance(modules, list) or not modules or not all(_is_name(name) for name in modules):
        raise ReadError(f"target_modules is {brief(modules)}, not a list of modules\n{_way_out(content)}")
    if not isinstance(ranks, Mapping) or any(name not in modules for name in ranks):
        raise ReadError(
            f"rank_pattern is {brief(ranks)}: ranks are read of whole target_modules alone\n{_way_out(content)}"
        )
    layers = content.get("layers_to_transform")
    by_rank: dict[int, list[str]] = {}
    for name in modules:
        by_rank.setdefault(_rank(ranks.get(name, rank)), []).append(name)
    if layers is None:
        return tuple(f"{each}:{','.join(names)}" for each, names in by_rank.items())
    layers = layers if isinstance(layers, list) else [layers]
    if not 0 < len(layers) <= MOST_LAYERS or not all(type(layer) is int and layer >= 0 for layer in layers):
        raise ReadError(f"layers_to_transform is {brief(layers)}, not a list of layers\n{_way_out(content)}")
    return tuple(f"{each}:*.{layer}.*.{name}" for each, names in by_rank.items() for name in names for layer in layers)


def _is_name(name: Any) -> bool:
    return (
        isinstance(name, str) and name != "" and all(part.isidentifier() or part.isdigit() for part in name.split("."))
    )


def _rank(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ConfigError(f"a rank is {brief(value)}, not a count")
    return value
