"""Hugging Face's config.json: the configuration of a model that somebody has on disk.

A file says only what differs from its class's defaults, under the keys of its day. What changes the cost and is not
understood is an error; every other key is ignored, code that a file names (`auto_map`) is never run, and nothing is
fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, ReadError, brief, suggest
from graphacct.files import read_json

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.architecture import Architecture

FILE = "config.json"
MOST_BYTES = 16 * 2**20
"""The largest config.json that is read; published ones have some kB."""
PEEK = 2**16
"""A saved graph says what it is in so many bytes; a config.json may have a thousand labels before its `model_type`."""
CLASS_ENDING = r"(For[A-Z]\w*|(With)?LMHeadModel|DoubleHeadsModel|Model)$"
"""What stands behind the family in the name of a class."""
NONE: Mapping[str, str] = {}
OFF: tuple[Any, ...] = (None, False, 0, 0.0, 1, 1.0, "", "none", [], {})
"""Values of a key that leave a model as it is without it."""
COSTLY = frozenset(
    [
        "add_cross_attention",
        "alibi",
        "attention_bias",
        "attn_logit_softcapping",
        "clip_qkv",
        "cross_attention_hidden_size",
        "decoder_layers",
        "encoder_layers",
        "final_logit_softcapping",
        "first_k_dense_replace",
        "kv_lora_rank",
        "layer_types",
        "mlp_bias",
        "mlp_only_layers",
        "moe_intermediate_size",
        "moe_layer_freq",
        "multi_query",
        "n_routed_experts",
        "n_shared_experts",
        "new_decoder_architecture",
        "num_experts",
        "num_experts_per_tok",
        "num_local_experts",
        "num_kv_heads",
        "num_key_value_heads",
        "parallel_attn",
        "per_layer_config",
        "q_lora_rank",
        "qk_layernorm",
        "quantization_config",
        "shared_expert_intermediate_size",
        "sliding_window",
        "use_parallel_residual",
        "use_bidirectional_attention",
        "use_sliding_window",
        "use_qk_norm",
    ]
)
"""Keys that change the cost of the families that know them: to a family that does not, they are an error."""
WITHOUT = {"quantization_config": "; a file without it is the model with its weights unpacked"}
"""What a file is without such a key, where that is a way out."""


def accepts(model: Any) -> bool:
    """Whether a path is a config.json, another file with a `model_type`, or a folder with a config.json; or whether an
    object is a mapping with such keys."""
    if not isinstance(model, str):
        return isinstance(model, Mapping) and ("model_type" in model or "architectures" in model)
    path = model
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, FILE))
    if os.path.basename(path) == FILE:
        return True
    if not path.endswith(".json") or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        start = file.read(PEEK)
        if b"graphacct.graph/" in start:
            return False
        rest = file.read(MOST_BYTES) if b'"model_type"' not in start else b""
    return b'"model_type"' in start or b'"model_type"' in rest


def find(model: Any, plugins: Plugins) -> tuple[str, Architecture, Any]:
    """The model's name, its architecture and its configuration, from a path or from a mapping with a file's keys.

    Raises ReadError, which names the file, the key, the value and what was expected.
    """
    if isinstance(model, Mapping):
        try:
            architecture = _architecture(model, plugins)
            return _called(model) or architecture.name, architecture, configured(architecture, model)
        except GraphacctError as error:
            raise ReadError(f"the configuration: {error}") from error
    file = os.path.join(model, FILE) if os.path.isdir(model) else model
    content = read_json(file, MOST_BYTES, constants=float)
    try:
        if not isinstance(content, dict):
            raise ReadError(f"is {brief(content)}, not an object with the keys of a configuration")
        architecture = _architecture(content, plugins)
        return _name(file), architecture, configured(architecture, content)
    except GraphacctError as error:
        raise ReadError(f"{file}: {error}") from error


def configured(architecture: Architecture, content: Mapping[str, Any]) -> Any:
    """The configuration that a file's keys describe."""
    return filled(architecture.config, content, architecture.name, architecture.aliases, architecture.translated)


def filled(
    config: type[Any],
    content: Mapping[str, Any],
    owner: str,
    aliases: Mapping[str, str] = NONE,
    translated: Container[str] = (),
) -> Any:
    """A configuration with the keys that it knows; ReadError for an unknown one that changes the cost of `owner`.

    Where a file has a key in several spellings, that of the configuration counts, but one that is `translated` before
    it.
    """
    fields = {field.name: field for field in attrs.fields(config)}
    given: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    fixed: set[str] = set()
    for key, value in content.items():
        name = aliases.get(key, key)
        if name not in fields:
            if key in COSTLY and (value is True or value not in OFF):  # True equals 1
                raise ReadError(
                    f"{key} is {brief(value)}, which {owner} does not know and which changes the cost"
                    f"{WITHOUT.get(key, '')}"
                )
            continue
        if value is None and fields[name].default is not None and not fields[name].metadata.get("optional"):
            continue
        if key in translated and value is not None:
            fixed.add(name)
        elif name in fixed or (key != name and content.get(name) is not None) or given.get(name) is not None:
            continue
        given[name], spelled[name] = value, key
    try:
        return config(**given)
    except ConfigError as error:
        name = str(error).partition(" ")[0]
        if spelled.get(name, name) != name:  # the reader of the message looks for the key that the file has
            raise ConfigError(f"{spelled[name]} {str(error)[len(name) + 1 :]}") from error
        raise


def _architecture(content: Mapping[str, Any], plugins: Plugins) -> Architecture:
    known = {name: item for item in plugins.architectures.values() for name in item.model_types}
    kind = content.get("model_type") or _by_class(content.get("architectures"), known)
    if not isinstance(kind, str):
        raise ReadError(f"model_type is {brief(kind)}: a configuration names its family there, as 'llama'")
    if kind not in known:
        raise ReadError(
            f"no architecture reads model_type {brief(kind)}{suggest(kind, known)}\n{_way_out(content, known)}"
        )
    found: Architecture = known[kind].load()
    return found


def _by_class(names: Any, known: Iterable[str]) -> str | None:
    """The family of a file from before `model_type`: the one that its class is called after."""
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    stem = re.sub(CLASS_ENDING, "", name).lower()
    return next((kind for kind in known if kind.replace("_", "") == stem), None)


def _way_out(content: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """What to do about a model_type that nothing reads."""
    text = content.get("text_config")
    inner = text.get("model_type") if isinstance(text, Mapping) else None
    if isinstance(inner, str) and inner in known:
        return f"its text_config is of {inner}: save that object as a config.json of its own to read the language model"
    way = "a plugin can register one (docs/writing-a-plugin.md, A family that config.json names)"
    return f"{way}; graphacct list architectures shows all"


def _called(content: Mapping[str, Any]) -> str:
    """The name that a configuration has of where it came from: the last part of `org/model`; empty without one."""
    name = content.get("_name_or_path")
    return os.path.basename(os.path.normpath(name)) if isinstance(name, str) and name else ""


def _name(file: str) -> str:
    """What to call the model: its folder, or the file itself where its name says more."""
    name = os.path.basename(file)
    if name != FILE:
        return os.path.splitext(name)[0]
    return os.path.basename(os.path.dirname(os.path.realpath(file))) or os.path.splitext(name)[0]
