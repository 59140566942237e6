"""Numbers in place of symbols, for a report's figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphacct.dims import is_symbol
from graphacct.errors import ConfigError, brief, unknown


class Numbers:
    """What figures are with numbers in place of some of their symbols.

    Attributes:
        conditions: What is left of the conditions.
    """

    def __init__(self, sizes: Mapping[str, int], figures: Iterable[Any], conditions: Iterable[Any]) -> None:
        """`sizes` are by the symbols' names.

        Raises UnknownNameError for a name that no figure has, and ConfigError for a size that is no positive integer,
        or for which a condition does not hold.
        """
        conditions = tuple(conditions)
        symbols = {
            symbol.name: symbol for each in (*figures, *conditions) for symbol in getattr(each, "free_symbols", ())
        }
        for name, size in sizes.items():
            if name not in symbols:
                raise unknown("symbol", name, symbols)
            if type(size) is not int or size < 1:
                raise ConfigError(f"{name} {brief(size)} is no positive integer, as a size is")
        self._numbers = {symbols[name]: size for name, size in sizes.items()}
        self._known: dict[Any, Any] = {}
        left = []
        for condition in conditions:
            found = condition.subs(self._numbers)
            if found == False:  # noqa: E712  sympy's own
                given = ", ".join(f"{name}={size}" for name, size in sizes.items())
                raise ConfigError(
                    f"the figures hold for {condition}, which {given} is not: ask for the model with numbers"
                )
            left += [found] if found != True else []  # noqa: E712
        self.conditions = tuple(left)

    def of(self, figure: Any) -> Any:
        """Returns a figure with the numbers."""
        if not is_symbol(figure):
            return figure
        if figure not in self._known:
            found = figure.subs(self._numbers)
            self._known[figure] = int(found) if found.is_Integer else found
        return self._known[figure]
