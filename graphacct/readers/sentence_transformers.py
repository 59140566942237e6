"""A folder of sentence-transformers: its modules.json names what follows the transformer (pooling, a dense layer).

The transformer is the base model of the folder's config.json, whatever head its class has (sentence_transformers,
models/Transformer.py: AutoModel). What follows it is given to the transform `sentence`; a module that it does not know
is left out with all after it, and the report says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.errors import ReadError, brief
from graphacct.files import read_json

FILE = "modules.json"
MOST_BYTES = 2**20
MOST_MODULES = 16
HEAD = re.compile(r"(For[A-Z]\w*|WithLMHeadModel|LMHeadModel)$")
TRANSFORMER = "Transformer"
NORMALIZE, DROPOUT = "Normalize", "Dropout"
POOLING, DENSE, LAYER_NORM = "Pooling", "Dense", "LayerNorm"
USUAL = "pooling_mode_mean_tokens"
FLAGS = (
    "pooling_mode_cls_token",
    "pooling_mode_max_tokens",
    USUAL,
    "pooling_mode_mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens",
    "pooling_mode_lasttoken",
)
"""Older keys of a pooling's file, each a flag that switches a mode on."""
MODES = {key: re.sub(r"^pooling_mode_|(?<!len)_tokens?$", "", key) for key in FLAGS}
"""The mode of each of these keys."""
WIDTHS = ("word_embedding_dimension", "embedding_dimension")
"""Keys of a pooling's file that say how wide a token is, which the transformer says too."""
EMBEDDING = "sentence_embedding"


def of_base_model(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config.json's keys with the class of the base model."""
    classes = content.get("architectures")
    if not isinstance(classes, list) or not classes or not isinstance(classes[0], str):
        return dict(content)
    return {**content, "architectures": [HEAD.sub("Model", classes[0])]}


@attrs.frozen
class Following:
    """What follows a transformer.

    Attributes:
        modules: The modules in order, as the transform `sentence` takes them.
        left_out: Those that it does not know, as text; empty for none.
    """

    modules: tuple[str, ...] = ()
    left_out: str = ""


def following(path: str) -> Following:
    """Returns what follows the transformer. Raises ReadError, which names the file, for one that is no list of modules,
    and for settings of a module that are not read."""
    modules = read_json(path, MOST_BYTES, constants=float)
    if not isinstance(modules, list) or len(modules) > MOST_MODULES or not all(map(_is_module, modules)):
        raise ReadError(f"{path}: is {brief(modules)}, not a list of modules with a path and a type")
    first, *kinds = (_kind(path, module) for module in modules) if modules else (TRANSFORMER,)
    if first != TRANSFORMER:
        raise ReadError(f"{path}: its first module is {first}, and a {TRANSFORMER} alone is read")
    if modules and os.path.normpath(modules[0]["path"] or ".") != ".":
        raise ReadError(
            f"{path}: its {TRANSFORMER} is in {brief(modules[0]['path'])}, and a config.json is read that lies beside "
            "modules.json"
        )
    found: list[str] = []
    for index, (kind, module) in enumerate(zip(kinds, modules[1:], strict=True)):
        text = _text(kind, os.path.join(os.path.dirname(path), os.path.basename(os.path.normpath(module["path"]))))
        if text is None or (index == 0 and kind != POOLING):
            return Following(tuple(found), ", ".join(kinds[index:]))
        found.append(text)
    return Following(tuple(found))


def _is_module(module: Any) -> bool:
    return isinstance(module, dict) and all(isinstance(module.get(key), str) for key in ("path", "type"))


def _kind(path: str, module: Mapping[str, str]) -> str:
    kind = module["type"].rpartition(".")[2]
    if not kind.isidentifier():
        raise ReadError(f"{path}: {brief(module['type'])} is no class of a module")
    return kind


def _text(kind: str, folder: str) -> str | None:
    """Returns a module as the transform takes it; None for one that is not known."""
    if kind not in READ:
        return None
    file = os.path.join(folder, "config.json")
    settings: Any = {}
    if os.path.isfile(file):
        settings = read_json(file, MOST_BYTES, constants=float)
    elif kind not in (NORMALIZE, DROPOUT):
        raise ReadError(f"{file}: is not there, and says what {kind} is")
    if not isinstance(settings, dict):
        raise ReadError(f"{file}: is {brief(settings)}, not an object with the settings of {kind}")
    for key in ("module_input_name", "module_output_name"):
        if settings.get(key) not in (None, EMBEDDING):
            raise ReadError(f"{file}: {key} is {brief(settings[key])}: {kind} is read of {EMBEDDING} alone")
    return READ[kind](settings, file)


def _pooling(settings: Mapping[str, Any], file: str) -> str:
    modes = settings.get("pooling_mode")
    if modes is None:
        for key in MODES:
            if not isinstance(settings.get(key, False), bool):
                raise ReadError(f"{file}: {key} is {brief(settings[key])}, not true or false")
        modes = [mode for key, mode in MODES.items() if settings.get(key)] or [MODES[USUAL]]
    modes = [modes] if isinstance(modes, str) else modes
    if not isinstance(modes, list) or not modes or any(mode not in MODES.values() for mode in modes):
        raise ReadError(f"{file}: pooling_mode is {brief(modes)}: known are {', '.join(MODES.values())}")
    for key in WIDTHS:
        width = settings.get(key)
        if width is not None and (type(width) is not int or not 0 < width < 10**9):
            raise ReadError(f"{file}: {key} is {brief(width)}, not the width of a token")
    return f"pooling:{'+'.join(modes)}"


def _dense(settings: Mapping[str, Any], file: str) -> str:
    sizes = [settings.get(key) for key in ("in_features", "out_features")]
    if not all(type(size) is int and 0 < size < 10**9 for size in sizes):
        raise ReadError(f"{file}: is {brief(settings)}, not a dense layer's in_features and out_features")
    for key in ("bias", "use_residual"):
        if not isinstance(settings.get(key, False), bool):
            raise ReadError(f"{file}: {key} is {brief(settings[key])}, not true or false")
    act = settings.get("activation_function", "torch.nn.modules.activation.Tanh")
    if not isinstance(act, str) or not act.startswith("torch.nn.") or not act.rpartition(".")[2].isidentifier():
        raise ReadError(f"{file}: activation_function is {brief(act)}, no class of torch.nn")
    how = ("" if settings.get("bias", True) else ":no_bias") + (":residual" if settings.get("use_residual") else "")
    return f"dense:{sizes[0]}:{sizes[1]}:{act.rpartition('.')[2]}{how}"


def _layer_norm(settings: Mapping[str, Any], file: str) -> str:
    width = settings.get("dimension")
    if type(width) is not int or not 0 < width < 10**9:
        raise ReadError(f"{file}: dimension is {brief(width)}, not the width of a norm")
    return f"layer_norm:{width}"


def _dropout(settings: Mapping[str, Any], file: str) -> str:
    chance = settings.get("dropout", 0.2)
    if isinstance(chance, bool) or not isinstance(chance, (int, float)) or not 0 <= chance < 1:
        raise ReadError(f"{file}: dropout is {brief(chance)}, no probability below 1")
    return f"dropout:{float(chance)}"


READ: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    POOLING: _pooling,
    DENSE: _dense,
    LAYER_NORM: _layer_norm,
    NORMALIZE: lambda settings, file: "normalize",
    DROPOUT: _dropout,
}
"""How the settings of each module are read."""
