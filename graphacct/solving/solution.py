"""The solution: the size at which conditions hold, found by a search and checked by evaluation on both sides of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import Dim, digits
from graphacct.display import display
from graphacct.errors import ConfigError
from graphacct.expressions.expression import Expression
from graphacct.models.size import Size, config_sizes, staying
from graphacct.progress import doing
from graphacct.reports.report import Report
from graphacct.solving.asked import Asked, Side
from graphacct.solving.search import Border, Search
from graphacct.solving.sized import SizedModel

CROSSING, LARGEST, SMALLEST = "crossing", "max", "min"
MOST = 2**40
"""The largest size of a workload that is tried, unless a range says otherwise."""
MOST_OF_CONFIG, TIMES_OWN = 2**17, 256
"""The same of a key of the configuration: this, or so many times the model's own. Some families list each layer."""


@attrs.frozen
class Trial:
    """One size that was tried.

    Attributes:
        size: The size.
        sides: Each comparison of the conditions, with its values there.
    """

    size: int
    sides: tuple[Side, ...]

    @property
    def holds(self) -> bool:
        """Whether all conditions hold."""
        return all(side.holds for side in self.sides)


@attrs.frozen(eq=False)
class Solution:
    """The size at which conditions hold, or at which two sides cross.

    Attributes:
        model: The model's name.
        workload: What it is built for, at the size found.
        size: The size found.
        name: What was solved for.
        key: The model's own name of that.
        goal: `crossing`, `max` or `min`.
        where: The conditions, as typed.
        at: The conditions at the size found.
        beside: The same at its neighbour among the accepted sizes: the next one if the largest was asked for, or else
            the one before; None if there is none.
        tried: How many sizes were built.
        refused: How many sizes the model refuses, of those that were tried.
        refusal: The reason at one of them, nearest to the size found; empty if none was refused.
        limit: Why no size beyond the one found is accepted, if that and no condition ends the search.
        monotone: Whether the conditions changed but once among the sizes tried.
        positions: The key of the configuration that was raised with the size, beyond what the published model has;
            empty if none was.
        forward_alone: The quantities in the conditions that are of a training step's forward pass alone, each with that
            of the step.
        stays: Of a size of the configuration, its other sizes that do not follow from it, by key.
    """

    model: str
    workload: Mapping[str, Dim]
    size: int
    name: str
    key: str
    goal: str
    where: tuple[str, ...]
    at: Trial
    beside: Trial | None
    tried: int
    refused: int
    refusal: str
    limit: str
    monotone: bool
    positions: str
    forward_alone: Mapping[str, str]
    stays: Mapping[str, int]

    @property
    def equal(self) -> bool:
        """Whether both sides of the first comparison are equal exactly, to the unit."""
        side = self.at.sides[0]
        return bool(side.left_value == side.right_value)

    def to_dict(self) -> dict[str, Any]:
        """Returns the solution as plain values: see docs/json.md."""
        found: dict[str, Any] = display("solution.dict", self)
        return found

    def __repr__(self) -> str:
        return f"<Solution {self.model}: {self.name} {digits(self.size)}>"

    def __str__(self) -> str:
        return str(display("solution.table", self))

    def _repr_html_(self) -> str:
        return str(display("solution.html", self))


