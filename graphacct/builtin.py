"""The core as a plugin: everything it registers, through the same hooks as any other plugin.

This is the only file that knows both the hooks and the nouns. It imports each noun on use.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphacct.hooks.hookspecs import hookimpl

if TYPE_CHECKING:
    from click import Command

    from graphacct.costs.conventions import Convention
    from graphacct.costs.quantities import Quantity
    from graphacct.devices.device import Device
    from graphacct.display import Output
    from graphacct.graph.graph import Graph, Node
    from graphacct.hooks.manager import Plugins
    from graphacct.models.find import ModelChoice
    from graphacct.models.reader import Reader
    from graphacct.models.weight_formats import WeightFormatKind
    from graphacct.operators.cost import Cost
    from graphacct.operators.operator import Operator
    from graphacct.training.optimizers import Optimizer
    from graphacct.training.recompute import RecomputePolicy
    from graphacct.transforms.transform import Transform


@hookimpl(trylast=True)
def graphacct_node_cost(node: Node, operator: Operator | None) -> Cost | None:
    """Asks the operator."""
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
def graphacct_register_transforms() -> Iterable[Transform]:
    from graphacct.transforms.folding import FOLD

    return [FOLD]


@hookimpl
def graphacct_register_optimizers() -> Iterable[Optimizer]:
    from graphacct.training.optimizers import OPTIMIZERS

    return OPTIMIZERS


@hookimpl
def graphacct_register_recompute_policies() -> Iterable[RecomputePolicy]:
    from graphacct.training.recompute import FULL, NONE, SELECTIVE

    return NONE, FULL, SELECTIVE


@hookimpl
def graphacct_register_weight_formats() -> Iterable[WeightFormatKind]:
    from graphacct.models.weight_kinds import KINDS

    return KINDS


@hookimpl
def graphacct_register_devices() -> Iterable[Device]:
    from graphacct.devices.files import TABLE, read

    return read(TABLE)


@hookimpl
def graphacct_register_outputs() -> Iterable[Output]:
    """Outputs, named as text, because `render/` lies above this file."""
    from graphacct.display import DRAW, REPORT, Output

    table = ("by", "depth", "columns", "binary")
    page = ("color_by", "depth", "unroll", "views", "plugins")
    picture = (*page, "orientation", "font_size", "grey", "fields", "scope", "width_cm", "bare")
    return (
        Output("table", "For a terminal.", REPORT, (".txt", ".text"), "graphacct.render.table:table", table),
        Output(
            "json",
            "Everything, as integers (docs/json.md).",
            REPORT,
            (".json",),
            "graphacct.render.json:json",
            ("columns",),
        ),
        Output("csv", "Integers, a row a line.", REPORT, (".csv",), "graphacct.render.csv:csv", ("by", "columns")),
        Output(
            "markdown",
            "A table in Markdown.",
            REPORT,
            (".md", ".markdown"),
            "graphacct.render.markdown:markdown",
            table,
        ),
        Output("html", "A table for a page.", REPORT, (".html", ".htm"), "graphacct.render.html:html", table),
        Output("tex", "A table for LaTeX, with booktabs.", REPORT, (".tex",), "graphacct.render.tex:tex", table),
        Output(
            "model-explorer",
            "A quantity by node, to lay over the graph in Model Explorer.",
            REPORT,
            (),
            "graphacct.render.model_explorer:node_data",
            ("columns",),
        ),
        Output("svg", "A picture in SVG.", DRAW, (".svg",), "graphacct.render.picture:svg", picture),
        Output(
            "page",
            "A page to explore and to compute with (docs/page.md).",
            DRAW,
            (".html", ".htm"),
            "graphacct.render.page.page:page",
            (*page, "branches", "command"),
        ),
        Output("png", "A picture in PNG.", DRAW, (".png",), "graphacct.render.picture:png", picture),
        Output("pdf", "A picture in PDF (extra pdf).", DRAW, (".pdf",), "graphacct.render.picture:pdf", picture),
        Output(
            "dot", "The source for Graphviz.", DRAW, (".dot", ".gv"), "graphacct.render.picture:dot_source", picture
        ),
        Output(
            "model-explorer-graph",
            "The graph for Model Explorer, with every figure of each node.",
            DRAW,
            (".json",),
            "graphacct.render.model_explorer:graph",
        ),
    )


@hookimpl
def graphacct_register_commands() -> Iterable[Command]:
    """Registers nothing: the command line finds the core's commands itself."""
    from graphacct.cli import COMMANDS, core_command

    return [core_command(name) for name in COMMANDS]


@hookimpl
def graphacct_register_readers() -> Iterable[Reader]:
    from graphacct.models.reader import Reader

    return (
        Reader(
            "adapter-config",
            "peft's adapter_config.json with its base model, or a folder that has one.",
            _accepts_adapter,
            find=_find_adapter,
            takes_overrides=True,
        ),
        Reader(
            "config-json",
            "Hugging Face's config.json, a folder that has one, or a mapping with its keys.",
            _accepts_config,
            find=_find_config,
            takes_overrides=True,
        ),
        Reader(
            "gguf",
            "A GGUF file (llama.cpp), the first of several parts, or a folder with one: its header alone is read.",
            _accepts_gguf,
            find=_find_gguf,
            takes_overrides=True,
        ),
        Reader(
            "graph-json",
            "A graph saved by graphacct (docs/graph-json.md).",
            lambda model: isinstance(model, str) and model.endswith(".json") and os.path.isfile(model),
            _read_graph,
        ),
        Reader(
            "networkx",
            "A networkx DiGraph or MultiDiGraph, an object (docs/python.md).",
            _accepts_networkx,
            _read_networkx,
        ),
    )


def _accepts_config(model: Any) -> bool:
    from graphacct.readers.hf import accepts

    return accepts(model)


def _find_config(model: Any, plugins: Plugins, overrides: Mapping[str, Any]) -> ModelChoice:
    from graphacct.readers.hf import choose

    return choose(model, plugins, overrides)


def _accepts_adapter(model: Any) -> bool:
    from graphacct.readers.adapter import accepts

    return accepts(model)


def _find_adapter(model: Any, plugins: Plugins, overrides: Mapping[str, Any]) -> ModelChoice:
    from graphacct.readers.adapter import choose

    return choose(model, plugins, overrides)


def _accepts_gguf(model: Any) -> bool:
    from graphacct.readers.gguf_model import accepts

    return accepts(model)


def _find_gguf(model: Any, plugins: Plugins, overrides: Mapping[str, Any]) -> ModelChoice:
    from graphacct.readers.gguf_model import choose

    return choose(model, plugins, overrides)


def _accepts_networkx(model: Any) -> bool:
    from graphacct.graph.networkx_view import is_networkx

    return is_networkx(model)


def _read_networkx(model: Any, operators: Mapping[str, Operator]) -> Graph:
    from graphacct.graph.networkx_view import from_networkx

    return from_networkx(model, "", operators)


def _read_graph(path: str, operators: Mapping[str, Operator]) -> Graph:
    from graphacct.readers.graph_json import read

    return read(path, operators)
