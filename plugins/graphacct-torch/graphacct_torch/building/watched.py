"""torch's environment of symbols, watched for what its guards do not say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import sympy
import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from graphacct_torch.errors import user_line

TORCH = Path(torch.__file__).parent
DECIDING = ("symbolic_shapes.py", "sym_node.py", "recording.py")
"""The files of torch that a decision on a symbol goes through."""


class Watched(ShapeEnv):
    """torch's environment of symbols, which notes the line of the user's code at which a symbol became a number.

    Attributes:
        line: That line, as ` (model.py:12)`; empty if none did.
        above_one: The symbols that the module's code has taken for more than 1.
    """

    line = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.above_one: dict[Any, None] = {}
        self._guarded: set[Any] = set()

    def evaluate_expr(self, orig_expr: Any, *args: Any, **kwargs: Any) -> Any:
        """Decides, and notes the symbols that the module's code took for more than 1: torch takes all of them so and
        says nothing. What torch itself asks, for the strides of a tensor of one element, is no matter."""
        before = len(self.guards)
        answer = super().evaluate_expr(orig_expr, *args, **kwargs)
        if answer in (True, False) and _asked_by_code():
            if len(self.guards) > before:
                self._guarded.add(orig_expr)
            for symbol in orig_expr.free_symbols:
                at_one = orig_expr.xreplace({symbol: sympy.Integer(1)})
                known = at_one in (True, False)
                if bool(at_one) != bool(answer) if known else orig_expr not in self._guarded:
                    self.above_one[symbol] = None
        return answer

    def _set_replacement(self, a: Any, tgt: Any, msg: str) -> None:
        place = user_line()
        self.line = self.line or (f" ({place})" if place else "")
        super()._set_replacement(a, tgt, msg)


def _asked_by_code() -> bool:
    """Returns whether Python code of a module, the user's or of torch's layers, takes a branch on a symbol just now."""
    frame = sys._getframe(2)
    while frame.f_back is not None and Path(frame.f_code.co_filename).name in DECIDING:
        frame = frame.f_back
    if frame.f_code.co_filename != torch.__file__ or frame.f_back is None:  # `SymBool.__bool__`
        return False
    asking = Path(frame.f_back.f_code.co_filename)
    return not asking.is_relative_to(TORCH) or asking.is_relative_to(TORCH / "nn")
