"""How many random examples a test has: a few in `make test`, the same ones every time, and many others in `make fuzz`.

`make test` has as many as it takes to find the faults that these tests once found; what is rarer is for `make fuzz`. A
test that says no number has those of the profiles in conftest.py.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings

MANY = os.environ.get("EXAMPLES") == "random"
TIMES = 50
"""How many times as many examples `make fuzz` has, unless a test says their number."""


def examples(few: int, many: int = 0, **others: Any) -> settings:
    """Returns the settings of a test with a `few` examples, or with `many`."""
    return settings(max_examples=(many or TIMES * few) if MANY else few, **others)
