"""Which activations a graph has under a profile: those of the profile's kernels, or those of a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphacct.errors import ConfigError
from graphacct.execution.profiles import Profile
from graphacct.footprint.activations import Activations
from graphacct.graph.graph import Graph, Parameter
from graphacct.operators.operator import Operator
from graphacct.training.recompute import NO_RECOMPUTE, RecomputePlan


def activations_of(
    graph: Graph,
    operators: Mapping[str, Operator],
    profile: Profile,
    trained: Callable[[Parameter], bool],
    plan: RecomputePlan = NO_RECOMPUTE,
    training: bool = True,
) -> Activations:
    """Returns the activations of a graph under a profile: computed, or as they were recorded.

    Raises ConfigError for a profile that reads a recording, if the graph has none or the step is to be another than the
    module's own.
    """
    parts = (graph, operators, profile, trained, plan, training)
    if not profile.recorded:
        return Activations(*parts)
    if graph.origin is None:
        raise ConfigError(
            f"profile {profile.name!r} shows what a module does when it runs, and {graph.name!r} has none that can "
            "run: only a graph that was captured from a module, and not rewritten since, has one"
        )
    other = _other(graph, trained, plan) if training else ""
    if other:
        raise ConfigError(
            f"profile {profile.name!r} shows the training step of the module as it is, without {other}: change the "
            "module, or take a profile whose kernels are computed"
        )
    from graphacct.footprint.recorded import RecordedActivations  # most steps are computed

    return RecordedActivations(*parts)


def _other(graph: Graph, trained: Callable[[Parameter], bool], plan: RecomputePlan) -> str:
    """Returns the option that asks for another step than the module's own; empty if none does."""
    own = {node.name for node in graph.walk() if node.in_region}
    if plan.saved or not plan.recompute <= own:
        return "recompute="
    parameters = (parameter for node in graph.walk() for parameter in node.parameters)
    return "freeze=" if any(parameter.trainable != trained(parameter) for parameter in parameters) else ""
