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

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class Answers(dict[tuple[Any, ...], bool]):
    """Questions with their answers, in order.

    Attributes:
        among: The conditions that the answers were last recorded among.
    """

    among: object = None


_NOTED: ContextVar[Answers | None] = ContextVar("answers", default=None)


def noted(ask: Callable[..., bool], *question: Any) -> bool:
    """Returns the answer to a question, and notes both for whoever remembers what follows from them."""
    answer = ask(*question)
    answers = _NOTED.get()
    if answers is not None:
        answers[ask, *question] = answer
    return answer


@contextmanager
def noting(among: object = None) -> Iterator[Answers]:
    """Notes what is decided inside, in order: also for those who note around it. `among` are the conditions that are
    being recorded."""
    answers = Answers()
    answers.among = among
    around = _NOTED.get()
    token = _NOTED.set(answers)
    try:
        yield answers
    finally:
        _NOTED.reset(token)
        if around is not None:
            around.update(answers)


def same_again(answers: Answers, among: object = None) -> bool:
    """Returns whether everything is decided again as it was. Asking records the conditions; what is recorded `among`
    these conditions already, and follows from them, is not asked again."""
    if among is None or answers.among is not among:
        same = all(noted(*asked) == answer for asked, answer in answers.items())
        answers.among = among if same else None
        return same
    around = _NOTED.get()
    if around is not None:
        around.update(answers)
    return True
