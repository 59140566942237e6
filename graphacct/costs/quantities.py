"""Quantities: what a report has a column for, and how each is combined over nodes and repetitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, brief, suggest, unknown
from graphacct.phases import PHASES, TRAIN


def _one_of(*choices: str) -> Callable[[Any, Any, str], None]:
    """A check that a field is one of a few words."""

    def check(instance: Any, attribute: Any, value: str) -> None:
        if value not in choices:
            raise ConfigError(
                f"{attribute.name} of quantity {instance.name!r} is {brief(value)}{suggest(value, choices)}"
            )

    return check


def _phases(instance: Any, attribute: Any, value: str) -> None:
    for phase in value.split():
        _one_of(*PHASES)(instance, attribute, phase)


@attrs.frozen(eq=False)
class Quantity:
    """One column of every report.

    Attributes:
        name: Carries its unit, as in `read_bytes`.
        unit: `FLOP`, `byte`, `parameter`, … Human units derive from it: bytes in GB or GiB, the others in SI.
        of: The quantity of one NodeCost (`per="node"` and `per="total"`), of one Parameter (`per="parameter"`), or of a
            Parameter and the Node that owns it (`per="owned"`).
        doc: One sentence.
        per: `node`: evaluated once per node and multiplied by the repeats around it. `total`: evaluated once per node,
            repeats included already. `parameter`: evaluated once per storage (tied once, buffers left out) and
            attributed to the node that owns it. `owned`: the same, told by which node as well.
        combine: `sum`, or `max`, for which repeats do not multiply.
        phase: The phases whose reports have it, with blanks between (`train`, `prefill decode`); empty means all.
        within: The quantity that it is a part of: tables and lines show it only where the two totals differ.
        replaces: Whether it takes the place of a quantity of this name from another plugin.
    """

    name: str
    unit: str
    of: Callable[..., Any]
    doc: str = ""
    per: str = attrs.field(default="node", validator=_one_of("node", "total", "parameter", "owned"))
    combine: str = attrs.field(default="sum", validator=_one_of("sum", "max"))
    phase: str = attrs.field(default="", validator=_phases)
    within: str = ""
    replaces: bool = False


CORE = (
    Quantity("params", "parameter", attrgetter("spec.elements"), "Parameters, tied ones once.", per="parameter"),
    Quantity(
        "param_bytes", "byte", attrgetter("spec.bytes"), "Bytes of the parameters, tied ones once.", per="parameter"
    ),
    Quantity("matmul_flops", "FLOP", attrgetter("cost.matmul_flops"), "Work in contractions, 2 per multiply-add."),
    Quantity("vector_flops", "FLOP", attrgetter("cost.vector_flops"), "All other arithmetic."),
    Quantity("flops", "FLOP", attrgetter("cost.flops"), "matmul_flops and vector_flops."),
    Quantity(
        "transcendentals", "op", attrgetter("cost.transcendentals"), "The vector FLOPs that are exp, tanh, rsqrt, …"
    ),
    Quantity("macs", "MAC", attrgetter("cost.macs"), "Multiply-adds: matmul_flops / 2."),
    Quantity(
        "activation_bytes", "byte", attrgetter("cost.activation_bytes"), "New storage of the outputs; views are none."
    ),
    Quantity("read_bytes", "byte", attrgetter("cost.read_bytes"), "Operands, each once per node."),
    Quantity("write_bytes", "byte", attrgetter("cost.write_bytes"), "Outputs, each once per node."),
)


def _training(name: str, unit: str, of: Callable[[Any], Any], doc: str, combine: str = "sum") -> Quantity:
    return Quantity(name, unit, of, doc, per="total", combine=combine, phase=TRAIN)


def _step(kind: str) -> Iterable[Quantity]:
    """The columns of a training step for one kind of FLOPs."""
    forward, inputs, weights = (attrgetter(f"{part}.{kind}") for part in ("cost", "input_grad", "weight_grad"))
    yield _training(f"forward_{kind}", "FLOP", lambda r: forward(r) * r.times, "The forward pass.")
    yield _training(f"input_grad_{kind}", "FLOP", inputs, "The gradients with respect to values.")
    yield _training(f"weight_grad_{kind}", "FLOP", weights, "The gradients with respect to parameters.")
    yield _training(
        f"step_{kind}",
        "FLOP",
        lambda r: forward(r) * r.times + inputs(r) + weights(r),
        "Forward and backward; the optimizer's own work is not in it.",
    )


def _hardware(kind: str) -> Iterable[Quantity]:
    """The columns of what is done again in the backward pass, of all that the hardware does, and of the update."""
    parts = [attrgetter(f"{part}.{kind}") for part in ("cost", "input_grad", "weight_grad", "again")]
    forward, inputs, weights, again = parts
    yield _training(
        f"recompute_{kind}",
        "FLOP",
        again,
        "Work of the forward pass that is done once more: recomputed nodes, and the scores of fused attention.",
    )
    yield _training(
        f"hardware_{kind}",
        "FLOP",
        lambda r: forward(r) * r.times + inputs(r) + weights(r) + again(r),
        "The step and what is done again: what the hardware does, where the step is what the model asks for.",
    )
    yield _training(
        f"optimizer_{kind}", "FLOP", attrgetter(f"optimizer.{kind}"), "The update of the parameters, on one rank."
    )


TRAINING = (
    *_step("matmul_flops"),
    *_step("flops"),
    *_hardware("matmul_flops"),
    *_hardware("flops"),
    _training("gradient_bytes", "byte", attrgetter("gradient_bytes"), "Gradients of the parameters, on one rank."),
    _training(
        "optimizer_state_bytes",
        "byte",
        attrgetter("optimizer_state_bytes"),
        "What the optimizer keeps for the parameters, float32 copies with it, on one rank.",
    ),
    _training("saved_bytes", "byte", attrgetter("saved_bytes"), "Activations kept for the backward pass, each once."),
    _training("peak_bytes", "byte", attrgetter("peak_bytes"), "The most alive at once in the forward pass.", "max"),
    _training(
        "backward_peak_bytes",
        "byte",
        attrgetter("backward_peak_bytes"),
        "The most alive at once in the backward pass: activations, their gradients, temporaries.",
        "max",
    ),
)


def not_there(name: str, known: Iterable[str], kind: str = "quantity") -> GraphacctError:
    """The error for a quantity that a report does not have: of another phase, or of none."""
    from graphacct.hooks.manager import default

    quantity = default().quantities.get(name)
    if quantity is None or not quantity.phase:
        return unknown(kind, name, known)
    phases = quantity.phase.split()
    way_out = " or ".join(f"phase={phase!r}" for phase in phases)
    return ConfigError(f"{name} is there in phase {' or '.join(phases)} alone: add {way_out}")
