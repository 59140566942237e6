"""The errors a user can meet; each says what is wrong, the value, and the way out."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping


class GraphacctError(Exception):
    """Base of every error that graphacct raises on purpose; the command line prints it in one or two lines."""


class ConfigError(GraphacctError):
    """A configuration or workload value that no model can have."""


class GraphError(GraphacctError):
    """A graph that is not a DAG of well-formed nodes."""


class ShapeError(GraphError):
    """Operands whose shapes do not fit the operator's signature."""


class SignatureError(GraphacctError):
    """A signature that cannot be parsed; raised where the operator is defined."""


class OperatorError(GraphacctError):
    """An operator whose formula failed or returned something that is not work."""


class UnknownNameError(GraphacctError):
    """A name that nothing is registered under."""


class PluginError(GraphacctError):
    """A plugin that cannot be loaded, or two that claim the same name."""


class ReadError(GraphacctError):
    """A file that cannot be read as what it was taken for."""


class DeclinedError(ReadError):
    """A model that a reader accepted and does not know after all: the readers after it are asked.

    Attributes:
        alone: What its message adds if no reader after it has anything to say of the model.
        beside: What it adds to the message of a reader before it: the whole message, unless given.
    """

    def __init__(self, message: str, alone: str = "", beside: str | None = None) -> None:
        super().__init__(message)
        self.alone, self.beside = alone, message if beside is None else beside

    def at(self, where: str) -> DeclinedError:
        """Returns it with the place in front."""
        return DeclinedError(f"{where}: {self}", self.alone, self.beside)


class WriteError(GraphacctError):
    """An output that cannot be written."""


class RenderError(GraphacctError):
    """A picture that cannot be rendered here; the message says what to install."""


def brief(value: object, most: int = 60) -> str:
    """Returns a value as messages show it: its repr, cut if it is long."""
    if isinstance(value, int) and value.bit_length() > 4 * most:
        return f"a {value.bit_length()}-bit integer"
    try:
        text = repr(value)
    except Exception:
        return f"an object of {type(value).__module__}.{type(value).__qualname__}"
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…" + (f" ({len(value):,} characters)" if isinstance(value, str) else "")


LONGEST, MOST_COMPARED = 300, 20_000
"""The longest name that is compared with others, and with how many: each comparison takes the product of lengths."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Returns the tail of an "unknown name" message: the closest known name, or all of them when they are few.

    Returns an empty string when nothing is close and the list is too long to print.
    """
    from difflib import get_close_matches

    names = sorted(other for other in known if len(other) <= LONGEST)
    if len(name) > LONGEST or len(names) > MOST_COMPARED:
        return ""
    for other in names:
        if other.lower() == name.lower() != "":
            return f"; did you mean {other!r}?"
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if names and len(names) <= 12:
        return f"; known: {', '.join(names)}"
    return ""


def unknown(kind: str, name: str, known: Iterable[str], way_out: str = "") -> UnknownNameError:
    """Returns the error for a `name` that is not among the `known` ones of its `kind`."""
    tail = f" ({way_out})" if way_out else ""
    return UnknownNameError(f"unknown {kind} {brief(name)}{suggest(name, known)}{tail}")


def blame(node: str, operator_name: str, operators: Mapping[str, object], error: Exception) -> GraphacctError:
    """Returns the one-line error for a node whose operator failed. It names the node, the operator, and the plugin if
    the operator is at fault. `operators` is the table that has the operator."""
    where = f"node {node!r}, operator {operator_name!r}"
    origin = getattr(operators, "origins", {}).get(operator_name)
    plugin = f" of plugin {origin}" if origin else ""
    if isinstance(error, OperatorError):
        return OperatorError(f"{where}{plugin}: {error}")
    if isinstance(error, GraphacctError):
        return type(error)(f"{where}: {error}")
    return OperatorError(failure(f"{where}{plugin}", error))


def failure(who: str, error: Exception) -> str:
    """Returns one line about an exception that `who` (a plugin's code) raised: its type, its text, and where."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    line = f" at {traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback is not None else ""
    return f"{who} failed: {type(error).__name__}: {error}{line}"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the line of the user's code that called graphacct, however many of its own calls are between."""
    package = os.path.dirname(__file__) + os.sep
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
