"""Selective state spaces for graphacct: Mamba, Mamba-2 and the hybrid Jamba.

Everything is imported on first use.
"""

import os
from collections.abc import Iterable

from graphacct import LazyArchitecture, LazyOperator, PresetFiles, hookimpl

HERE = os.path.dirname(__file__)
FILES = {
    "mamba": "mamba",
    "mamba2": "mamba2",
    "jamba": "jamba",
    "lfm2": "lfm2",
    "lfm2_moe": "lfm2_moe",
    "falcon_mamba": "falcon_mamba",
    "falcon_h1": "falcon_h1",
    "bamba": "bamba",
    "granitemoehybrid": "granitemoehybrid",
    "nemotron_h": "nemotron_h",
    "qwen3_next": "qwen3_next",
    "qwen3_5_text": "qwen3_5",
    "qwen3_5_moe_text": "qwen3_5_moe",
}
"""The file of each family; a family's name is its `model_type`."""
FAMILIES = tuple(
    LazyArchitecture(name, f"{__name__}.{file}", PresetFiles(f"{HERE}/{file}.py"), (name,))
    for name, file in FILES.items()
)


OPERATORS = {
    "chunks": "chunk_scan scan_step",
    "delta": "delta_chunks delta_step",
    "scan": "selective_scan",
    "state": "recurrent_state state_keep",
}
"""The names of the operators in each module."""


@hookimpl
def graphacct_register_operators() -> Iterable[LazyOperator]:
    return [LazyOperator(name, f"{__name__}.{module}") for module, names in OPERATORS.items() for name in names.split()]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
