"""Selective state spaces for graphacct: Mamba, Mamba-2 and the hybrid Jamba.

Everything is imported on first use.
"""

import os
from collections.abc import Iterable

from graphacct import LazyArchitecture, LazyOperator, PresetFiles, hookimpl

HERE = os.path.dirname(__file__)
FAMILIES = (
    LazyArchitecture("mamba", "graphacct_mamba.mamba", PresetFiles(f"{HERE}/mamba.py"), ("mamba",)),
    LazyArchitecture("mamba2", "graphacct_mamba.mamba2", PresetFiles(f"{HERE}/mamba2.py"), ("mamba2",)),
    LazyArchitecture("jamba", "graphacct_mamba.jamba", PresetFiles(f"{HERE}/jamba.py"), ("jamba",)),
)


OPERATORS = {
    "chunks": "chunk_scan scan_step",
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
