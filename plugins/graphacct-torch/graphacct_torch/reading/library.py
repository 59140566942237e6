"""The transformers library: the class that a configuration names, built without weights, network or code of the file.

transformers is imported when a configuration is met that it alone knows.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from graphacct import brief, suggest
from graphacct_torch.building.build import other_ways, without_weights
from graphacct_torch.errors import CaptureError, first_line, lines_of

HEADS = ("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM", "SPEECH_SEQ_2_SEQ", "MASKED_LM")
"""Kinds of heads in the order in which a family without a bare model is read."""
KERNELS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal", "experts_implementation")
"""Keys that choose kernels, which need not be there: the class's own choice counts."""
UNCHECKED = "TRANSFORMERS_DISABLE_TORCH_CHECK"
"""The library's own switch for its checks of values."""
QUANTIZED = ("quantization_config", "compression_config", "quantization")
"""Keys that say how weights are stored, which are not for a class without weights."""
CHOICES = ("_supports_sdpa", "_supports_flash_attn", "_supports_flex_attn", "_supports_attention_backend")
"""What a class says of itself that lets its attention be chosen."""
ATTENTION = {"eager": "eager", "fused": "sdpa"}
"""The library's names of kinds of attention."""


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """A context in which the library fetches nothing, and takes no kernels from the hub."""
    from huggingface_hub import constants
    from transformers.integrations import hub_kernels

    before = constants.HF_HUB_OFFLINE, hub_kernels._kernels_enabled
    constants.HF_HUB_OFFLINE, hub_kernels._kernels_enabled = True, False
    try:
        with warnings.catch_warnings(), _silent():
            warnings.simplefilter("ignore")
            yield
    finally:
        constants.HF_HUB_OFFLINE, hub_kernels._kernels_enabled = before


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """A context in which the library takes fake tensors for plain ones: it has other paths for those, for export.

    Its checks of values (that there are as many image tokens as features) need data, and are off.
    """
    from transformers.utils import import_utils

    before = import_utils.is_fake_tensor, os.environ.get(UNCHECKED)
    import_utils.is_fake_tensor, os.environ[UNCHECKED] = lambda x: False, "1"
    try:
        yield
    finally:
        import_utils.is_fake_tensor = before[0]
        if before[1] is None:
            del os.environ[UNCHECKED]
        else:
            os.environ[UNCHECKED] = before[1]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Advice of the library, such as which kernels to install, is none of a report's."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def knows(model_type: str) -> bool:
    """Returns whether the library has a family."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return model_type in CONFIG_MAPPING_NAMES


def config_of(content: Mapping[str, Any]) -> Any:
    """Returns the library's configuration from the keys of a config.json.

    Raises CaptureError for keys that the class refuses.
    """
    kept = _kept(content)
    kind = config_class(kept)
    try:
        with offline():
            return kind.from_dict(kept)
    except Exception as error:
        raise CaptureError(f"transformers' {kind.__name__} refuses the configuration: {first_line(error)}") from error


def config_class(content: Mapping[str, Any]) -> Any:
    """Returns the class of a family's configurations."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return CONFIG_MAPPING[content["model_type"]]


