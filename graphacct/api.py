"""The verbs that a user calls. Only these functions default to the installed plugins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, Unpack

import attrs

from graphacct.costs.annotate import annotate
from graphacct.costs.conventions import Convention, find_convention
from graphacct.decisions import recorded, recording
from graphacct.errors import ConfigError, GraphacctError, brief
from graphacct.errors import unknown as unknown_name
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    ModelKeywords,
    NoKeywords,
    check_no_training,
    checked,
    separated,
)
from graphacct.models.build import build as build_graph
from graphacct.models.find import find_model
from graphacct.models.finished import untrainable
from graphacct.phases import GENERATE, TRAIN
from graphacct.reports.report import Report
from graphacct.reports.rollup import rollup

if TYPE_CHECKING:
    import graphviz
    import networkx

    from graphacct.checkpoints.verify import Verification
    from graphacct.checkpoints.verify_class import ClassVerification
    from graphacct.deriving.formula import Formula, Formulas
    from graphacct.devices.find import Devices
    from graphacct.explanations.explanation import Explanation
    from graphacct.footprint.memory import Memory
    from graphacct.operators.operator import Operator
    from graphacct.reports.comparison import Chosen, Comparison
    from graphacct.reports.diff import Diff
    from graphacct.reports.reconcile import Reconciliation
    from graphacct.reports.rows import ParameterRow
    from graphacct.solving.solution import Solution
    from graphacct.sweeping.sweep import Sweep


Model: TypeAlias = object
"""A model: a preset's or an architecture's name (`gpt2-xl`), a path that a reader accepts, `module:function` (a
function that returns a Graph), a Graph, what `find_model` found, or an object that a reader takes: a networkx graph, a
configuration as a dict, whatever a plugin reads. Only the readers know which, so that no type is refused here."""


@checked(ModelKeywords)
def build(model: Model, *, plugins: Plugins | None = None, **options: Unpack[ModelKeywords]) -> Graph:
    """Returns the graph of a model for a workload (`Workload` has its sizes). A Graph is returned as it is, in its own
    phase or, if that is `forward` and `train` is asked for, as a training step.

    Args:
        model: A preset's name, a path, `module:function`, a Graph or an object that a reader takes.
        plugins: Those in use; all that are installed unless given.
        options: What the model is built for, by name (see `graphacct.keywords.ModelKeywords`).

    Raises UnknownNameError for an unknown model, ConfigError for a key or size that does not fit, ReadError for a
    file that cannot be read, TypeError for an unknown keyword.
    """
    return build_graph(model, plugins=plugins or default(), **options)


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
        model: As for `build`.
        convention: The convention, or its name: it says what is counted.
        mask: Which of attention's pairs of positions it counts: `full`, `causal`, `half` or `window`; the convention's
            own unless given, which of most is `full`.
        unknown: What to do with a node whose operator is not registered: `error` raises, `report` leaves it out of
            every sum and names it in the coverage.
        quantities: The names of the quantities to count, besides `flops`; all unless given. A training step without
            saved bytes and peaks takes a tenth of the time.
        plugins: Those in use; all that are installed unless given.
        options: Those of `build`, and in training profile, freeze, recompute, optimizer, master, dp and zero.

    Raises what `build` raises; OperatorError for an operator that is not registered or states no gradient;
    ConfigError for an option of a training step in another phase.

    >>> account("gpt2-xl", seq_len=1024).total["params"]
    1557611200
    """
    plugins = plugins or default()
    for name in quantities or ():
        if name not in plugins.quantities:
            raise unknown_name("quantity", name, plugins.quantities)
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
        from graphacct.costs.step_quantities import needs_memory
        from graphacct.reports.step import train
        from graphacct.training.options import resolved

        memory = quantities is None or needs_memory(quantities, plugins.quantities)
        annotated = train(annotated, resolved(asked, plugins), plugins, unknown, memory)
    else:
        check_no_training(asked, untrainable(found))
    report = rollup(annotated, plugins, quantities)
    for name in quantities or ():
        report.quantity(name)  # a quantity of another phase is an error
    return report


