"""What an unknown operator may be called here: torch's, ONNX's and other libraries' names, and slips of the keyboard.

Which names another library has for an operator is data of the operator (`known_as`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphacct.errors import UnknownNameError, brief

CLOSE = {4: 2.0, 5: 0.9, 6: 0.8}
"""The least similarity of a slip to what was meant, from 0 to 1 as difflib measures it, by the letters of the name: 4
or fewer, 5, or more. So sort is no slip of sqrt, and rrelu none of relu."""
CLOSE_WORD = 0.75
"""The least similarity of each word of a slip, if it has several."""
LONGEST = 200
"""The most letters of a name that is compared."""
NAMESPACES = "aten prims prim onnx torch functional nn ops f tf math keras layers tensorflow jax lax jnp linen np numpy"
"""What other libraries put before an operator's name."""


def unknown_operator(name: str, operators: Iterable[str], way_out: str = "") -> UnknownNameError:
    """Returns the error for an operator that nothing is registered under; `operators` is the table of operators."""
    tail = f" ({way_out})" if way_out else ""
    return UnknownNameError(f"unknown operator {brief(name)}{suggest_operator(name, operators)}{tail}")


def suggest_operator(name: str, operators: Iterable[str]) -> str:
    """Returns the tail of an "unknown operator" message: the operator of that name in another library, or the closest
    name; empty if there is none. `operators` is the table of operators.

    >>> suggest_operator("aten::linaer", ["linear"])
    "; did you mean 'linear'?"
    >>> suggest_operator("sort", ["sqrt"])
    ''
    """
    known = list(operators)
    plain = _plain(name)
    others: dict[str, str] = getattr(operators, "known_as", {})
    by_spelling = {_squeezed(other): own for other, own in others.items()} | {_squeezed(own): own for own in known}
    found = others.get(plain) or by_spelling.get(_squeezed(plain)) or _slip(plain, known)
    return f"; did you mean {found!r}?" if found else ""


def _plain(name: str) -> str:
    """Returns a name without what libraries put around it: aten::add_.Tensor is add."""
    parts = [part for part in re.split(r"[.:]+", name[:LONGEST]) if part]
    while len(parts) > 1 and parts[0].lower() in NAMESPACES.split():
        del parts[0]
    plain = parts[0] if parts else ""
    return plain.rstrip("_") or plain


def _squeezed(name: str) -> str:
    """Returns a name as it is compared: LogSoftmax is log_softmax."""
    return name.lower().replace("_", "")


def _slip(name: str, known: Iterable[str]) -> str:
    """Returns the known name that this one is a slip of. A name of few letters, or one that begins with another letter
    or has a word more, is another operator: `prelu` is not `relu`."""
    known = list(known)
    short = next((own for own in known if _typed_wrong(name, own)), "")
    if short:
        return short
    from difflib import SequenceMatcher  # on the way to an error alone

    ranked = [
        (SequenceMatcher(None, name, own).ratio(), own)
        for own in known
        if own[:1] == name[:1] and not name.startswith(f"{own}_") and not _has_other_word(name, own)
    ]
    best, found = max(ranked, default=(0.0, ""))
    return found if best >= CLOSE[min(max(len(name), 4), 6)] else ""


def _has_other_word(name: str, own: str) -> bool:
    """Returns whether two names of as many words have one that differs: adaptive_max_pool is no adaptive_avg_pool."""
    from difflib import SequenceMatcher

    pairs = list(zip(name.lower().split("_"), own.split("_"), strict=False))
    if name.count("_") != own.count("_") or len(pairs) < 2:
        return False
    differing = [(one, other) for one, other in pairs if sorted(one) != sorted(other)]
    return any(len(one) < 4 or SequenceMatcher(None, one, other).ratio() < CLOSE_WORD for one, other in differing)


def _typed_wrong(name: str, own: str) -> bool:
    """Returns whether two short names differ in swapped letters (rleu), or in one doubled after the first (rellu)."""
    if own[:1] == name[:1] and sorted(own) == sorted(name):
        return True
    return own[:2] == name[:2] and re.sub(r"(.)\1", r"\1", name) == own