def _kept(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys that are for the class, of nested configurations too."""
    left_out = (*KERNELS, *QUANTIZED, "auto_map")
    return {
        name: _kept(value) if isinstance(value, Mapping) and name.endswith("_config") else value
        for name, value in content.items()
        if name not in left_out
    }


def text_of(config: Any) -> Any:
    """Returns the part of a configuration that is of the text; of two such parts, the decoder's, and otherwise all."""
    try:
        return config.get_text_config()
    except ValueError:  # the library finds several
        return config.get_text_config(decoder=True)


def class_of(config: Any) -> type[nn.Module]:
    """Returns the class of a configuration: the one that its `architectures` names, or else the bare model.

    Raises CaptureError for a name that the library does not have, and for a part of a model that has no class to load.
    """
    import transformers

    names = getattr(config, "architectures", None) or ()
    if names:
        found = getattr(transformers, str(names[0]), None)
        if found is None:
            found = _spelled(str(names[0]), config.model_type)
        if found is None:
            known = [name for name in dir(transformers) if name.startswith(str(names[0])[:3])]
            raise CaptureError(
                f"architectures names {brief(names[0])}, and transformers {transformers.__version__} has no such class"
                f"{suggest(str(names[0]), known)}"
            )
        return found
    names = list(_names_by_type(config.model_type))
    if not names:
        raise CaptureError(
            f"transformers {transformers.__version__} has no model of {config.model_type!r} alone, which is a part of "
            "others: add architectures=[CLASS] to the file"
        )
    for name in names:  # a bare model may be of a part of what the configuration describes
        kind = _by_name(name, config.model_type)
        if isinstance(config, getattr(kind, "config_class", None) or object):
            return kind
    return _by_name(names[0], config.model_type)


def _spelled(name: str, model_type: str) -> type[nn.Module] | None:
    """Returns the class of a family whose name differs in underscores and capitals alone, as that of a file's own code
    may; None if there is none."""
    plain = name.replace("_", "").lower()
    known = next((own for own in _names_by_type(model_type) if own.replace("_", "").lower() == plain), None)
    return None if known is None else _by_name(known, model_type)


def _by_name(name: str, model_type: str) -> type[nn.Module]:
    """Returns a class, also one that the library does not export."""
    import transformers

    found = getattr(transformers, name, None)
    if found is None:
        auto = importlib.import_module("transformers.models.auto.configuration_auto")
        folder = auto.model_type_to_module_name(model_type)
        found = getattr(importlib.import_module(f"transformers.models.{folder}.modeling_{folder}"), name)
    kind: type[nn.Module] = found
    return kind


def named_by_type(model_type: str) -> str | None:
    """Returns the name of the class of a family: the bare model, or else one with a head."""
    return next(_names_by_type(model_type), None)


def _names_by_type(model_type: str) -> Iterator[str]:
    """Returns the names of a family's classes: the bare model, those with heads in the order of HEADS, and others."""
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    tables = [name for name in dir(auto) if name.startswith("MODEL_") and name.endswith("_MAPPING_NAMES")]
    first = ["MODEL_MAPPING_NAMES", *(f"MODEL_FOR_{head}_MAPPING_NAMES" for head in HEADS)]
    for table in [*first, *(name for name in tables if name not in first)]:
        found = getattr(auto, table, {}).get(model_type)
        if found:
            yield found if isinstance(found, str) else str(found[0])


def head_of(model_type: str) -> str | None:
    """Returns the name of a family's class that writes text; of one that has none, the bare model's."""
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    for head in HEADS:
        found = getattr(auto, f"MODEL_FOR_{head}_MAPPING_NAMES").get(model_type)
        if found:
            return str(found)
    return named_by_type(model_type)


def has_choice(config: Any) -> bool:
    """Returns whether the class of a configuration can run attention in more than one way."""
    kind = class_of(config)
    return any(getattr(kind, name, False) for name in CHOICES)


def built(config: Any, attention: str = "", training: bool = False, experts: str = "") -> nn.Module:
    """Returns the module of a configuration, without weights.

    Args:
        config: The library's configuration.
        attention: `eager` or `sdpa`; the class's own unless given.
        training: Whether it is in training mode.
        experts: How experts run, for a class that has a choice; the class's own unless given.

    Raises CaptureError, which names the class and the line, if it cannot be built.
    """
    kind: Any = class_of(config)
    options = {"attn_implementation": attention} if attention else {}
    if attention and not has_choice(config):
        raise CaptureError(f"transformers' {kind.__name__} has no choice of attention: leave attention out")
    if experts:
        with contextlib.suppress(Exception):  # without a choice it is built below, or its error is told
            return _made(kind, config, {**options, "experts_implementation": experts}).train(training)
    try:
        return _made(kind, config, options).train(training)
    except Exception as error:
        if supplied(error):
            return built(config, attention, training, experts)
        for way in other_ways(error):
            with contextlib.suppress(Exception):
                return _made(kind, config, options, way).train(training)
        raise CaptureError(
            f"transformers' {kind.__name__} is not built: {first_line(error)}{lines_of(error)}"
        ) from error


UNCOSTED = {"rope_theta": 10000.0}
"""What some of the library's classes read of a configuration that its own class does not have (DBRX's attention), and
what changes no cost."""


def supplied(error: Exception) -> bool:
    """Returns whether a class was not built for want of such a value, which the configuration now has."""
    name = getattr(error, "name", None)
    if not isinstance(error, AttributeError) or name not in UNCOSTED or error.obj is None or hasattr(error.obj, name):
        return False
    setattr(error.obj, name, UNCOSTED[name])
    return True


def joined(module: nn.Module) -> dict[str, int]:
    """Returns how many matrices of each expert a checkpoint of a class keeps as one parameter here, by the parameter's
    name: the gate and the other projection.

    Source: the library's table of what it converts when it loads (conversion_mapping.py).
    """
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import Concatenate

    ends = {
        target.rstrip("$").lstrip("^"): len(item.source_patterns)
        for item in get_model_conversion_mapping(module, add_legacy=False)
        if any(isinstance(step, Concatenate) for step in getattr(item, "operations", ()))
        for target in item.target_patterns
        if target.rstrip("$").endswith("gate_up_proj")
    }
    found: dict[str, int] = {}
    for name, _ in module.named_parameters():
        for end, count in ends.items():
            if f".{name}".endswith(f".{end.lstrip('.')}"):
                found[name] = count
    return found


def _made(
    kind: Any,
    config: Any,
    options: Mapping[str, str],
    way: Callable[[], AbstractContextManager[None]] = without_weights,
) -> nn.Module:
    with offline(), way():
        module: nn.Module = kind._from_config(config, **options) if hasattr(kind, "_from_config") else kind(config)
    return module


def version() -> str:
    """Returns the library with its version, as headers have it."""
    import transformers

    return f"transformers {transformers.__version__}"
