"""Many small cases as one test: all of them run, and each that fails is named and shown.

A test of its own costs pytest some milliseconds: to collect it in each worker, to run it and to report it. That is more
than hundreds of these take. What is slow, or needs a fixture, or may be skipped is parametrised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

ParameterSet = type(pytest.param())
"""What `pytest.param` returns: values with a name."""


def each(names: str, cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Makes one test of a function and its cases, given as to `pytest.mark.parametrize`: `each("name", OPERATORS)`."""
    words = [word.strip() for word in names.split(",")]

    def decorate(test: Callable[..., None]) -> Callable[[], None]:
        def whole() -> None:
            failed, known = [], list(cases)
            for case in known:
                named = isinstance(case, ParameterSet)
                assert not (named and case.marks), "a case with marks is a test of its own"
                values = case.values if named else case if len(words) > 1 else (case,)
                given = dict(zip(words, values, strict=True))
                try:
                    test(**given)
                except Exception as error:
                    error.add_note(f"the case is {given}")
                    failed.append(error)
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(known)} cases fail", failed)
            assert known, "there is no case"

        whole.__name__, whole.__doc__, whole.__module__ = test.__name__, test.__doc__, test.__module__
        return whole

    return decorate
