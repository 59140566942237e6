"""Totals: each quantity of a whole model by name, with the closest name for one that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphacct.costs.quantities import Quantity, not_there
from graphacct.dims import Figure
from graphacct.errors import UnknownNameError


class NoTotalError(UnknownNameError, KeyError):
    """A quantity that a report has no total of."""

    __str__ = Exception.__str__  # KeyError's is in quotation marks


class Totals(dict[str, Figure]):
    """A dict whose KeyError is an UnknownNameError that suggests the closest name."""

    def __init__(self, totals: Mapping[str, Figure], elsewhere: Iterable[Quantity] = ()) -> None:
        super().__init__(totals)
        self._elsewhere = {item.name: item for item in elsewhere}

    def __missing__(self, name: str) -> Figure:
        raise NoTotalError(str(not_there(name, self, self._elsewhere)))

    def __reduce__(self) -> tuple[type[Totals], tuple[dict[str, Figure]]]:
        return Totals, (dict(self),)
