"""Selective state spaces for graphacct: Mamba, Mamba-2 and the hybrid Jamba, from outside the core.

Each family is imported when its hook is called or its model is asked for.
"""

import os
from collections.abc import Iterable

from graphacct import LazyArchitecture, Operator, PresetFiles, hookimpl

HERE = os.path.dirname(__file__)
FAMILIES = (
    LazyArchitecture("mamba", "graphacct_mamba.mamba", PresetFiles(f"{HERE}/mamba.py"), ("mamba",)),
    LazyArchitecture("mamba2", "graphacct_mamba.mamba2", PresetFiles(f"{HERE}/mamba2.py"), ("mamba2",)),
    LazyArchitecture("jamba", "graphacct_mamba.jamba", PresetFiles(f"{HERE}/jamba.py"), ("jamba",)),
)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_mamba import chunks, scan, state

    return [item for family in (chunks, scan, state) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
