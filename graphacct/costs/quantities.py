"""Quantities: the columns of a report, and how each is combined over nodes and repetitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, UnknownNameError, brief, suggest, unknown
from graphacct.phases import GENERATE, PHASES, PREFILL, TRAIN

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.graph.graph import Node, Parameter


def _one_of(*choices: str) -> Callable[[Any, Any, str], None]:
    """Returns a check that a field is one of a few words."""

    def check(instance: Any, attribute: Any, value: str) -> None:
        if value not in choices:
            raise ConfigError(
                f"{attribute.name} of quantity {instance.name!r} is {brief(value)}{suggest(value, choices)}"
            )

    return check


def _phases(instance: Any, attribute: Any, value: str) -> None:
    for phase in value.split():
        _one_of(*PHASES)(instance, attribute, phase)


@attrs.frozen(eq=False, repr=False)
class Quantity:
    """One column of every report. Exactly one of its formulas is given, and says what it is of.

    Attributes:
        name: Carries its unit, as in `read_bytes`.
        unit: `FLOP`, `byte`, `parameter`, … Human units derive from it: bytes in GB or GiB, `%` as a percentage, the
            others in SI.
        of_node: Of one NodeCost: one pass through the node, which is multiplied by the repeats around it.
        doc: One sentence.
        of_parameter: Of one Parameter: once per storage (tied once, buffers left out), attributed to the node that owns
            it.
        of_owned: The same, of a Parameter and the Node that owns it.
        of_row: A ratio, of a row's other quantities by name: never added up, and None where the row has none (a
            division by zero). Reports show it where it is asked for.
        repeats_included: Whether `of_node` includes the repeats already.
        combine: `sum`, or `max`, for which repeats do not multiply. A ratio combines nothing.
        at_end: Whether a generation has what stands at its end, such as a cache, in place of the sum over its steps.
        phase: The phases whose reports have it, with blanks between (`train`, `prefill decode`); empty means all.
        analysis: The entry of `NodeCost.analyses` that it reads, if any. A report that shows none of an entry's
            quantities need not compute it.
        forward_of: The quantity of a training step, where this one is of the step's forward pass alone: notes name it.
            `none` if no quantity is of the step.
        within: The quantity that it is a part of: tables and lines show it only where the two totals differ.
        title: What stands above its column; its name unless given.
        words: What the line below a table calls it. A quantity with words stands there, and one without has a column of
            its own, unless the columns are chosen.
        replaces: Whether it takes the place of a quantity of this name from another plugin.
    """

    name: str
    unit: str
    of_node: Callable[[NodeCost], Any] | None = None
    doc: str = ""
    of_parameter: Callable[[Parameter], Any] | None = attrs.field(default=None, kw_only=True)
    of_owned: Callable[[Parameter, Node], Any] | None = attrs.field(default=None, kw_only=True)
    of_row: Callable[[Mapping[str, Any]], Any] | None = attrs.field(default=None, kw_only=True)
    repeats_included: bool = attrs.field(default=False, kw_only=True)
    combine: str = attrs.field(default="sum", validator=_one_of("sum", "max"), kw_only=True)
    at_end: bool = attrs.field(default=False, kw_only=True)
    phase: str = attrs.field(default="", validator=_phases, kw_only=True)
    analysis: str = attrs.field(default="", kw_only=True)
    forward_of: str = attrs.field(default="", kw_only=True)
    within: str = attrs.field(default="", kw_only=True)
    title: str = attrs.field(default="", kw_only=True)
    words: str = attrs.field(default="", kw_only=True)
    replaces: bool = attrs.field(default=False, kw_only=True)

    def __repr__(self) -> str:
        return f"<Quantity {self.name}>"

    def __attrs_post_init__(self) -> None:
        formulas = ("of_node", "of_parameter", "of_owned", "of_row")
        given = [name for name in formulas if getattr(self, name) is not None]
        if len(given) != 1:
            has = " and ".join(given) or "no formula"
            raise ConfigError(f"quantity {self.name!r} has {has}: give one of {', '.join(formulas)}")

    @property
    def adds_up(self) -> bool:
        """Whether the total is the sum of the rows, so that a row has a share of it."""
        return self.of_row is None and self.combine == "sum"

    def in_phase(self, phase: str) -> bool:
        """Returns whether reports of a phase have it. A generation has what its prefill has."""
        return not self.phase or (PREFILL if phase == GENERATE else phase) in self.phase.split()


NO_STEP = "none"
"""What stands in `forward_of` if no quantity is of the step."""


def _core(name: str, unit: str, doc: str, title: str, words: str, forward_of: str = NO_STEP) -> Quantity:
    """Returns a quantity of the cost of a node, under the same name there; it is of the forward pass."""
    return Quantity(name, unit, attrgetter(f"cost.{name}"), doc, title=title, words=words, forward_of=forward_of)


def _intensity(row: Mapping[str, Any]) -> Any:
    return row["flops"] / (row["read_bytes"] + row["write_bytes"])


CORE = (
    Quantity(
        "params",
        "parameter",
        doc="Parameters, tied ones once.",
        of_parameter=attrgetter("spec.elements"),
        title="Params",
        words="parameters",
    ),
    Quantity(
        "param_bytes",
        "byte",
        doc="Bytes of the parameters as they are stored, tied ones once.",
        of_parameter=attrgetter("bytes"),
        title="Weights",
        words="weights",
    ),
    _core(
        "matmul_flops",
        "FLOP",
        "Work in contractions, 2 per multiply-add.",
        "Matmul FLOPs",
        "matmul",
        "step_matmul_flops",
    ),
    _core("vector_flops", "FLOP", "All other arithmetic.", "Vector FLOPs", "vector", "step_flops"),
    _core("flops", "FLOP", "matmul_flops and vector_flops.", "FLOPs", "all work", "step_flops"),
    _core(
        "transcendentals",
        "op",
        "The vector FLOPs that are exp, tanh, rsqrt, …",
        "Transcendentals",
        "transcendentals",
    ),
    _core("macs", "MAC", "Multiply-adds: matmul_flops / 2.", "MACs", "multiply-adds", "step_matmul_flops"),
    _core("activation_bytes", "byte", "New storage of the outputs; views are none.", "Outputs", "all outputs"),
    _core("read_bytes", "byte", "Operands, each once per node.", "Read", "read"),
    _core("write_bytes", "byte", "Outputs, each once per node.", "Written", "written"),
    Quantity(
        "arithmetic_intensity",
        "FLOP/byte",
        doc="flops by the bytes that nodes read and write: flops / (read_bytes + write_bytes).",
        of_row=_intensity,
        forward_of=NO_STEP,
        title="Intensity",
        words="arithmetic intensity",
    ),
)


def forward_alone(quantities: Iterable[Quantity], *phases: object) -> dict[str, str]:
    """Returns those of some quantities that are of a training step's forward pass alone, if a step is among the phases:
    the quantity of the step for each, or `none`."""
    return {item.name: item.forward_of for item in quantities if item.forward_of} if TRAIN in phases else {}


OF_MEMORY = frozenset(("memory", "memory_bytes", "total_bytes", "total_memory", "gpu_memory", "vram"))
"""What a report is asked for, and only a Memory has."""


def not_there(
    name: str, known: Iterable[str], others: Mapping[str, Quantity], kind: str = "quantity"
) -> GraphacctError:
    """Returns the error for a quantity that is not among the `known` ones of a report: one of the `others`, which
    reports of other phases have, or none at all."""
    quantity = others.get(name)
    if quantity is None and name in OF_MEMORY:
        return UnknownNameError(f"unknown {kind} {brief(name)}: `graphacct memory` has the memory, part by part")
    if quantity is None or not quantity.phase:
        return unknown(kind, name, known)
    phases = quantity.phase.split()
    way_out = " or ".join(f"phase={phase!r}" for phase in phases)
    return ConfigError(f"{name} exists only in phase {' or '.join(phases)}: add {way_out}")
