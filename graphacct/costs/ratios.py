"""Ratios: quantities of a row's other quantities, which do not add up (`Quantity.of_row`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, is_array, is_symbol
from graphacct.errors import PluginError, brief, failure


@attrs.frozen
class Ratio:
    """A quantity with `of_row`, and the plugin that registered it, which errors name."""

    quantity: Quantity
    plugin: str

    def of(self, values: Mapping[str, Dim]) -> Any:
        """Returns the ratio of a row (or total) with these quantities: a float, a symbol or an array; None where it
        divides by zero. An array of a sweep has None at each point that does.

        Raises PluginError, which names the quantity and its plugin, where the function fails or gives no number.
        """
        figures: Mapping[str, Any] = values
        shapes = [value.shape for value in figures.values() if is_array(value)]
        if not shapes:
            return self._one(values)
        # Point by point: numpy would warn, and make infinity of a division by zero. Sweeps have few points.
        numpy = sys.modules["numpy"]
        shape = numpy.broadcast_shapes(*shapes)
        spread = {name: numpy.broadcast_to(numpy.asarray(value, object), shape) for name, value in values.items()}
        found = [self._one({name: array[at] for name, array in spread.items()}) for at in numpy.ndindex(shape)]
        return numpy.array(found, object if None in found else None).reshape(shape)

    def _one(self, values: Mapping[str, Any]) -> Any:
        who = f"quantity {self.quantity.name!r} of plugin {self.plugin}"
        assert self.quantity.of_row is not None
        try:
            found = self.quantity.of_row(values)
        except ZeroDivisionError:
            return None
        except Exception as error:
            raise PluginError(failure(who, error)) from error
        if found is None:
            return None
        if is_symbol(found):
            sympy = sys.modules["sympy"]
            return None if found.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo) else found
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise PluginError(f"{who} returned {brief(found)}, which is no number")
        return found if found - found == 0 else None  # infinity and NaN, of floats divided by hand
