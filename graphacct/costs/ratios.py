"""Ratios: quantities of a row's other quantities, which do not add up (`Quantity.of_row`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, is_array, is_symbol, is_traced
from graphacct.errors import PluginError, brief, failure


def ratio(quantity: Quantity, plugin: str, values: Mapping[str, Dim]) -> Any:
    """Returns a ratio of a row (or total) with these quantities: a number, a symbol or an array; None if it divides
    by zero. An array of a sweep has None at each point that does.

    Raises PluginError, which names the quantity and its plugin, if its function fails or gives no number.
    """
    figures: Mapping[str, Any] = dict(values)  # whose KeyError is raised in the ratio's own line
    shapes = [value.shape for value in figures.values() if is_array(value)]
    if not shapes:
        return _one(quantity, plugin, figures)
    # Point by point: numpy would warn, and make infinity of a division by zero. Sweeps have few points.
    numpy = sys.modules["numpy"]
    shape = numpy.broadcast_shapes(*shapes)
    spread = {name: numpy.broadcast_to(numpy.asarray(value, object), shape) for name, value in figures.items()}
    points = [{name: array[at] for name, array in spread.items()} for at in numpy.ndindex(shape)]
    found = [_one(quantity, plugin, point) for point in points]
    return numpy.array(found, object if None in found else None).reshape(shape)


def _one(quantity: Quantity, plugin: str, values: Mapping[str, Any]) -> Any:
    """Returns the ratio at one point."""
    who = f"quantity {quantity.name!r} of plugin {plugin}"
    assert quantity.of_row is not None
    try:
        found = quantity.of_row(values)
    except ZeroDivisionError:
        return None
    except Exception as error:
        raise PluginError(failure(who, error)) from error
    if found is None or is_traced(found):
        return found
    if is_symbol(found):
        sympy = sys.modules["sympy"]
        return None if found.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo) else found
    if is_traced(found):
        return found
    if isinstance(found, Fraction):  # of traced sizes that cancel out
        return float(found)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise PluginError(f"{who} returned {brief(found)}, which is no number")
    return found if found - found == 0 else None  # infinity or NaN, which the function made of floats
