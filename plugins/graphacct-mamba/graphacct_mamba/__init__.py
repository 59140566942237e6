"""Selective state spaces for graphacct: Mamba, Mamba-2 and the hybrid Jamba, from outside the core.

Each family is imported when its hook is called or its model is asked for.
"""

from collections.abc import Iterable

from graphacct import Operator, hookimpl
from graphacct.deferred import Deferred

FAMILIES = (
    Deferred(
        "mamba",
        "graphacct_mamba.mamba",
        ("mamba-130m", "mamba-370m", "mamba-790m", "mamba-1.4b", "mamba-2.8b"),
        ("mamba",),
    ),
)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_mamba import scan, state

    return [item for family in (scan, state) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[Deferred]:
    return FAMILIES
