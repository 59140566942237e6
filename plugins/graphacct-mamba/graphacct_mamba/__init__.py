"""Selective state spaces for graphacct: Mamba, Mamba-2 and the hybrid Jamba, from outside the core.

Each family is imported when its hook is called or its model is asked for.
"""

from collections.abc import Iterable

from graphacct import LazyArchitecture, Operator, hookimpl

FAMILIES = (
    LazyArchitecture(
        "mamba",
        "graphacct_mamba.mamba",
        ("mamba-130m", "mamba-370m", "mamba-790m", "mamba-1.4b", "mamba-2.8b"),
        ("mamba",),
    ),
    LazyArchitecture(
        "mamba2",
        "graphacct_mamba.mamba2",
        ("mamba2-130m", "mamba2-370m", "mamba2-780m", "mamba2-1.3b", "mamba2-2.7b", "mamba-codestral-7b"),
        ("mamba2",),
    ),
    LazyArchitecture("jamba", "graphacct_mamba.jamba", ("jamba-v0.1", "jamba-1.5-mini", "jamba-1.5-large"), ("jamba",)),
)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_mamba import chunks, scan, state

    return [item for family in (chunks, scan, state) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
