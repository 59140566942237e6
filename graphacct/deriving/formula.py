"""The noun: the closed formula of one figure of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import attrs

from graphacct.deriving.traced_report import Held
from graphacct.display import display
from graphacct.errors import ConfigError, UnknownNameError, brief, suggest
from graphacct.formulas.collect import Collector
from graphacct.formulas.conditions import condition_text
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.exponents import exponents
from graphacct.formulas.forms import Form, Operation
from graphacct.formulas.guards import Guard
from graphacct.formulas.latex import latex
from graphacct.formulas.python import function, identifier
from graphacct.formulas.terms import Terms
from graphacct.formulas.text import written
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import MAX, Atom, Part
from graphacct.models.near_keys import other_spelling

TOTAL = ""
"""The path of a formula of the whole model."""


@attrs.frozen(eq=False, slots=False, repr=False)
class Formula:
    """The closed formula of one quantity of a model, or of a part of it.

    Attributes:
        model: The model's name.
        quantity: The quantity.
        unit: Its unit.
        path: The node or scope that it is of; empty for the whole model.
        symbols: The sizes in it, each with its value at the point: the model's own, unless given.
        conditions: When it holds, as texts: `seq_len ≤ n_positions`.
        held: The sizes that stayed numbers, with reasons.
        parts: Of a formula by scope, those of the scopes, whose sum it is (of peaks, the largest).
        note: What else a reader must know; empty for nothing.
        point: The value of every size that may be a symbol.
        forward_of: The quantity of a training step, if this one is of the step's forward pass alone.
    """

    model: str
    quantity: str
    unit: str
    path: str
    symbols: Mapping[str, int]
    conditions: tuple[str, ...]
    held: tuple[Held, ...]
    note: str
    point: Mapping[str, int]
    parts: tuple[Formula, ...]
    _figure: Part
    _trace: Trace
    _guards: tuple[Guard, ...]
    _blocks: tuple[Terms, Sequence[Atom]] | None
    _first: tuple[int, ...]
    _names: Mapping[str, str]
    forward_of: str = ""

    @cached_property
    def _form(self) -> Form:
        if self._blocks is None:
            return Collector(self._trace.atoms, self._first).of(self._figure)
        terms, atoms = self._blocks
        first = (*self._first, *range(len(self._trace.atoms), len(atoms)))
        return Collector(atoms, first).of_terms(terms)

    @property
    def text(self) -> str:
        """The formula as text: `12 · n_layer · n_embd²`."""
        return written(self._form)

    @property
    def largest_of(self) -> tuple[str, ...]:
        """The sums of which it is the largest, as texts; none for a formula that is no maximum."""
        form = self._form
        return tuple(map(written, form.parts)) if isinstance(form, Operation) and form.kind == MAX else ()

    @property
    def latex(self) -> str:
        """The formula in LaTeX, without the signs that begin mathematics."""
        return latex(self._form)

    @property
    def python(self) -> str:
        """The source of a Python function of the symbols, which returns exact ints."""
        what = f"{self.quantity} ({self.unit}) of {f'{self.path} of ' if self.path else ''}{self.model}."
        told = f"\n\nHolds for {', '.join(self.conditions)}." if self.conditions else ""
        return function(self._function, self._figure, list(self.symbols), f"{what}{told}", self._first)

    @property
    def value(self) -> Any:
        """What it is at the point: the figure of the report, an int; a float of a ratio."""
        return self(**self.symbols)

    @property
    def exponents(self) -> dict[str, float]:
        """By how many per cent it grows when a size grows by one: x · ∂F/∂x / F at the point, of each symbol.

        Of several of which the largest counts, the one which is the largest at the point; a rounded quotient grows as
        the quotient itself.
        """
        return {
            name: float(each) for name, each in exponents(self._figure, self._all({})).items() if name in self.symbols
        }

    def __call__(self, **sizes: int) -> Any:
        """Returns what it is at these sizes, exactly; those that are not named are as at the point.

        Raises UnknownNameError for a name that is none of its symbols, and ConfigError for a size that is no whole
        number from 1, or at which the formula does not hold.
        """
        at = Evaluation(self._trace, self._all(sizes))
        for guard in self._guards:
            if not at.holds(guard):
                given = ", ".join(f"{name} {size:,}" for name, size in at.sizes.items() if name in self.symbols)
                raise ConfigError(
                    f"the formula of {self.quantity} holds for {condition_text(self._trace, guard)}: not at {given}; "
                    "ask for a formula with these sizes"
                )
        value = at.of(self._figure)
        return float(value) if isinstance(value, Fraction) or self._is_ratio else value

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values (docs/json.md)."""
        found: dict[str, Any] = display("formula.dict", self)
        return found

    @property
    def is_zero(self) -> bool:
        """Whether it is 0 at all sizes."""
        return isinstance(self._figure, int) and self._figure == 0

    @property
    def _is_ratio(self) -> bool:
        return not isinstance(getattr(self._figure, "value", self._figure), int)

    @property
    def _function(self) -> str:
        return identifier(f"{self.quantity}_{self.path.replace('.*', '')}" if self.path else self.quantity)

    def _all(self, sizes: Mapping[str, int]) -> dict[str, int]:
        found = {**self.point, **self.symbols}
        for name, size in sizes.items():
            key = self._names.get(name, name)
            key = key if key in self.symbols else other_spelling(key, self.symbols)
            if key not in self.symbols:
                known = ", ".join(self.symbols)
                close = suggest(name, self.symbols)
                close = close if "did you mean" in close else ";"
                raise UnknownNameError(f"{brief(name)} is no symbol of this formula{close} known: {known}")
            if type(size) is not int or size < 1:
                raise ConfigError(f"{name} must be a whole number from 1 on, not {brief(size)}")
            found[key] = size
        return found

    def __str__(self) -> str:
        return str(display("formula.text", self))

    def __repr__(self) -> str:
        of = f" of {self.path}" if self.path else ""
        return f"<Formula {self.quantity}{of} of {self.model}: {self.text}>"

    def _repr_latex_(self) -> str:
        return str(display("formula.notebook", self))


@attrs.frozen(eq=False, repr=False)
class Formulas:
    """The formulas of several quantities of a model.

    Attributes:
        formulas: The formula of each quantity.
    """

    formulas: tuple[Formula, ...]

    def __getitem__(self, quantity: str) -> Formula:
        for formula in self.formulas:
            if formula.quantity == quantity:
                return formula
        known = [formula.quantity for formula in self.formulas]
        raise UnknownNameError(f"no formula of {brief(quantity)} was asked for{suggest(quantity, known)}")

    def __iter__(self) -> Iterator[Formula]:
        return iter(self.formulas)

    def __len__(self) -> int:
        return len(self.formulas)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values (docs/json.md)."""
        found: dict[str, Any] = display("formulas.dict", self.formulas)
        return found

    def __str__(self) -> str:
        return str(display("formulas.text", self.formulas))

    def __repr__(self) -> str:
        return f"<Formulas {', '.join(formula.quantity for formula in self.formulas)} of {self.formulas[0].model}>"

    def _repr_latex_(self) -> str:
        return str(display("formulas.notebook", self.formulas))
