"""peft's adapter_config.json: a base model, and the low-rank adapters or the vectors of (IA)³ beside its matrices.

The base is the configuration beside the file, or what `base_model_name_or_path` names: a folder, a file, or a model on
the hub that is a preset. The keys are those of LoraConfig and IA3Config (peft, tuners/lora/config.py and
tuners/ia3/config.py). What adapts a model in another way is refused by name.
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
        "init_ia3_weights",
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
    (
        BASE,
        "r",
        "target_modules",
        "rank_pattern",
        "lora_dropout",
        "layers_to_transform",
        "bias",
        "use_dora",
        "feedforward_modules",
        "modules_to_save",
    )
)
LORA, IA3 = "LORA", "IA3"
OF_LORA = ("r", "rank_pattern", "lora_dropout", "layers_to_transform", "bias", "use_dora")
"""Settings that the vectors of (IA)³ do not have."""
REFUSED = {
    "use_qalora": "QALoRA",
    "use_bdlora": "block-diagonal adapters",
    "exclude_modules": "modules that are left out",
    "target_parameters": "adapters of parameters that are no module's",
    "trainable_token_indices": "trained rows of an embedding",
    "layer_replication": "layers that are used again",
    "lora_bias": "biases of adapters",
}
"""Settings that change the cost and are not read, and what each is."""
TASKS = (None, "CAUSAL_LM", "SEQ_2_SEQ_LM")
"""The tasks whose model is the base model's own class."""
HEADS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "SEQ_CLS": ("ForSequenceClassification", ("classifier", "score")),
    "TOKEN_CLS": ("ForTokenClassification", ("classifier", "score")),
    "QUESTION_ANS": ("ForQuestionAnswering", ("qa_outputs",)),
    "FEATURE_EXTRACTION": ("Model", ()),
}
"""The other tasks: how the name of their class ends, and its modules that are trained whole (peft, peft_model.py)."""


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
        if kind not in (LORA, IA3):
            raise ReadError(f"is {_adapter()}, of peft_type {brief(kind)}: LORA and IA3 are read\n{_way_out(content)}")
        if not isinstance(content.get("use_dora", False), (bool, type(None))):
            raise ReadError(f"use_dora is {brief(content['use_dora'])}, not true or false\n{_way_out(content)}")
        _check_settings(content)
        adapters = _adapters(content) if kind == LORA else ()
        rewrites = (("ia3", _vectors(content)),) if kind == IA3 else ()
        base = _base(content, path, plugins, overrides)
        saved = _saved(content, base)
        if saved and content.get("ensure_weight_tying"):
            raise ReadError(f"has ensure_weight_tying with modules_to_save, not read\n{_way_out(content)}")
    except GraphacctError as error:
        raise ReadError(f"{path}: {error}") from error
    known = NO_COST | READ | REFUSED.keys()
    strange = tuple(key for key, value in content.items() if key not in known and value not in (None, False, [], {}))
    keys = attrs.evolve(base.keys, not_understood=(*base.keys.not_understood, *strange))
    applied = base.applied | ({BASE} & overrides.keys())
    found = attrs.evolve(base, keys=keys, applied=applied, adapters=adapters, saved=saved)
    if rewrites:
        return attrs.evolve(found, rewrites=tuple((name, {**options, "saved": saved}) for name, options in rewrites))
    dropout, dora = content.get("lora_dropout", 0.0), content.get("use_dora") or False
    return attrs.evolve(found, adapter_dropout=dropout, dora=dora)


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


def _check_settings(content: Mapping[str, Any]) -> None:
    """Raises ReadError for a setting that changes the cost and is not read."""
    for key, what in REFUSED.items():
        if content.get(key):
            raise ReadError(f"has {key}, which is not read ({what})\n{_way_out(content)}")
    if content.get("bias", "none") != "none":
        raise ReadError(f"bias is {brief(content['bias'])}: trained biases are not read\n{_way_out(content)}")


def _vectors(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of the transform that gives a model the vectors of (IA)³. Raises ReadError for what is not
    read."""
    other = next((key for key in OF_LORA if content.get(key) not in (None, False, "none", 0, [], {})), None)
    if other is not None:
        raise ReadError(f"has {other}, which {IA3} has not\n{_way_out(content)}")
    inside = _names(content, "feedforward_modules", empty=True)
    if content.get("target_modules") == "all-linear":
        return {"modules": ("all-linear",), "feedforward": tuple(inside)}
    modules = _names(content, "target_modules")
    strange = [name for name in inside if name not in modules]
    if strange:
        raise ReadError(
            f"feedforward_modules has {brief(strange[0])}, which is not among target_modules\n{_way_out(content)}"
        )
    return {"modules": tuple(dict.fromkeys(modules)), "feedforward": tuple(inside)}


def _saved(content: Mapping[str, Any], base: ModelChoice) -> tuple[str, ...]:
    """Returns the modules that are trained whole: those of the file and of the head of its task. Raises ReadError for a
    task of another head than the base's file says, and for what is no list of names."""
    task, own = content.get("task_type"), content.get("modules_to_save")
    names = () if own is None else tuple(_names(content, "modules_to_save", empty=True))
    if task in TASKS:
        return names
    ending, heads = HEADS.get(task, ("", ())) if isinstance(task, str) else ("", ())
    if not ending or not str(getattr(base.config, "architectures", "")).endswith(ending):
        wanted = f"; its class ends in {ending}" if ending else ""
        raise ReadError(
            f"task_type is {brief(task)}: its model has another head than the base's file says{wanted}\n"
            f"{_way_out(content)}"
        )
    return tuple(dict.fromkeys((*names, *heads)))


def _names(content: Mapping[str, Any], key: str, empty: bool = False) -> list[str]:
    """Returns a list of names of modules, of none too if it may be `empty`. Raises ReadError for anything else."""
    value = content.get(key)
    if not isinstance(value, list) or not (empty or value) or len(value) > MOST_LAYERS or not all(map(_is_name, value)):
        raise ReadError(f"{key} is {brief(value)}, not a list of modules\n{_way_out(content)}")
    return value


def _adapters(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the adapters as `lora` takes them. Raises ReadError for what is not read."""
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
    names = _names(content, "target_modules")
    if not isinstance(ranks, Mapping) or any(name not in names for name in ranks):
        raise ReadError(
            f"rank_pattern is {brief(ranks)}: ranks are read of whole target_modules alone\n{_way_out(content)}"
        )
    layers = content.get("layers_to_transform")
    by_rank: dict[int, list[str]] = {}
    for name in names:
        by_rank.setdefault(_rank(ranks.get(name, rank)), []).append(name)
    if layers is None:
        return tuple(f"{each}:{','.join(alike)}" for each, alike in by_rank.items())
    layers = layers if isinstance(layers, list) else [layers]
    if not 0 < len(layers) <= MOST_LAYERS or not all(type(layer) is int and layer >= 0 for layer in layers):
        raise ReadError(f"layers_to_transform is {brief(layers)}, not a list of layers\n{_way_out(content)}")
    return tuple(f"{each}:*.{layer}.*.{name}" for each, alike in by_rank.items() for name in alike for layer in layers)


def _is_name(name: Any) -> bool:
    return (
        isinstance(name, str) and name != "" and all(part.isidentifier() or part.isdigit() for part in name.split("."))
    )


def _rank(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ConfigError(f"a rank is {brief(value)}, not a count")
    return value
