"""Which names a glob matches, however long it is beside them."""

from __future__ import annotations

import pytest

from graphacct.graph.globs import Names, matching, names_single
from graphacct.graph.places import TOP


def known(*names: str) -> Names:
    return {name: [TOP] for name in names}


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("head.fc", ["head.fc"]),
        ("*" * 200 + "head" + "*" * 200 + ".fc", ["head.fc"]),
        ("[h]" * 3 + "*", []),
        ("[abcdefghijklmnopqrstuvwxyz]ead.fc", ["head.fc"]),
        ("???????", ["head.fc"]),
        ("????????", []),
        ("head.fc" + "x" * 1_000_000, []),
    ],
)
def test_a_glob_that_is_longer_than_a_name(glob: str, found: list[str]) -> None:
    """A `*` may be nothing, and what is in brackets is one character; all else is as long as it looks."""
    assert matching(glob, known("head.fc", "tail")) == found
    assert not names_single(glob, known("head.fc", "tail"))