@recorded
@checked(AccountKeywords, phase="train")
def memory(
    model: Model,
    *,
    on: Devices | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Memory:
    """Returns the memory of a model's training step, or of inference in another phase, part by part in bytes.

    Args:
        model: As for `build`.
        on: Devices: names separated by commas (`h100,a100-80gb`), `all`, a TOML file of devices, or a
            `graphacct.Device`; one or several. The result's `devices` says for each whether the model fits, the largest
            batch and the longest sequence that do, and the ways out.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`.

    Raises what `account` raises, and UnknownNameError for a device that is not known, with those that it may be.

    >>> memory("gpt2", batch=1, seq_len=128).parameters
    497759232
    >>> [device.fits for device in memory("gpt2", batch=16, on="h100,rtx-4090").devices]
    [True, False]
    """
    plugins = plugins or default()
    if on is None:
        from graphacct.footprint.generation import memory_of

        return memory_of(model, unknown=unknown, plugins=plugins, **options)
    from graphacct.devices.find import find_devices
    from graphacct.footprint.on_devices import memory_on

    return memory_on(model, find_devices(on, plugins.devices), unknown=unknown, plugins=plugins, **options)


@checked(AccountKeywords, phase="train")
def reconcile(
    model: Model,
    *,
    between: str | Convention = DEFAULTS["convention"],
    and_: str | Convention,
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Reconciliation:
    """Returns why two conventions give a training step of a model different FLOPs: terms that sum to the difference.

    Args:
        model: As for `build`.
        between: The convention, or its name, from which the difference counts.
        and_: The other one.
        mask: As for `account`, of both; one alone has it behind its name, `matmul:causal`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`.

    Raises what `account` raises; ConfigError if a convention's formula cannot be stated for the model.

    >>> found = reconcile("llama-3-8b", between="megatron", and_="torchtitan", seq_len=8192)
    >>> [(term.name, term.flops) for term in found.terms]
    [('norms', 13086228480)]
    """
    from graphacct.reports.reconcile import reconcile as reconciled
    from graphacct.training.options import resolved

    plugins = plugins or default()
    asked, others = separated(options)
    if others.pop("phase", None) not in (None, TRAIN):
        raise ConfigError(f"phase {options['phase']!r}: the figures of a training step are reconciled")
    graph = build_graph(model, plugins=plugins, **others, phase=TRAIN)
    first, other = (find_convention(convention, plugins.conventions, mask) for convention in (between, and_))
    return reconciled(graph, first, other, resolved(asked, plugins), plugins, unknown)


@checked(AccountKeywords)
def solve(
    model: Model,
    *,
    for_: str,
    where: str | Sequence[str],
    max: bool = False,
    min: bool = False,
    range_: str | range | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Solution:
    """Returns the size of a model at which conditions hold: whole, found by a search and checked by evaluation.

    Args:
        model: As for `build`.
        for_: The size: one of the workload (`seq_len`), or a key of the model's configuration (`n_embd`), also in
            another library's spelling (`d_model`).
        where: One condition or several, which all are to hold: `params <= 1.5e9`. Without `max` and `min` it is one
            equality, `flops(attention) == flops(mlp)`: the smallest size at which the left side reaches the right one.
        max: Whether to find the largest size.
        min: Whether to find the smallest size.
        range_: The sizes that may be the answer, `START:STOP` or `START:STOP:STEP` with STOP included, or a range of
            Python; all unless given.
        convention: As for `account`.
        mask: As for `account`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: Those of `account`.

    Raises what `account` raises; ConfigError if no size meets the conditions, or for a condition that cannot be read;
    UnknownNameError for a name in it that is neither a quantity nor a size.

    >>> solve("gpt2", for_="n_layer", max=True, where="params <= 1e9").size
    135
    """
    from graphacct.expressions.parse import parse
    from graphacct.models.size import config_sizes, find_size, sizes_of, workload_sizes
    from graphacct.solving.asked import Asked
    from graphacct.solving.solution import Solver, goal_of

    plugins = plugins or default()
    conditions = [parse(text) for text in ([where] if isinstance(where, str) else where)]
    goal = goal_of(conditions, max, min)
    given: dict[str, Any] = {**options}
    found = find_model(model, plugins, given.get("set") or {})
    size = find_size(found, for_, given)
    names = [*workload_sizes(found), *config_sizes(found, given.get("set") or {})]
    asked = Asked(conditions, names, given.get("phase") or "", plugins)
    counted: Any = {"convention": convention, "mask": mask, "unknown": unknown, "plugins": plugins}
    counted["quantities"] = asked.quantities
    solver = Solver(size, asked, lambda sizes: account(found, **counted, **sizes), given, found, goal)
    return solver.solution(sizes_of(range_) if isinstance(range_, str) else range_)


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


@checked(NoKeywords)
def explain(
    report: Report | Model, node: str, quantity: str | None = None, *, plugins: Plugins | None = None
) -> Explanation:
    """Returns where the numbers of a node or scope come from: formula, values, convention and source.

    Args:
        report: A report, or a model, which is accounted for with the default options.
        node: A path as reports show it, one with an index in place of `*`, or the end of one that only one node has.
        quantity: The one quantity to explain; all of them unless given.
        plugins: Those in use; all that are installed unless given.

    Raises UnknownNameError for a node or quantity that the report does not have, with the closest one.
    """
    from graphacct.explanations.explanation import explain as explained

    plugins = plugins or default()
    with recording() as conditions:
        found = _reported(report, plugins)
        conditions.add(found.conditions)
        return explained(found, node, quantity, plugins)


@checked(AccountKeywords)
def formula(
    model: Model,
    node: str | None = None,
    *,
    quantity: str | Sequence[str] | None = None,
    by: str | None = None,
    depth: int | None = None,
    symbols: str | Sequence[str] | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Formula | Formulas:
    """Returns the closed formula of a figure in the model's own sizes: of one quantity a Formula, of several Formulas.

    A size of the workload or of the configuration that is given (`seq_len=2048`, `set`) is a symbol too, and has that
    value where the formula's value is asked for.

    Args:
        model: As for `build`; a finished graph has no sizes.
        node: A node or scope, as for `explain`, or a glob of scopes; the whole model unless given.
        quantity: The quantity, or several; `params` and `flops` unless given.
        by: `scope`: the formula's `parts` are then those of the scopes, which sum to it.
        depth: With `by`: levels of scopes; up to 3, as many as are in 30 lines, unless given.
        symbols: The sizes that stay symbols, in the model's or another library's spelling; all unless given.
        convention: As for `account`.
        mask: As for `account`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: Those of `account`.

    Raises what `account` raises; UnknownNameError for a node or a size that the model has not, with those it has;
    ConfigError for a size in `symbols` that must be a number.

    >>> found = formula("gpt2-xl", quantity="params")
    >>> found.text
    'n_embd · (n_layer · (12 · n_embd + 13) + vocab_size + n_positions + 2)'
    >>> found(n_layer=96)
    3033113600
    """
    from graphacct.deriving.derive import QUANTITIES, derive
    from graphacct.deriving.formula import Formulas

    plugins = plugins or default()
    quantities = [quantity] if isinstance(quantity, str) else QUANTITIES if quantity is None else list(quantity)
    names = symbols.split(",") if isinstance(symbols, str) else symbols
    counted: Any = {"convention": convention, "mask": mask, "unknown": unknown, "plugins": plugins}
    given: dict[str, Any] = {**options}
    found = find_model(model, plugins, given.get("set") or {})
    formulas = derive(
        lambda **sizes: account(found, **counted, **sizes),
        found,
        given,
        quantities,
        node,
        by,
        depth,
        names,
        plugins.operators,
    )
    return formulas[0] if isinstance(quantity, str) else Formulas(formulas)


@checked(NoKeywords)
def draw(
    report: Report | Model,
    path: str | os.PathLike[str] | None = None,
    *,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    plugins: Plugins | None = None,
) -> graphviz.Digraph:
    """Returns the picture of a report as a graphviz.Digraph, written to `path` too when one is given.

    Args:
        report: A report, or a model, which is accounted for with the default options.
        path: A file; its ending, .svg, .png, .pdf or .dot, gives the format.
        color_by: The quantity that colours the boxes.
        depth: Levels of scopes to open; what fits a screen unless given.
        unroll: Whether every repetition of a block is drawn.
        views: Whether views that cost nothing are drawn.
        plugins: Those in use; all that are installed unless given.

    Raises RenderError or WriteError when it cannot be written, UnknownNameError for an unknown quantity.
    """
    from graphacct.render.picture import render
    from graphacct.render.picture.dot import draw as drawn

    plugins = plugins or default()
    report = _reported(report, plugins)
    options: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views}
    if path is None:
        return drawn(report, plugins=plugins, **options)
    return render(report, path, plugins=plugins, **options)


@checked(AccountKeywords)
def compare(
    *reports: Report | Model,
    over: str | Mapping[str, str | Iterable[int]] | None = None,
    quantity: str = "flops",
    by: str = "scope",
    depth: int | None = None,
    quantities: Sequence[str] | None = None,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Comparison:
    """Returns models (or reports) side by side under one workload, or one model at several sizes: one quantity of each
    scope, operator or role, and its share of the total.

    Models whose own lengths differ get the shortest of them, unless `seq_len` is given; `chosen` says so.

    Args:
        reports: Models, all for one workload, or reports, as they are: one or more, all under one convention.
        over: The sizes of one model: `seq_len=1k,4k,16k` or `d_model=512:2048:256`, or a mapping from the name to a
            text or to ints. A size of the workload or a key of the configuration; ranges include their end.
        quantity: What to compare.
        by: `scope`, `operator`, or `role`, which the rows of different families share: embedding, attention, mlp,
            experts, router, norms, head, loss, other.
        depth: Levels of scopes to show; up to 3, as many as fit in 30 lines, unless given.
        quantities: The names of the quantities to count besides the compared one; all unless given, and of a training
            step at several sizes the parameters alone, since its memory takes nine tenths of the time.
        convention: As for `account`; of reports their own.
        mask: As for `account`; of reports their own.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of all models.

    Raises what `account` raises; UnknownNameError for an unknown quantity, grouping or size; ConfigError for nothing to
    compare, for models that cannot be under one workload, and for sizes that the model refuses altogether.

    >>> compare("gpt2", over="batch=1,2", by="role").values[1]
    (97765785600, 195531571200)
    """
    from graphacct.reports.comparison import compare as compared

    plugins = plugins or default()
    how: dict[str, Any] = {"convention": convention, "mask": mask, "unknown": unknown, "plugins": plugins}
    if quantities is not None:
        how["quantities"] = (quantity, *quantities)
    found: Sequence[Any] = reports
    more: dict[str, Any] = {"operators": plugins.operators}
    whole = [model for model in reports if isinstance(model, Report)]
    if whole and (options or over is not None):
        given = ", ".join([*options, *(["over"] if over is not None else [])])
        raise ConfigError(f"{given}: {brief(whole[0].model)} is a report already; give models, or reports alone")
    if over is not None:
        if quantities is None and options.get("phase") == TRAIN:
            how["quantities"] = (quantity, "params")
        if len(reports) != 1:
            raise ConfigError(f"over is of one model, and {len(reports)} are given: leave the others out, or over=")
        from graphacct.solving.over import account_over

        model = find_model(reports[0], plugins, options.get("set") or {})
        account_one = partial(account, model, **how)
        found, more["over"] = account_over(model, over, {**options}, account_one, (quantity, by), plugins.operators)
    elif not whole:
        found, more["chosen"] = _under_one_workload(reports, how, {**options})
    return compared([_reported(each, plugins) for each in found], quantity, by, depth, **more)


@checked(AccountKeywords)
def diff(
    a: Report | Model,
    b: Report | Model,
    *,
    quantity: str = "flops",
    fail_if: Sequence[str] = (),
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Diff:
    """Returns which nodes of two models differ under one workload, and what that costs.

    Args:
        a: A report, or a model.
        b: Another one, matched with it node by node, by path.
        quantity: What a table shows.
        fail_if: Conditions on the changes of totals, `flops > +3%`, or of parts, `flops(attention) > 0`; the result's
            `failing` has those that hold.
        convention: As for `account`; of reports their own.
        mask: As for `account`; of reports their own.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of both models.

    Raises what `account` raises; ConfigError for two workloads or conventions, and for a condition that cannot be read
    or could mean two things.

    >>> found = diff("gpt2", "gpt2", fail_if=["flops > +3%"])
    >>> found.changes, found.failing
    ((), ())
    """
    from graphacct.expressions.change import condition
    from graphacct.reports.diff import diff as compared

    plugins = plugins or default()
    conditions = [condition(text) for text in ((fail_if,) if isinstance(fail_if, str) else fail_if)]
    reports = []
    for side, model in (("A", a), ("B", b)):
        if isinstance(model, Report):
            if options:
                raise ConfigError(f"{', '.join(options)}: {side} is a report already; give models, or two reports")
            reports.append(model)
            continue
        try:
            found = account(model, convention=convention, mask=mask, unknown=unknown, plugins=plugins, **options)
        except GraphacctError as error:
            error.args = (f"{error} (of {side})",)
            raise
        reports.append(found)
    return compared(reports[0], reports[1], quantity, conditions, plugins.operators)


@checked(NoKeywords)
def params(report: Report | Model, *, expand: bool = False, plugins: Plugins | None = None) -> tuple[ParameterRow, ...]:
    """Returns the tensors of a model's checkpoint, in the order of the model, tied ones and buffers marked.

    Args:
        report: A report, or a model, which is accounted for with the default options.
        expand: Whether to list each repetition's tensors instead of `*` and a count.
        plugins: Those in use; all that are installed unless given.

    Raises ConfigError if that would be more than a million tensors.
    """
    return _tensors(report, expand, plugins or default()).by_parameter


@checked(NoKeywords)
def verify(
    report: Report | Model, checkpoint: str | os.PathLike[str], *, plugins: Plugins | None = None
) -> Verification:
    """Compares a checkpoint's tensors with a model's: names and shapes, from the files' headers alone.

    Args:
        report: A report, or a model, which is accounted for with the default options.
        checkpoint: A .safetensors file, the index of a sharded one, or a folder with either.
        plugins: Those in use; all that are installed unless given.

    Raises ReadError for a checkpoint that cannot be read.
    """
    from graphacct.checkpoints.safetensors import tensors
    from graphacct.checkpoints.verify import verify as verified

    plugins = plugins or default()
    return verified(_tensors(report, True, plugins), tensors(checkpoint), plugins)


@checked(ModelKeywords)
def verify_class(
    model: Model, *, plugins: Plugins | None = None, **options: Unpack[ModelKeywords]
) -> ClassVerification:
    """Compares a model with the library's own class of it: parameters, the FLOPs of each module, and what a step holds.

    Attention is written out unless the options say otherwise, because counters see no fused one, and the step starts
    from the sum of the outputs. A sequence is 8 tokens long unless the options say otherwise, with images or sounds 8
    longer than their placeholders.

    Args:
        model: A preset's name, or a config.json of a family that graphacct has.
        plugins: Those in use; all that are installed unless given. One of them measures the class.
        options: Those of `build`; `phase` and `loss` are the comparison's own.

    Raises ConfigError for a model without a config.json, ReadError if no plugin measures its class.
    """
    from graphacct.checkpoints.verify_class import library_keys, measured_class, short_length, workload_of
    from graphacct.checkpoints.verify_class import verify_class as compared

    plugins = plugins or default()
    own = {name: options.pop(name, None) for name in ("phase", "loss")}  # type: ignore[misc]
    given = [name for name, value in own.items() if value is not None]
    if given:
        raise ConfigError(f"{' and '.join(given)}: a forward pass and a step from the sum of the outputs are compared")
    keys = library_keys(model, plugins, options.get("set") or {})
    found = find_model(model, plugins, options.get("set") or {})
    kinds = getattr(getattr(found, "architecture", None), "attention", ())
    if options.get("attention") is None and "eager" in kinds:
        options["attention"] = "eager"
    if options.get("seq_len") is None:
        options = {**options, **short_length(found, options.get("set") or {}, options, plugins)}  # type: ignore[typeddict-item]
    how: Any = {**options, "convention": "matmul", "plugins": plugins}
    forward = account(model, **how)
    step = account(model, **how, phase="train", loss="sum", profile="torch-eager-cpu")
    measured = measured_class(keys, workload_of(forward), plugins)
    return compared(forward, step, measured, options.get("set") or {})


def _under_one_workload(
    models: Sequence[Model], how: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[list[Report], list[Chosen]]:
    """Returns the reports of models under one workload, and the lengths that were chosen for all."""
    from graphacct.models.shared_sizes import shared_sizes
    from graphacct.reports.comparison import Chosen
    from graphacct.reports.workloads import check_one_workload

    found = [find_model(model, how["plugins"], options.get("set") or {}) for model in models]
    shared = shared_sizes(found, options)
    chosen = [Chosen(name, min(size for size in own if size is not None), own) for name, own in shared.items()]
    reports = []
    for place, model in enumerate(found):
        more = {each.name: each.size for each in chosen if each.own[place] not in (None, each.size)}
        reports.append(account(model, **how, **{**options, **more}))
    check_one_workload(reports)
    return reports, chosen


def _reported(report: Report | Model, plugins: Plugins, unknown: str = DEFAULTS["unknown"]) -> Report:
    return report if isinstance(report, Report) else account(report, unknown=unknown, plugins=plugins)


def _tensors(report: Report | Model, expand: bool, plugins: Plugins) -> Report:
    """Returns the report of a model's tensors; operators without a cost have tensors too."""
    from graphacct.render.checkpoint import expanded

    found = _reported(report, plugins, "report")
    return expanded(found, plugins) if expand else found


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Saves a graph as JSON (docs/graph-json.md)."""
    from graphacct.readers.graph_json import write

    write(graph, path)


def load(path: str | os.PathLike[str], operators: Mapping[str, Operator] | None = None) -> Graph:
    """Returns the graph of a saved JSON file. Raises ReadError, which names the fault in the file.

    `operators` are those that its nodes may use, by name; those of all installed plugins unless given.
    """
    from graphacct.readers.graph_json import read

    return read(path, installed_operators() if operators is None else operators)


def installed_operators() -> Mapping[str, Operator]:
    """Returns the operators of all installed plugins, by name."""
    return default().operators


def from_networkx(graph: networkx.Graph[Any], name: str, operators: Mapping[str, Operator] | None) -> Graph:
    """`Graph.from_nx`, with the operators of all installed plugins unless others are given."""
    from graphacct.graph.networkx_view import from_networkx as read

    return read(graph, name, installed_operators() if operators is None else operators)


def svg(graph: Graph) -> str:
    """Returns the picture of a graph as SVG text, coloured by cost; nodes without a cost are marked."""
    from graphacct.render.picture import svg as drawn

    return drawn(account(graph, unknown="report"))
