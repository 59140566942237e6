"""A plan: a request whose names are resolved and whose expressions are parsed, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.costs.quantities import forward_alone
from graphacct.errors import ConfigError
from graphacct.expressions.expression import Expression
from graphacct.expressions.parse import parse
from graphacct.hooks.manager import Plugins
from graphacct.keywords import DEFAULTS
from graphacct.models.find import find_model
from graphacct.models.near_keys import other_spelling
from graphacct.models.size import config_sizes, staying, workload_sizes
from graphacct.phases import DECODE, FORWARD, GENERATE, PREFILL, TRAIN
from graphacct.reports.report import Report
from graphacct.solving.asked import Asked
from graphacct.sweeping.axis import Axis, WordAxis, find_axes
from graphacct.sweeping.grid import Grid
from graphacct.sweeping.program import Program
from graphacct.sweeping.question import Question
from graphacct.sweeping.selection import Selection
from graphacct.sweeping.sweep import Request

KEPT = {
    FORWARD: ("params", "flops", "activation_bytes"),
    TRAIN: ("params", "step_flops", "saved_bytes"),
    PREFILL: ("params", "flops", "kv_cache_bytes"),
    DECODE: ("params", "flops", "kv_cache_bytes"),
    GENERATE: ("params", "flops", "kv_cache_bytes"),
}
"""The quantities that are written in each phase, unless others are asked for."""
OF_ALL = ("params", "flops")
"""The same for several phases."""


@attrs.frozen(slots=False, eq=False)
class Plan:
    """A request, ready to run.

    Attributes:
        request: What was asked, as text.
        grid: The points.
        selection: Which points are rows.
        program: Makes the program of some words.
    """

    request: Request
    grid: Grid
    selection: Selection
    program: Callable[[Mapping[str, Any]], Program]


def make_plan(
    model: object,
    over: Mapping[str, Any],
    where: Sequence[str],
    keep: Sequence[str],
    pareto: Sequence[str],
    exact: bool,
    account: Callable[..., Report],
    options: Mapping[str, Any],
    plugins: Plugins,
) -> Plan:
    """Returns the plan of a request. `options` are keywords of `account`.

    Raises ConfigError and UnknownNameError for an axis, a condition or a column that does not fit the model.
    """
    keys = options.get("set") or {}
    found = find_model(model, plugins, keys)
    axes = find_axes(found, over, options)
    grid = Grid(
        tuple(axis for axis in axes if isinstance(axis, WordAxis)),
        tuple(axis for axis in axes if isinstance(axis, Axis)),
    )
    phases = _phases(grid, options)
    conditions = tuple(map(_condition, where))
    kept = {text: _number("keep", text) for text in keep or _usual(phases)}
    kept = {text: expression for text, expression in kept.items() if text not in over}
    goals = tuple(_number("pareto", text) for text in pareto)
    sizes = [*workload_sizes(found), *config_sizes(found, keys)]
    named = [axis.name for axis in grid.sizes if axis.name not in sizes and not other_spelling(axis.name, sizes)]
    expressions = (*conditions, *kept.values(), *goals)
    asked, *_ = [Asked(expressions, [*sizes, *named], phase, plugins) for phase in phases]
    own = {name: axis.name for axis in grid.sizes for name in (axis.size.key, axis.name)}
    figures = tuple({figure: None for figure in asked.figures.values() if figure.argument or figure.name not in own})
    selection = Selection(conditions, kept, goals, asked.figures, own, exact)
    shown = {name: value for name, value in options.items() if value not in (None, DEFAULTS.get(name), [], {})}
    request = Request(
        str(getattr(found, "name", "the model")),
        shown,
        {axis.name: axis.text() for axis in grid.axes},
        {axis.name: axis.size.key for axis in grid.sizes if axis.size.key != axis.name},
        tuple(condition.text for condition in conditions),
        tuple(kept),
        tuple(goal.text for goal in goals),
        exact,
        grid.points,
        forward_alone([plugins.quantities[name] for name in asked.quantities], *phases),
        _stays(found, grid, keys),
    )
    swept = tuple(axis.size for axis in grid.sizes)

    def program(words: Mapping[str, Any]) -> Program:
        given: dict[str, Any] = dict(options)
        for axis in grid.words:
            given = axis.given(given, words[axis.name])
        chosen = find_model(model, plugins, given["set"]) if (given.get("set") or {}) != keys else found
        question = Question(chosen, account, given, swept, figures, asked.quantities, exact, plugins)
        return Program(question, selection)

    return Plan(request, grid, selection, program)


def split(texts: str | Iterable[str] | None) -> list[str]:
    """Returns the parts of texts between commas that stand in no bracket, each once.

    >>> split(["params,flops(mlp)", "max(flops, params)"])
    ['params', 'flops(mlp)', 'max(flops, params)']
    """
    found: list[str] = []
    for text in [texts] if isinstance(texts, str) else texts or ():
        depth, begin = 0, 0
        for place, char in enumerate(f"{text},"):
            depth += (char == "(") - (char == ")")
            if char == "," and depth <= 0:
                found.append(text[begin:place].strip())
                begin = place + 1
    return list(dict.fromkeys(found))


def _phases(grid: Grid, options: Mapping[str, Any]) -> list[str]:
    for axis in grid.words:
        if axis.name == "phase" and not axis.of_config:
            return [str(value) for value in axis.values]
    return [options.get("phase") or FORWARD]


def _stays(found: object, grid: Grid, keys: Mapping[str, Any]) -> dict[str, int]:
    """Returns the sizes of the configuration that follow from no axis, seen at twice the model's own sizes, which is
    divisible by what those are. Empty if no axis is of the configuration."""
    doubled = {axis.size.key: 2 * axis.size.own for axis in grid.sizes if axis.size.of_config and axis.size.own}
    words = {axis.name for axis in grid.words if axis.of_config}
    stays = staying(found, keys, doubled) if doubled else {}
    return {key: size for key, size in stays.items() if key not in words}


def _usual(phases: Sequence[str]) -> tuple[str, ...]:
    """Returns the quantities that are written if none are asked for."""
    return KEPT.get(phases[0], OF_ALL) if len(phases) == 1 else OF_ALL


def _condition(text: str) -> Expression:
    found = parse(text)
    if not found.is_condition:
        raise ConfigError(f"where {text!r} is no condition: compare it with something, by <= or ==")
    return found


def _number(option: str, text: str) -> Expression:
    found = parse(text)
    if found.is_condition:
        raise ConfigError(f"{option} {text!r} is a condition, and no figure: where takes conditions")
    return found
