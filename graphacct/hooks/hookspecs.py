"""The contract between graphacct and its plugins: every hook, with its arguments and what it returns.

A plugin is a module (or any object) with functions marked `@graphacct.hookimpl` and named after a hook here. It is
found through the entry-point group `graphacct`, or loaded from a single file by path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pluggy

# What is registered are nouns of other rooms, which this file must not import: their names stand for anything here.
Analysis: TypeAlias = Any
Architecture: TypeAlias = Any
ClassMeasurement: TypeAlias = Any
Command: TypeAlias = Any
Convention: TypeAlias = Any
Cost: TypeAlias = Any
Device: TypeAlias = Any
Node: TypeAlias = Any
NodeCost: TypeAlias = Any
Operator: TypeAlias = Any
Optimizer: TypeAlias = Any
Output: TypeAlias = Any
Profile: TypeAlias = Any
Quantity: TypeAlias = Any
Reader: TypeAlias = Any
RecomputePolicy: TypeAlias = Any
Reference: TypeAlias = Any
TensorSpec: TypeAlias = Any
Transform: TypeAlias = Any
Translation: TypeAlias = Any
WeightFormatKind: TypeAlias = Any

PROJECT = "graphacct"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def graphacct_register_operators() -> Iterable[Operator]:
    """Operators, as the `@graphacct.operator` decorator makes them.

    Called once, when the first graph is built. An operator whose name is taken is an error that names both plugins,
    unless exactly one of the two says `replaces=True`. A plugin with many operators may give a LazyOperator for each:
    its name and its module, which is imported when the operator is looked up.
    """
    raise NotImplementedError


@hookspec
def graphacct_register_architectures() -> Iterable[Architecture]:
    """Named architectures: a configuration class, presets, and a function that builds the graph.

    Called once, when a model is first asked for by name. Names of architectures and presets share one namespace.
    """
    raise NotImplementedError


@hookspec
def graphacct_register_readers() -> Iterable[Reader]:
    """Input formats: a name, a test whether a path or an object has this format, and a function that reads a Graph from
    it."""
    raise NotImplementedError


@hookspec
def graphacct_register_conventions() -> Iterable[Convention]:
    """Conventions: a name, one sentence, and a function that adjusts the exact cost of one node."""
    raise NotImplementedError


@hookspec
def graphacct_register_profiles() -> Iterable[Profile]:
    """Execution profiles: which kernels each operator runs as on a device, and which tensors they save for backward."""
    raise NotImplementedError


@hookspec
def graphacct_register_quantities() -> Iterable[Quantity]:
    """Quantities for every report: a name, a unit, how to combine them, and a formula over a node's cost or over a
    parameter."""
    raise NotImplementedError


@hookspec
def graphacct_register_analyses() -> Iterable[Analysis]:
    """Analyses: a name, and a function from the annotated graph to a value for each node, for quantities to read."""
    raise NotImplementedError


@hookspec
def graphacct_register_transforms() -> Iterable[Transform]:
    """Transforms: a graph in, a graph out, with options that are declared, for `--transform NAME[:options]`."""
    raise NotImplementedError


@hookspec
def graphacct_register_optimizers() -> Iterable[Optimizer]:
    """Optimizers: the bytes of state that each has for a parameter, and the work of its update."""
    raise NotImplementedError


@hookspec
def graphacct_register_recompute_policies() -> Iterable[RecomputePolicy]:
    """Recompute policies: which nodes the backward pass runs again, and whose outputs are saved instead."""
    raise NotImplementedError


@hookspec
def graphacct_register_weight_formats() -> Iterable[WeightFormatKind]:
    """Kinds of weight formats: a name, options, and the bytes that each of the tensors that a format stores takes for a
    block of a matrix."""
    raise NotImplementedError


@hookspec
def graphacct_register_translations() -> Iterable[Translation]:
    """Other descriptions of models than a config.json (a GGUF file's metadata, a `params.json`), and how each is said
    in the keys of one."""
    raise NotImplementedError


@hookspec
def graphacct_register_devices() -> Iterable[Device]:
    """Devices: a name, the bytes of its memory, and the source of that figure, for `memory --on`."""
    raise NotImplementedError


@hookspec
def graphacct_register_outputs() -> Iterable[Output]:
    """Formats of `graphacct report` or `draw`: a name, the endings of files, and a function from a Report to text or
    bytes."""
    raise NotImplementedError


@hookspec
def graphacct_register_commands() -> Iterable[Command]:
    """Commands of the command line: click commands, each beside ours under its own name."""
    raise NotImplementedError


@hookspec(firstresult=True)
def graphacct_node_cost(node: Node, operator: Operator | None) -> Cost | None:
    """The cost of one node, for one pass through it; the first plugin that returns a Cost decides.

    The core's own implementation runs last (`trylast`): it asks the operator. A wrapper (`wrapper=True`) may adjust
    what the others return. `operator` is None when nothing is registered under the node's operator name: a plugin
    that returns a Cost all the same has costed it, and None from everyone leaves the node uncosted.
    """
    raise NotImplementedError


@hookspec
def graphacct_node_style(node: Node, cost: NodeCost | None) -> dict[str, str] | None:
    """Graphviz attributes for one node of the picture (such as `{"shape": "hexagon"}`), or None.

    The dictionaries of all plugins are merged over the core's; where two set the same attribute, the plugin that
    was registered last wins. `cost` is None for a node without a cost.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def graphacct_measure_reference(
    function: str | Callable[..., Any], operands: Sequence[TensorSpec], attributes: Mapping[str, Any]
) -> Reference | None:
    """What a framework's own function does for operands of these specs, for the contract of an operator
    (`graphacct.testing`).

    `function` is a path, such as `torch.nn.functional.softplus`, or a function that imports the framework itself. It is
    called with an operand for each spec and the attributes. The first plugin that returns a Reference decides; None
    leaves it to the next, and if no plugin knows the framework, the test is skipped.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def graphacct_measure_class(config: Mapping[str, Any], workload: Mapping[str, Any]) -> ClassMeasurement | None:
    """What a library's own class of a model measures, for `graphacct verify --torch`.

    `config` has the keys of a config.json, `workload` the sizes that the model is built for (`batch`, `seq_len`,
    `image_size` …), its `attention` and its `dtype`. The first plugin that returns a ClassMeasurement decides; None
    leaves it to the next.
    """
    raise NotImplementedError
