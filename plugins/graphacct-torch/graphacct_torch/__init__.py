"""Any PyTorch module for graphacct: it runs without data, and what it calls becomes a graph.

torch is imported when a module is met, never before.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphacct import hookimpl

if TYPE_CHECKING:
    from graphacct import ClassMeasurement, Graph, Operator, Profile, Reader, TensorSpec, WeightFormatKind
    from graphacct.testing import Reference


def __getattr__(name: str) -> Any:
    """`graphacct_torch.cost`, imported when it is asked for."""
    if name == "cost":
        from graphacct_torch.stated import cost

        return cost
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _accepts(model: object) -> bool:
    """Returns whether an object is a torch.nn.Module, or a tuple that begins with one. torch need not be there."""
    torch = sys.modules.get("torch")
    if torch is None or isinstance(model, (str, Mapping)):
        return False
    first = model[0] if isinstance(model, tuple) and model else model
    return isinstance(first, torch.nn.Module)


def _read(model: Any, operators: Mapping[str, Operator], **options: Any) -> Graph:
    from graphacct_torch.reading.read import read

    return read(model, operators, **options)


def _named(model: Any) -> str:
    return type(model[0] if isinstance(model, tuple) else model).__name__


def _building() -> AbstractContextManager[None]:
    """Returns the context in which a factory runs: its modules take no memory for large weights."""
    if "torch" not in sys.modules:
        return contextlib.nullcontext()
    from graphacct_torch.building.build import without_weights

    return without_weights()


def _building_again(error: Exception) -> Sequence[Callable[[], AbstractContextManager[None]]]:
    """Returns other contexts for a factory that failed in this one."""
    if "torch" not in sys.modules:
        return ()
    from graphacct_torch.building.build import other_ways

    return other_ways(error)


def _is_config(model: object) -> bool:
    from graphacct_torch.reading.config_file import accepts

    return accepts(model)


def _config_name(model: Any) -> str:
    from graphacct_torch.reading.config_file import named

    return named(model)


def _read_config(model: Any, operators: Mapping[str, Operator], **options: Any) -> Graph:
    from graphacct_torch.reading.config_file import read

    return read(model, operators, **options)


def _config_weights(model: Any, overrides: Mapping[str, Any], kinds: Mapping[str, WeightFormatKind]) -> Any:
    from graphacct_torch.reading.config_file import weights

    return weights(model, overrides, kinds)


@hookimpl
def graphacct_register_readers() -> Iterable[Reader]:
    from graphacct import Reader

    doc = "A torch.nn.Module, alone or with its inputs as (module, args, kwargs), from a factory or as an object."
    instead = "its inputs have their sizes: other inputs=, or another factory, give others"
    takes = ("inputs", "dynamic", "dtype")
    module = Reader(
        "torch",
        doc,
        _accepts,
        _read,
        building=_building,
        building_again=_building_again,
        takes=takes,
        named=_named,
        instead=instead,
    )
    doc = "A config.json whose model_type graphacct does not know: its class in the transformers library."
    sizes = ("batch", "seq_len", "encoder_seq_len", "image_size", "images", "frames", "samples")
    keywords = ("set", "dtype", "phase", "inputs", "dynamic", *sizes, "attention")
    instead = "give batch=, seq_len= or image_size=, or keys of the file with set="
    file = Reader(
        "transformers",
        doc,
        _is_config,
        _read_config,
        takes=keywords,
        named=_config_name,
        instead=instead,
        weights=_config_weights,
    )
    return [module, file]


@hookimpl
def graphacct_register_profiles() -> Iterable[Profile]:
    from graphacct import Profile

    doc = "A captured module's memory as torch held it: what it saved and freed, watched while it ran without data."
    return [Profile("as-recorded", doc, recorded=True)]


@hookimpl
def graphacct_measure_class(config: Mapping[str, Any], workload: Mapping[str, Any]) -> ClassMeasurement | None:
    if importlib.util.find_spec("transformers") is None or importlib.util.find_spec("torch") is None:
        return None
    kind = str(config.get("model_type"))
    if "_class_name" in config or kind.startswith("Autoencoder") or (kind[:1].isupper() and kind.endswith("Model")):
        if importlib.util.find_spec("diffusers") is None:
            return None
        config = {"_class_name": kind, **config}
    else:
        from graphacct_torch.reading.library import knows

        if not knows(kind):
            return None
    from graphacct_torch.measuring.measured import measure

    return measure(config, workload)


@hookimpl
def graphacct_measure_reference(
    function: str | Callable[..., Any], operands: Sequence[TensorSpec], attributes: Mapping[str, Any]
) -> Reference | None:
    """Measures a function of torch, which is imported here: the contract of an operator names it."""
    from importlib.util import find_spec

    if not _is_of_torch(function) or find_spec("torch") is None:
        return None
    from graphacct_torch.measuring.reference import measure

    return measure(function, operands, attributes)


def _is_of_torch(function: str | Callable[..., Any]) -> bool:
    """Returns whether a path is torch's; or whether a function is, or its code mentions torch or a name of torch's."""
    if isinstance(function, str):
        return function.startswith("torch.")
    function = getattr(function, "func", function)  # of a functools.partial
    owner = getattr(function, "__objclass__", None)  # of torch.Tensor.relu
    if any(map(_is_torchs, (function, type(function), owner))):
        return True
    code, known = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    return code is not None and any(name == "torch" or _is_torchs(known.get(name)) for name in code.co_names)


def _is_torchs(value: object) -> bool:
    """Returns whether something is a module of torch (`import torch.nn.functional as F`), or of one."""
    home = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
    return str(home).partition(".")[0] == "torch"
