"""What an operator says that it saves for its backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen(repr=False)
class Saved:
    """A tensor that an operator saves for its backward pass.

    Attributes:
        name: An operand or output of the signature, or a name of its own for a statistic or a mask.
        why: The reason, as `explain` prints it.
        dims: The dimensions of a tensor of its own: names of the signature or of attributes, `...`, or numbers; empty
            for a scalar. Or a function like the formula that returns a shape, or a list of them if they are several.
            None for operands and outputs.
        dtype: The dtype of a tensor of its own, or the operand whose dtype it has. Empty means the first output's,
            which also stands in for an operand that was left out.
        if_attribute: It is saved only if this attribute is set (not 0, None or False); empty means always.
        needed_for: The operands whose gradient needs it, as names separated by blanks; empty means any. Torch saves a
            factor of a product only if the other factor's gradient will be computed.
    """

    name: str
    why: str
    dims: str | Callable[..., Any] | None = None
    dtype: str = ""
    if_attribute: str = ""
    needed_for: str = ""

    def __repr__(self) -> str:
        return f"<Saved {self.name}: {self.why}>"
