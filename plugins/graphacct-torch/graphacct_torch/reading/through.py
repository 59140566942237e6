"""The graph of a class of the transformers library, from the keys of a config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import torch

from graphacct import Graph, Operator
from graphacct_torch.reading import library
from graphacct_torch.reading.inputs import library_inputs
from graphacct_torch.reading.read import read_module
from graphacct_torch.reading.sizes import sizes_of

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
        **_stored(content, own),
    }
    return attrs.evolve(graph, workload=workload)


def _stored(content: Mapping[str, Any], dtype: str) -> dict[str, str]:
    """Returns what a header says of a file whose weights are quantised: they are counted in the dtype of the
    computation."""
    said = next((content[key] for key in library.QUANTIZED if content.get(key)), None)
    if said is None:
        return {}
    method = said.get("quant_method") if isinstance(said, Mapping) else None
    return {"stored": f"as {method or 'its quantization says'} in the file, counted in {dtype}"}


def dtype_of(config: Any) -> str:
    """Returns the dtype that a configuration says, of the text if it says none itself."""
    found = getattr(config, "dtype", None)
    if found is None:
        found = getattr(config.get_text_config(), "dtype", None)
    return str(found or torch.float32).removeprefix("torch.")
