"""Capture: a module runs on fake tensors, and every aten operator that it calls is recorded.

A dispatch mode below autograd sees the operators that really run, hooks on modules say whose they are, and the deaths
of storages are recorded as they happen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch

from graphacct import brief
from graphacct_torch.building.fakes import Faked
from graphacct_torch.building.reasons import reason
from graphacct_torch.calls import (
    TensorRecord,
)
from graphacct_torch.captured import Captured
from graphacct_torch.capturing.checkpoint import following
from graphacct_torch.capturing.composed import composing
from graphacct_torch.capturing.lists import numbers_in_lists
from graphacct_torch.capturing.packing import padding
from graphacct_torch.capturing.recorder import Recorder
from graphacct_torch.capturing.saving import Saving
from graphacct_torch.capturing.surroundings import surroundings
from graphacct_torch.capturing.tensors_in import tensors_in
from graphacct_torch.errors import CaptureError
from graphacct_torch.stated import RECORDING

LOSS = "loss"
"""The scope of what is computed after the module, for a training step."""


def capture(
    fake: Faked,
    loss: Callable[[Any], torch.Tensor | Sequence[torch.Tensor]] | None = None,
    lines: bool = False,
    *,
    backward: bool = True,
    saving: bool = False,
    accumulated: bool = False,
    grads: bool = True,
) -> Captured:
    """Returns what a module does in a forward pass; with a `loss` of its outputs, in a training step.

    Args:
        fake: The module and its inputs.
        loss: Returns the tensor that the backward pass starts from, or several.
        lines: Whether calls say which line of the user's code made them.
        backward: Whether there is a backward pass after the loss.
        saving: Whether to record what the forward pass saves for it.
        accumulated: Whether the parameters have gradients from an earlier step.
        grads: Whether operations are recorded for a backward pass at all.

    Raises CaptureError, which names the module that was running and the line, if it does not run.
    """
    starts: tuple[TensorRecord, ...] = ()
    with fake.mode:
        if accumulated:
            for parameter in fake.module.parameters():
                parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
        recorder = Recorder(fake, lines)
    keeping = Saving(recorder)
    with contextlib.ExitStack() as stack:
        stack.enter_context(fake.mode)
        stack.enter_context(surroundings())
        if not grads:
            stack.enter_context(torch.no_grad())
        stack.enter_context(numbers_in_lists())
        stack.enter_context(padding())
        stack.enter_context(following(recorder))
        stack.enter_context(composing(recorder))
        stack.enter_context(recorder.watching())
        if saving:
            stack.enter_context(keeping)
        stack.enter_context(recorder)
        token = RECORDING.set(recorder)
        try:
            returned = fake.module(*fake.args, **fake.kwargs)
            results = list(tensors_in(returned))
            if not results:
                raise CaptureError(
                    f"module {type(fake.module).__name__!r} returns {brief(returned)}, in which there is no tensor"
                )
            outputs = tuple(map(recorder.record, results))
            graded = frozenset(recorder.record(leaf).index for leaf in results if leaf.requires_grad)
            del results
            if loss is not None:
                with recorder.inside(LOSS):
                    value = loss(returned)
                if isinstance(value, torch.Tensor) or (len(value) == 1 and value[0].dim() == 0):
                    del returned  # a loss is all that a step goes on with; without one it has the outputs
                value = [value] if isinstance(value, torch.Tensor) else list(value)
                starts = tuple(recorder.record(start) for start in value)
                graded |= frozenset(start.index for start in starts)
                if backward and value:
                    recorder.training = True
                    torch.autograd.backward(value, [torch.ones_like(start) for start in value])
        except CaptureError:
            raise
        except (Exception, SystemExit) as error:
            raise reason(recorder.where_of(error), error) from error
        finally:
            RECORDING.reset(token)
    recorder.ended = True
    named = list(fake.module.named_parameters(remove_duplicate=False))
    gradients = {name: recorder.record(p.grad) for name, p in named if p.grad is not None}
    frozen = frozenset(name for name, parameter in named if not parameter.requires_grad)
    return Captured(
        tuple(recorder.calls),
        recorder.inputs,
        outputs,
        recorder.tensors,
        frozen,
        starts,
        tuple(keeping.saved),
        gradients,
        tuple(recorder.wholes),
        graded,
        recorder.visits,
        recorder.trained_inputs,
        recorder.decided,
    )
