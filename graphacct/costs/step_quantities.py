"""The quantities of a training step: what `StepCost` and `StepMemory` have, and the sums of it.

Every report registers them, so this file imports neither: attrs makes the two classes only for a training step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from graphacct.costs.annotate import NodeCost
from graphacct.costs.quantities import Quantity
from graphacct.phases import TRAIN

if TYPE_CHECKING:
    from graphacct.costs.step import StepCost

STEP, MEMORY = "training", "training-memory"
"""The names of a training step's entries in `NodeCost.analyses`: a StepCost and a StepMemory."""
COLUMNS = ("saved_bytes", "peak_bytes", "backward_peak_bytes")
"""The quantities that a StepMemory has."""


def step_of(record: NodeCost) -> StepCost:
    """Returns what the training step adds to a node; KeyError outside training."""
    step: StepCost = record.analyses[STEP]
    return step


Formula: TypeAlias = Callable[[NodeCost, str], Any]
"""FLOPs of one kind (`flops`, `matmul_flops`) of a node."""


def _forward(record: NodeCost, kind: str) -> Any:
    return getattr(record.cost, kind) * record.times


def _part(name: str) -> Formula:
    return lambda record, kind: getattr(getattr(step_of(record), name), kind)


def _step(record: NodeCost, kind: str) -> Any:
    step = step_of(record)
    gradients = getattr(step.input_grad, kind) + getattr(step.weight_grad, kind)
    return _forward(record, kind) + gradients + getattr(step.rerun, kind)


def _hardware(record: NodeCost, kind: str) -> Any:
    return _step(record, kind) + getattr(step_of(record).recompute, kind)


# Name, formula, title, words for `flops`, words for `matmul_flops`, sentence.
_STEP = (
    ("forward", _forward, "Forward", "forward", "forward matmul", "The forward pass."),
    (
        "input_grad",
        _part("input_grad"),
        "Input grad",
        "input gradients",
        "input gradients' matmul",
        "The gradients with respect to values.",
    ),
    (
        "weight_grad",
        _part("weight_grad"),
        "Weight grad",
        "weight gradients",
        "weight gradients' matmul",
        "The gradients with respect to parameters.",
    ),
    (
        "step",
        _step,
        "Step",
        "step",
        "the step's matmul",
        "Forward and backward; the optimizer's own work is not in it.",
    ),
)
_BESIDE = (
    (
        "recompute",
        _part("recompute"),
        "Again",
        "computed again",
        "matmul computed again",
        "Work of the forward pass that is done once more: recomputed nodes, and the scores of fused attention.",
    ),
    (
        "hardware",
        _hardware,
        "Hardware",
        "all that the hardware does",
        "the hardware's matmul",
        "The step and what is done again: what the hardware does, where the step is what the model asks for.",
    ),
    (
        "optimizer",
        _part("optimizer"),
        "Update",
        "update",
        "the update's matmul",
        "The update of the parameters, on one rank.",
    ),
)


def _training(
    name: str,
    unit: str,
    of: Callable[[NodeCost], Any],
    doc: str,
    title: str,
    words: str,
    combine: str = "sum",
    analysis: str = STEP,
) -> Quantity:
    return Quantity(
        name,
        unit,
        of,
        doc,
        repeats_included=True,
        combine=combine,
        phase=TRAIN,
        analysis=analysis,
        title=title,
        words=words,
    )


def _of_kind(of: Formula, kind: str) -> Callable[[NodeCost], Any]:
    return lambda record: of(record, kind)


def _flops(kind: str, parts: Iterable[tuple[str, Formula, str, str, str, str]]) -> Iterable[Quantity]:
    """Yields the columns of one kind of FLOPs. Those of `matmul_flops` go by their names: only who asks for them sees
    them."""
    for name, of, title, words, matmul_words, doc in parts:
        told = (title, words) if kind == "flops" else ("", matmul_words)
        yield _training(f"{name}_{kind}", "FLOP", _of_kind(of, kind), doc, *told)


def _bytes(name: str, title: str, words: str, doc: str, combine: str = "sum", entry: str = MEMORY) -> Quantity:
    return _training(name, "byte", _of_entry(entry, name), doc, title, words, combine, entry)


def _of_entry(entry: str, name: str) -> Callable[[NodeCost], Any]:
    return lambda record: getattr(record.analyses[entry], name)


def needs_memory(names: Iterable[str], known: Mapping[str, Quantity]) -> bool:
    """Returns whether any of these quantities is read from the memory of a training step; a ratio may be of all."""
    return any(known[name].analysis == MEMORY or known[name].of_row is not None for name in names if name in known)


def only_memory(names: Iterable[str], known: Mapping[str, Quantity]) -> bool:
    """Returns whether nothing but the memory of a training step is asked for: its work need not be known."""
    return all(name in known and known[name].analysis == MEMORY for name in names)


def memory_columns(names: Iterable[str] | None, known: Mapping[str, Quantity]) -> tuple[str, ...]:
    """Returns which columns of a step's memory these quantities read; all for None, and for one that may read any."""
    asked = [name for name in COLUMNS if names is None or name in names]
    others = [name for name in names or () if name not in COLUMNS]
    return COLUMNS if needs_memory(others, known) else tuple(asked)


TRAINING = (
    *_flops("matmul_flops", _STEP),
    *_flops("flops", _STEP),
    *_flops("matmul_flops", _BESIDE),
    *_flops("flops", _BESIDE),
    _bytes("gradient_bytes", "Gradients", "gradients", "Gradients of the parameters, on one rank.", entry=STEP),
    _bytes(
        "optimizer_state_bytes",
        "State",
        "optimizer state",
        "What the optimizer keeps for the parameters, float32 copies with it, on one rank.",
        entry=STEP,
    ),
    _bytes("saved_bytes", "Saved", "kept for the backward pass", "Activations kept for the backward pass, each once."),
    _bytes("peak_bytes", "Peak", "peak of activations", "The most alive at once in the forward pass.", "max"),
    _bytes(
        "backward_peak_bytes",
        "Backward peak",
        "peak of the backward pass",
        "The most alive at once in the backward pass: activations, their gradients, temporaries.",
        "max",
    ),
)
