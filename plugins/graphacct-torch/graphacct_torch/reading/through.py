"""The graph of a class of the transformers library, from the keys of a config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import torch
from torch import nn

from graphacct import Graph, Operator, brief
from graphacct_torch.errors import CaptureError, UnmappedError
from graphacct_torch.reading import library
from graphacct_torch.reading.inputs import library_inputs
from graphacct_torch.reading.read import read_module
from graphacct_torch.reading.sizes import sizes_of

TRAIN = "train"
SIZED = {
    "seq_len": ("input_ids", "decoder_input_ids", "attention_mask"),
    "encoder_seq_len": ("input_ids", "attention_mask"),
    "image_size": ("pixel_values",),
    "images": ("pixel_values",),
    "frames": ("input_features",),
    "samples": ("input_values",),
}
"""The inputs whose size a workload's option gives."""


def graph_through(
    name: str,
    content: Mapping[str, Any],
    operators: Mapping[str, Operator],
    dtype: str,
    phase: str,
    inputs: Any,
    sizes: Mapping[str, Any],
    dynamic: Mapping[str, Any] | None = None,
    attention: str = "",
) -> Graph:
    """Returns the graph of the class that a configuration names, with what was read in its workload."""
    config = library.config_of(content)
    own = dtype or dtype_of(config)  # building the class changes what it says
    if attention and attention not in library.ATTENTION:
        raise CaptureError(f"attention {brief(attention)} of {name!r}: its class has {', '.join(library.ATTENTION)}")
    module = library.built(config, library.ATTENTION.get(attention, ""), training=phase == TRAIN)
    parts = library.joined(module) if hasattr(module, "config") else {}
    asked = sizes_of(config, sizes)
    args, kwargs = library_inputs(module, asked, inputs)
    idle = [size for size in sizes if not _counts(size, module, config, inputs, sizes)]
    told = {size: value for size, value in sizes.items() if size not in idle}
    try:
        graph = read_module(name, module, args, kwargs, operators, own, dynamic, parts)
    except UnmappedError:
        raise
    except CaptureError as error:
        beside = {key: value for key, value in kwargs.items() if key not in inputs} if inputs else {}
        made = _chosen(beside, {}).get("inputs")
        if made is None:
            raise
        raise CaptureError(f"{error}; beside the inputs given, these were made: {made}") from error
    workload = {
        "through": f"{library.version()}: {type(module).__name__}",
        **({"dynamic": ", ".join(dynamic)} if dynamic else {} if inputs else {"batch": asked.batch}),
        **told,
        **({"attention": attention} if attention else {}),
        **_chosen(kwargs, told),
        **({"unused": " ".join(f"{size} {sizes[size]}" for size in idle)} if idle else {}),
        **graph.workload,
        "dtype": own,
    }
    return attrs.evolve(graph, workload=workload)


def _counts(size: str, module: nn.Module, config: Any, inputs: Any, sizes: Mapping[str, Any]) -> bool:
    """Returns whether a size of the workload is one of any input: a class for sound has no length of a text."""
    value = sizes[size]
    other = value + 1 if isinstance(value, int) else tuple(side + 1 for side in value)
    made = [library_inputs(module, sizes_of(config, {**sizes, size: value}), inputs)[1] for value in (value, other)]
    first, second = [[tuple(v.shape) for v in named.values() if isinstance(v, torch.Tensor)] for named in made]
    return first != second


def _chosen(inputs: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, str]:
    """Returns what a header says of inputs whose sizes the user did not give, each as `--input` takes it."""
    given = {name for size, names in SIZED.items() if size in sizes for name in names}
    texts = [
        f"{name}={'x'.join(map(str, value.shape))}:{str(value.dtype).removeprefix('torch.')}"
        for name, value in inputs.items()
        if isinstance(value, torch.Tensor) and name not in given
    ]
    return {"inputs": " ".join(texts)} if texts else {}


def dtype_of(config: Any) -> str:
    """Returns the dtype that a configuration says, of the text if it says none itself."""
    found = getattr(config, "dtype", None)
    if found is None:
        found = getattr(library.text_of(config), "dtype", None)
    return str(found or torch.float32).removeprefix("torch.")
