"""Answers: what was decided of sizes while something was computed, for whoever remembers the result.

A result that a decision on symbols led to holds only where the same is decided again, and whoever uses it has to state
the same conditions. So its answers are remembered with it, and asked for again (`decisions.py` decides):

    with noting() as answers:
        result = compute()
    ...
    if same_again(answers):  # states the conditions, as computing would
        return result
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_NOTED: ContextVar[dict[tuple[Any, ...], bool] | None] = ContextVar("answers", default=None)


def noted(ask: Callable[..., bool], *question: Any) -> bool:
    """Returns the answer to a question, and notes both for whoever remembers what follows from them."""
    answer = ask(*question)
    answers = _NOTED.get()
    if answers is not None:
        answers[ask, *question] = answer
    return answer


@contextmanager
def noting() -> Iterator[dict[tuple[Any, ...], bool]]:
    """Notes what is decided inside, in order: also for those who note around it."""
    answers: dict[tuple[Any, ...], bool] = {}
    around = _NOTED.get()
    token = _NOTED.set(answers)
    try:
        yield answers
    finally:
        _NOTED.reset(token)
        if around is not None:
            around.update(answers)


def same_again(answers: Mapping[tuple[Any, ...], bool]) -> bool:
    """Returns whether everything is decided again as it was. Asking records the conditions."""
    return all(noted(*asked) == answer for asked, answer in answers.items())