class Solver:
    """Builds a model at one size after the other, each once, and keeps what the conditions are there."""

    def __init__(
        self,
        size: Size,
        asked: Asked,
        report: Callable[[Mapping[str, Any]], Report],
        options: Mapping[str, Any],
        found: object,
        goal: str,
    ) -> None:
        self.size, self.asked, self.options = size, asked, options
        self.model = SizedModel(size, report, options, beyond=goal != LARGEST)
        self.found, self.goal = found, goal
        self.name = str(getattr(found, "name", "the model"))
        self.trials: dict[int, Trial] = {}
        self.workloads: dict[int, Mapping[str, Dim]] = {}
        self.refused, self.extended = self.model.refused, self.model.extended

    def trial(self, size: int) -> Trial | None:
        """Returns the conditions at a size; None if the model refuses it."""
        if size in self.refused:
            return None
        if size not in self.trials:
            with doing(f"{len(self.trials):,} sizes built"):
                report = self.model.report(size)
            if report is None:
                return None
            keys = self.size.given(self.options, size, extended=size in self.extended).get("set") or {}
            workload = {name: value for name, value in report.workload.items() if isinstance(value, int)}
            sizes = {**config_sizes(self.found, keys), **workload, self.size.key: size}
            self.trials[size] = Trial(size, self.asked.sides(report, sizes))
            self.workloads[size] = report.workload
        return self.trials[size]

    def solution(self, sizes: range | None) -> Solution:
        """Returns the solution among some sizes; among all if none are given. Raises ConfigError if there is none."""
        if sizes is not None and (not sizes or sizes.step < 1 or sizes.start < 1):
            raise ConfigError(f"{sizes} has no sizes: it goes up from 1 or more, by 1 or more")
        own = self.size.own
        most = max(MOST_OF_CONFIG, TIMES_OWN * (own or 1)) if self.size.of_config else MOST
        bounds = (sizes.start, sizes[-1]) if sizes else (1, most)
        step = sizes.step if sizes and sizes.step > 1 else 0
        first = Search(lambda size: None if self.trial(size) is None else True, *bounds, own, step).smallest()
        if first is None:
            reason = next(iter(self.refused.values()))
            raise ConfigError(f"{self.name!r} refuses every {self.size.name} that was tried: {reason}")
        search = Search(self._answer(first), *bounds, own, step)
        border = search.last_true() if self.goal == LARGEST else search.first_true()
        size = border.low if self.goal == LARGEST else border.high
        if size is None:
            raise self._none(first)
        limit = self._limit(size, sizes) if self.goal == LARGEST and border.high is None else ""
        return self._solution(size, border, limit)

    def _solution(self, size: int, border: Border, limit: str) -> Solution:
        neighbour = border.high if self.goal == LARGEST else border.low
        near = min(self.refused, key=lambda other: abs(other - size), default=None)
        return Solution(
            self.name,
            self.workloads[size],
            size,
            self.size.name,
            self.size.key,
            self.goal,
            tuple(condition.text for condition in self.asked.conditions),
            self.trials[size],
            None if neighbour is None else self.trials[neighbour],
            len(self.trials),
            len(self.refused),
            "" if near is None else f"{near:,}: {self.refused[near]}",
            limit,
            border.monotone,
            self.size.positions[0] if size in self.extended and self.size.positions else "",
            self.asked.forward_alone,
            staying(self.found, self.options.get("set") or {}, {self.size.key: size}) if self.size.of_config else {},
        )

    def _answer(self, first: int) -> Callable[[int], bool | None]:
        """Returns the question of the search: whether the conditions hold, or whether the left side is on the other
        side of the right one than at the smallest size."""

        def answer(size: int) -> bool | None:
            trial = self.trial(size)
            if trial is None:
                return None
            return trial.holds if self.goal != CROSSING else _sign(trial) != _sign(self.trials[first])

        return answer

    def _limit(self, size: int, sizes: range | None) -> str:
        """Returns what ended the search for the largest size, if no condition did. Raises ConfigError if that is only
        the largest size that is tried."""
        beyond = self._beyond(size)
        if sizes is not None:
            return f"above it the range has none that the model accepts: {beyond}" if beyond else "the range ends there"
        if not beyond:
            raise ConfigError(
                f"the conditions hold at every {self.size.name} tried, up to {size:,}: they set no largest one; "
                f"{self._values(size)}"
            )
        return f"the model refuses every larger one that was tried: {beyond}"

    def _beyond(self, size: int) -> str:
        return next((reason for other, reason in sorted(self.refused.items()) if other > size), "")

    def _none(self, first: int) -> ConfigError:
        """Returns the error if no size was found: the values at the smallest size, and at the largest that was
        tried."""
        last = max(self.trials)
        verb = "the sides cross" if self.goal == CROSSING else "the conditions hold"
        texts = [self._values(first)]
        if last != first and self.goal != LARGEST:
            limit = self._beyond(last)
            texts += [self._values(last), *([f"beyond that {limit}"] if limit else [])]
        return ConfigError(f"{self.name!r} has no {self.size.name} at which {verb}: {'; '.join(texts)}")

    def _values(self, size: int) -> str:
        texts = [
            f"{_said(side.left, side.left_value)} {side.sign} {_said(side.right, side.right_value)}"
            + ("" if self.goal == CROSSING else " holds" if side.holds else " does not hold")
            for side in self.trials[size].sides
        ]
        return f"at {self.size.name} {size:,} {', '.join(texts)}"


def goal_of(conditions: Sequence[Expression], largest: bool, smallest: bool) -> str:
    """Returns what is looked for. Raises ConfigError for conditions that do not say one thing."""
    if not conditions:
        raise ConfigError('no condition is given: where="flops(attention) == flops(mlp)", or "params <= 1.5e9"')
    if largest and smallest:
        raise ConfigError("max=True and min=True are both given: ask for one of them")
    for condition in conditions:
        if not condition.is_condition:
            raise ConfigError(f"{condition.text!r} is no condition: compare it with something, by == or <=")
    equalities = [part for condition in conditions for part in condition.comparisons if part.kind == "=="]
    if largest or smallest:
        if equalities:
            left, right = equalities[0].typed
            raise ConfigError(
                f"{left} == {right} holds at single sizes, if at all: leave max=True and min=True out to find where "
                "the two cross, or write <="
            )
        return LARGEST if largest else SMALLEST
    if len(conditions) == 1 and len(conditions[0].comparisons) == 1 and equalities:
        return CROSSING
    raise ConfigError(
        f"{conditions[0].text!r} may hold at many sizes: ask for the largest (max=True) or the smallest (min=True) of "
        "them; a crossing is asked for by one condition with =="
    )


def _sign(trial: Trial) -> int:
    side = trial.sides[0]
    return int(side.left_value >= side.right_value) + int(side.left_value > side.right_value)


def _said(typed: str, value: Any) -> str:
    """Returns a side of a comparison with its value, unless that is what was typed."""
    text = f"{value:,}" if type(value) in (int, float) else str(value)
    return typed if typed.replace("_", "") == str(value) or value is True else f"{typed} ({text})"
