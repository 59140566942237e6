"""Names made harmless for a terminal: what cannot be printed is shown as its escape."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""`text` on one line, with control characters, newlines, direction marks and lone surrogates written as escapes.

    >>> printable("red \x1b[31m")
    'red \\x1b[31m'
    """
    string = str(text)
    if string.isprintable():
        return string
    return "".join([char if char.isprintable() else _escape(char) for char in string])


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
