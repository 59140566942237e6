"""The verb that accounts for a model: build, annotate, roll up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from graphacct.costs.annotate import annotate
from graphacct.costs.conventions import Convention, find_convention
from graphacct.decisions import recorded
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    check_no_training,
    checked,
    separated,
)
from graphacct.models.build import build as build_graph
from graphacct.models.find import find_model
from graphacct.models.finished import untrainable
from graphacct.phases import GENERATE
from graphacct.reports.report import Report
from graphacct.reports.rollup import rollup
from graphacct.verbs.model import Model, check_no_options


@recorded
@checked(AccountKeywords)
def account(
    model: Model,
    *,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    quantities: Sequence[str] | None = None,
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Report:
    """Returns the report of a model: build, annotate, roll up.

    Args:
        model: As for `build`; a report is returned as it is.
        convention: The convention, or its name: it says what is counted.
        mask: Which of attention's pairs of positions it counts: `full`, `causal`, `half` or `window`; the convention's
            own unless given, which of most is `full`.
        unknown: What to do with a node whose operator is not registered: `error` raises, `report` leaves it out of
            every sum and names it in the coverage.
        quantities: The names of the quantities to count, besides `flops`; all unless given. A training step without
            saved bytes and peaks takes a tenth of the time.
        plugins: Those in use; all that are installed unless given.
        options: Those of `build`, and in training profile, freeze, recompute, optimizer, master, dp and zero.

    Raises what `build` raises; ConfigError for options beside a report; OperatorError for an operator that is not
    registered or states no gradient; ConfigError for an option of a training step in another phase.

    >>> account("gpt2-xl", seq_len=1024).total["params"]
    1557611200
    """
    if isinstance(model, Report):
        own = {"convention": convention, "mask": mask, "unknown": unknown, "quantities": quantities}
        check_no_options(model, {**{name: own[name] for name in own if own[name] != DEFAULTS.get(name)}, **options})
        return model
    return accounted(model, convention, mask, unknown, quantities, plugins or default(), options)


def accounted(
    model: Model,
    convention: str | Convention,
    mask: str | None,
    unknown: str,
    quantities: Sequence[str] | None,
    plugins: Plugins,
    options: Mapping[str, Any],
    work: bool = True,
) -> Report:
    """Returns the report of a model. Without `work` the figures of a training step are those of memory: of a
    model that was accounted for in whole before."""
    for name in quantities or ():
        if name not in plugins.quantities:
            from graphacct.costs.quantities import not_there

            raise not_there(name, plugins.quantities, {})
    asked, others = separated(options)
    counted = find_convention(convention, plugins.conventions, mask)
    found = find_model(model, plugins, others.get("set") or {})
    if others.get("phase") == GENERATE:
        from graphacct.models.generate import generation
        from graphacct.reports.generation import generated

        check_no_training(asked, untrainable(found))
        return generated(
            generation(found, others, plugins),
            lambda graph: rollup(annotate(graph, counted, unknown=unknown, plugins=plugins), plugins, quantities),
        )
    graph = build_graph(found, plugins=plugins, **others)
    annotated = annotate(graph, counted, unknown=unknown, plugins=plugins)
    if graph.workload.get("phase") == "train":
        from graphacct.costs.step_quantities import memory_columns
        from graphacct.reports.step import train
        from graphacct.training.options import resolved

        memory = memory_columns(quantities, plugins.quantities)
        annotated = train(annotated, resolved(asked, plugins), plugins, unknown, memory, work)
    else:
        check_no_training(asked, untrainable(found))
    report = rollup(annotated, plugins, quantities)
    for name in quantities or ():
        report.quantity(name)  # a quantity of another phase is an error
    return report
