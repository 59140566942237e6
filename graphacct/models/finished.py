"""Finished graphs: read or made as they are, their sizes are fixed, and they are accounted for in a phase of theirs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

from graphacct.errors import ConfigError, brief, suggest
from graphacct.graph.graph import Graph
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import FORWARD, PHASES, TRAIN
from graphacct.tensors import is_loss

if TYPE_CHECKING:
    from graphacct.models.find import ModelChoice

FIRST_OUTPUT, SUM_OF_OUTPUTS = "first output", "sum of outputs"
"""What a training step of a finished graph starts its gradients from, as its workload and headers say it."""


def own_phase(graph: Graph) -> str:
    """Returns the phase that a finished graph was built for, `forward` unless its workload names one.

    Raises ConfigError for a name that is no phase of a graph.
    """
    phase = graph.workload.get("phase", FORWARD)
    if phase not in PHASES:
        raise ConfigError(
            f"workload of {graph.name!r} has the phase {brief(phase)}{suggest(str(phase), PHASES)}: a graph is built "
            f"for {', '.join(PHASES)}"
        )
    return str(phase)


def in_phase(graph: Graph, phase: str | None, loss: str | None = None) -> Graph:
    """Returns a finished graph in a phase, its own unless one is given: a graph of a forward pass can be trained too.

    A training step starts its gradients where `gradient_starts` says, with ones, and the workload says which that is.
    A graph that was captured from a module can have a `loss` after it.
    Raises ConfigError for a phase that the graph was not built for, and for a loss that it cannot have.
    """
    own = own_phase(graph)
    known = phases_of(own)
    if phase is not None and phase not in known:
        has = " and ".join(known)
        raise ConfigError(
            f"{graph.name!r} is a finished graph of the phase {own!r}, which has no phase {phase!r}: it has {has}; "
            "build it anew for another, if it is a model's"
        )
    if loss is not None:
        if phase != TRAIN or graph.origin is None:
            raise fixed(graph, ["loss"])
        lost: Graph = graph.origin.with_loss(loss)
        return attrs.evolve(lost, workload={**lost.workload, "phase": TRAIN, "loss": loss})
    if (phase or own) != TRAIN or (own == TRAIN and "loss" in graph.workload):
        return graph
    specs = [value.spec for value in graph.outputs]
    start = FIRST_OUTPUT if specs and is_loss(specs[0]) else SUM_OF_OUTPUTS
    return attrs.evolve(graph, workload={**graph.workload, "phase": TRAIN, "loss": start})


def phases_of(own: str) -> tuple[str, ...]:
    """Returns the phases in which a finished graph of the phase `own` can be accounted for."""
    return (FORWARD, TRAIN) if own == FORWARD else (own,)


def untrainable(found: Graph | ModelChoice | ReadChoice) -> str:
    """Returns the name of a model that has no phase `train`, or nothing for one that has."""
    if isinstance(found, ReadChoice):
        return ""
    phases = phases_of(own_phase(found)) if isinstance(found, Graph) else found.architecture.phases
    return "" if TRAIN in phases else found.name


def fixed(graph: Graph, given: Collection[str]) -> ConfigError:
    """Returns the error for options that would change a finished graph."""
    loss = "; a training step of it starts at its own outputs" if "loss" in given else ""
    return ConfigError(
        f"{graph.name!r} is a finished graph, whose sizes are fixed: it takes no {', '.join(given)}{loss}"
    )
