"""An operator whose module is imported when it is first applied.

There are some 250 operators in 44 modules, and a report applies a dozen of them. An index says which module has which,
and a test compares it with the modules.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import attrs

from graphacct.errors import OperatorError

if TYPE_CHECKING:
    from graphacct.operators.operator import Operator


@attrs.frozen(eq=False, repr=False)
class LazyOperator:
    """An operator by its name.

    Attributes:
        name: The operator's name.
        module: The module that has it, under any name.
        replaces: Whether it takes the place of an operator of this name from another plugin.
        known_as: Its names in other libraries, for suggestions.
    """

    name: str
    module: str
    replaces: bool = False
    known_as: tuple[str, ...] = ()

    def load(self) -> Operator:
        """Returns the operator itself; OperatorError if the module has none of this name."""
        for item in vars(importlib.import_module(self.module)).values():
            if getattr(item, "name", None) == self.name and hasattr(item, "signature"):
                operator: Operator = item
                return operator
        raise OperatorError(f"{self.module} has no operator {self.name!r}")
