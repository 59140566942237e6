"""Account: the report of a model, which is the other verbs in a row."""

from __future__ import annotations

import os
from typing import Any

from graphacct.annotate import annotate
from graphacct.build import build
from graphacct.conventions import Convention, find_convention
from graphacct.find import Found
from graphacct.graph import Graph
from graphacct.plugins import Plugins, default
from graphacct.report import Report
from graphacct.rollup import rollup
from graphacct.training_options import check_no_training, resolved, separated


def account(
    model: str | os.PathLike[str] | Graph | Found,
    *,
    convention: str | Convention = "exact",
    unknown: str = "error",
    plugins: Plugins | None = None,
    **options: Any,
) -> Report:
    """The report of a model: build, annotate, roll up.

    Args:
        model: As for `build`.
        convention: What is counted: a convention or its name.
        unknown: What becomes of a node whose operator is not registered: `error`, or `report`, which leaves it out
            of every sum and names it in the coverage.
        plugins: Those in use; all that are installed unless given.
        options: Those of `build`, and in training those of `graphacct.training_options.TrainingOptions`: profile,
            freeze, recompute, optimizer, master, dp and zero.

    Raises what `build` raises; OperatorError for an operator that is not registered or states no gradient;
    ConfigError for an option of a training step in another phase.

    >>> account("gpt2-xl", seq_len=1024).total["params"]
    1557611200
    """
    plugins = plugins or default()
    asked, others = separated(options)
    graph = build(model, plugins=plugins, **others)
    annotated = annotate(graph, find_convention(convention, plugins.conventions), unknown=unknown, plugins=plugins)
    if graph.workload.get("phase") == "train":
        from graphacct.training import train

        annotated = train(annotated, resolved(asked, plugins), plugins, unknown)
    else:
        check_no_training(asked)
    return rollup(annotated, plugins)
