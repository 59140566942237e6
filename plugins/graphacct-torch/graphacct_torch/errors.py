"""The error of a module that cannot be accounted for; it names the module, the line and the way out."""

from __future__ import annotations

import importlib
import os
import traceback

import torch

import graphacct
from graphacct import GraphacctError

NOT_USERS = tuple(
    os.path.dirname(os.path.abspath(file)) + os.sep
    for file in (__file__, graphacct.__file__, torch.__file__, importlib.__file__)
)
"""The folders of code that is not the user's: ours, graphacct's, torch's, and what imports modules."""


class CaptureError(GraphacctError):
    """A module that does not run on tensors without data, or an operator of it that nothing maps."""


class UnmappedError(CaptureError):
    """An operator that nothing maps. `example` are the lines that give it a cost, to be pasted."""

    def __init__(self, message: str, example: str = "") -> None:
        super().__init__(message)
        self.example = example
        self.add_note("\n" + example)


def user_line(frames: traceback.StackSummary | None = None) -> str:
    """Returns `file.py:12` of the innermost frame that is neither torch's nor ours; empty if there is none.

    `frames` are those of an exception; without them, of the place that is running.
    """
    for frame in reversed(frames or traceback.extract_stack()):
        if not frame.filename.startswith("<") and not os.path.abspath(frame.filename).startswith(NOT_USERS):
            return f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return ""


def lines_of(error: BaseException) -> str:
    """Returns the place in the user's code where an exception was raised, as ` (model.py:12)`; empty if unknown."""
    place = user_line(traceback.extract_tb(error.__traceback__))
    return f" ({place})" if place else ""


def first_line(error: BaseException) -> str:
    """Returns an exception's kind and the first line of its message; with the next where the first announces it."""
    message, _, rest = str(error).strip().partition("\n")
    if message.endswith(":"):
        message = f"{message} {rest.strip().partition(chr(10))[0].strip()}"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
