"""The verb that accounts for a model on a grid of its sizes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Unpack

import attrs

from graphacct.costs.conventions import Convention
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    checked,
)
from graphacct.verbs.account import account
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.sweeping.sweep import Sweep


@checked(AccountKeywords)
def sweep(
    model: Model,
    *,
    over: Mapping[str, Any],
    where: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    pareto: str | Sequence[str] = (),
    exact: bool = False,
    strict: bool = False,
    output: str | os.PathLike[str] | BinaryIO | None = None,
    format: str = "",
    first: int | None = None,
    workers: int = 0,
    scheduler: str = "",
    progress: Callable[[int, int, int], None] | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Sweep:
    """Returns the figures of a model at every point of a grid of sizes, those of `account` there, as rows.

    Args:
        model: As for `build`.
        over: The values of each axis by name, as text (`512:8192:128` with 8192 included, `1k,4k,16k`) or as whole
            numbers. An axis is a size of the workload, a key of the configuration, also in another library's spelling,
            or an option such as `dtype`, whose words are the outermost axes.
        where: Conditions, which all are to hold: `params <= 1.5e9`.
        keep: The columns besides the axes: quantities, `flops(attention)`, or arithmetic with them; a few that fit the
            phase unless given.
        pareto: Figures to minimise: only rows that no other row beats, by being smaller in one and larger in none.
        exact: Whether figures are Python ints rather than float64.
        strict: Whether a point that the model refuses is an error; otherwise it is no row, and counted.
        output: A file for the rows, .csv, .json or .parquet, or an open binary one; they are held in memory unless
            given.
        format: The format of an open file.
        first: How many rows to hold in memory, of all that are counted; all unless given.
        workers: How many processes evaluate the grid, on a Dask cluster of this machine's own; this one unless given.
            A script that asks for them has its code below `if __name__ == "__main__":`, since each process imports it.
        scheduler: The address of a Dask scheduler whose workers do.
        progress: Called with the points done, the rows so far, and all points.
        convention: As for `account`.
        mask: As for `account`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: Those of `account`.

    Raises what `account` raises; ConfigError if there is no row, for a grid that is too large, or for an axis, a
    condition or a column that does not fit the model; WriteError if the file cannot be written.

    >>> found = sweep("gpt2", over={"n_layer": "12:48:12", "d_model": "768,1536"}, where="params <= 3e8")
    >>> found["n_layer"].tolist(), found["d_model"].tolist()
    ([12, 24, 36], [768, 768, 768])
    """
    from graphacct.sweeping.needs import need

    need("numpy", "sweep", "a sweep")
    from graphacct.sweeping.plan import make_plan, split
    from graphacct.sweeping.run import embedded, run
    from graphacct.sweeping.sinks import Memory

    plugins = plugins or default()
    conditions = [where] if isinstance(where, str) else list(where)
    given: dict[str, Any] = {**options, "convention": convention, "mask": mask, "unknown": unknown}
    plan = make_plan(model, over, conditions, split(keep), split(pareto), exact, account, given, plugins)

    def ran(sink: Any, stopped: Callable[[str], Any] | None = None) -> Sweep:
        how: Any = {"strict": strict, "progress": progress, "stopped": stopped}
        if not (workers or scheduler):
            return run(plan, embedded, sink, **how)
        from graphacct.sweeping.cluster import connected

        with connected(workers, scheduler) as (engine, threads):
            return run(plan, engine, sink, workers=threads, **how)

    if output is not None:
        from graphacct.render.row_files import written

        return written(ran, output, plan.request, format)
    memory = Memory(plan.request, first)
    return attrs.evolve(ran(memory), columns=memory.columns)
