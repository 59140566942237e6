"""Python's garbage collector at rest: while formulas are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_collecting() -> Iterator[None]:
    """Leaves garbage in circles where it is for a while.

    A traced report makes some hundred thousand dictionaries that all stay to its end. Python looks through all of them
    again and again for circles to free, which is a quarter of the time, and finds a few megabytes.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
