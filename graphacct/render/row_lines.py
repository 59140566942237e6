"""Rows as lines of text: through pyarrow if it is there and they are many, which takes a tenth of the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

MANY = 4096
"""Rows from which on importing pyarrow pays."""


def lines(columns: Sequence[Any], between: Sequence[str]) -> bytes:
    """Returns a line a row: the first text, the first column's value, the second text, and so on to the last text.

    Args:
        columns: The values of each column: an array of integers of 64 bits, or a list of texts and numbers.
        between: The texts around them, one more.
    """
    if len(columns[0]) >= MANY:
        try:
            return _by_arrow(columns, between)
        except ImportError:
            pass
    template = "%s".join(text.replace("%", "%%") for text in between)
    listed = [column if isinstance(column, list) else column.tolist() for column in columns]
    return "".join([template % row for row in zip(*listed, strict=True)]).encode()


def _by_arrow(columns: Sequence[Any], between: Sequence[str]) -> bytes:
    import pyarrow
    from pyarrow import compute

    parts: list[Any] = []
    for text, column in zip(between, columns, strict=False):
        typed = [str(value) for value in column] if isinstance(column, list) else column
        texts = pyarrow.array(typed).cast(pyarrow.large_string())
        parts += [pyarrow.scalar(text, pyarrow.large_string()), texts]
    parts.append(pyarrow.scalar(between[-1], pyarrow.large_string()))
    rows = compute.binary_join_element_wise(*parts, pyarrow.scalar("", pyarrow.large_string()))
    data: Any = rows.buffers()[2]
    return bytes(data)
