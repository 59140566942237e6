"""The core as a plugin: all that it registers, through the hooks that a stranger has.

This is the only file that knows both the hooks and the nouns. It imports each noun when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphacct.hooks.hookspecs import hookimpl

if TYPE_CHECKING:
    from graphacct.costs.conventions import Convention
    from graphacct.costs.quantities import Quantity
    from graphacct.graph.graph import Graph, Node
    from graphacct.hooks.manager import Plugins
    from graphacct.models.architecture import Architecture
    from graphacct.models.reader import Reader
    from graphacct.operators.cost import Cost
    from graphacct.operators.operator import Operator


@hookimpl(trylast=True)
def graphacct_node_cost(node: Node, operator: Operator | None) -> Cost | None:
    """Ask the operator."""
    from graphacct.costs.annotate import cost_of

    return cost_of(node, operator)


@hookimpl
def graphacct_register_conventions() -> Iterable[Convention]:
    from graphacct.costs.conventions import EXACT, MATMUL

    return EXACT, MATMUL


@hookimpl
def graphacct_register_quantities() -> Iterable[Quantity]:
    from graphacct.costs.quantities import CORE
    from graphacct.costs.step_quantities import TRAINING

    return (*CORE, *TRAINING)


@hookimpl
def graphacct_register_readers() -> Iterable[Reader]:
    from graphacct.models.reader import Reader

    return (
        Reader(
            "config-json",
            "Hugging Face's config.json, or a folder that has one.",
            _accepts_config,
            find=_find_config,
        ),
        Reader(
            "graph-json",
            "A graph saved by graphacct (docs/graph-json.md).",
            lambda path: path.endswith(".json") and os.path.isfile(path),
            _read_graph,
        ),
    )


def _accepts_config(path: str) -> bool:
    from graphacct.readers.hf import accepts

    return accepts(path)


def _find_config(path: str, plugins: Plugins) -> tuple[str, Architecture, Any]:
    from graphacct.readers.hf import find

    return find(path, plugins)


def _read_graph(path: str, operators: Mapping[str, Operator]) -> Graph:
    from graphacct.readers.graph_json import read

    return read(path, operators)
