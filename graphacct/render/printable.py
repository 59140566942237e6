"""Makes names safe for a terminal: unprintable characters become escapes."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""Returns `text` on one line, with control characters, newlines, direction marks and lone surrogates as escapes.

    >>> printable("red \x1b[31m")
    'red \\x1b[31m'
    """
    string = str(text)
    if string.isprintable():
        return string
    return "".join([char if char.isprintable() else _escape(char) for char in string])


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
