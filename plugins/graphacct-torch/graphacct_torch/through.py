"""The graph of a class of the transformers library, from the keys of a config.json."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import attrs
import torch
from torch import nn

from graphacct import ConfigError, Graph, Operator, suggest
from graphacct_torch import library
from graphacct_torch.errors import CaptureError
from graphacct_torch.given import with_inputs
from graphacct_torch.inputs import Sizes, inputs_of
from graphacct_torch.read import read_module

TRAIN = "train"


def graph_through(
    name: str,
    content: Mapping[str, Any],
    operators: Mapping[str, Operator],
    dtype: str,
    phase: str,
    inputs: Any,
    sizes: Mapping[str, Any],
) -> Graph:
    """Returns the graph of the class that a configuration names, with what was read in its workload."""
    config = library.config_of(content)
    module = library.built(config, training=phase == TRAIN)
    own = dtype or dtype_of(config)
    asked = sizes_of(config, sizes)
    args, kwargs = library_inputs(module, asked, inputs)
    graph = read_module(name, module, args, kwargs, operators, own)
    workload = {
        "through": f"{library.version()}: {type(module).__name__}",
        "batch": asked.batch,
        **{size: sizes[size] for size in ("seq_len", "encoder_seq_len", "image_size") if size in sizes},
        **graph.workload,
        "dtype": own,
    }
    return attrs.evolve(graph, workload=workload)


def library_inputs(module: nn.Module, sizes: Sizes, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the inputs of a module of the library: made ones, and those that the user gives."""
    given = frozenset(inputs) if isinstance(inputs, Mapping) else frozenset()
    if inputs is not None and not isinstance(inputs, Mapping):
        return with_inputs(module, (), {}, inputs)
    formals = inspect.signature(module.forward).parameters
    wrong = next((name for name in given if name not in formals), None)
    if wrong is not None:
        raise CaptureError(f"module {type(module).__name__!r} takes no {wrong}{suggest(wrong, formals)}")
    made = inputs_of(module, sizes, given)
    return with_inputs(module, (), made, inputs)


def sizes_of(config: Any, sizes: Mapping[str, Any]) -> Sizes:
    """Returns the sizes of a workload. Raises ConfigError for one that is no number."""
    for name, value in sizes.items():
        if not all(type(size) is int and size > 0 for size in (value if isinstance(value, tuple) else (value,))):
            raise ConfigError(f"{name} {value} is no positive integer, which a model of the library runs with")
    image = sizes.get("image_size")
    return Sizes(
        config,
        sizes.get("batch", 1),
        sizes.get("seq_len"),
        sizes.get("encoder_seq_len"),
        (image, image) if isinstance(image, int) else image,
    )


def dtype_of(config: Any) -> str:
    """Returns the dtype that a configuration says, of the text if it says none itself."""
    found = getattr(config, "dtype", None)
    if found is None:
        found = getattr(config.get_text_config(), "dtype", None)
    return str(found or torch.float32).removeprefix("torch.")
