"""Capture: a module runs on fake tensors, and every aten operator that it calls is recorded.

A dispatch mode below autograd sees the operators that really run, hooks on modules say whose they are, and the deaths
of storages are recorded as they happen.
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from graphacct_torch.autograd import DETACH, SavedRecord, Saving, gradient_node, nodes_so_far
from graphacct_torch.calls import (
    ACTIVATION,
    BACKWARD,
    BUFFER,
    CONSTANT,
    FORWARD,
    GRADIENT,
    INPUT,
    PARAMETER,
    RECOMPUTE,
    CallRecord,
    StorageRecord,
    TensorRecord,
)
from graphacct_torch.errors import CaptureError, first_line, lines_of, user_line
from graphacct_torch.fakes import Faked
from graphacct_torch.kernels import KERNELS
from graphacct_torch.values import Values

LOSS = "loss"
"""The scope of what is computed after the module, for a training step."""
WHICH_DEVICE = torch.ops.prim.device.default


@attrs.frozen(eq=False)
class Captured:
    """What a module did when it ran.

    Attributes:
        calls: The calls, in order.
        inputs: The inputs that it was given, in order.
        outputs: The tensors that it returned, in order.
        tensors: The parameters and buffers by their paths, all names of a tied one included.
        frozen: The parameters that the module does not train, by path.
        starts: The tensors that the backward pass starts from.
        saved: What the forward pass saved for it, if that was asked for.
        gradients: The parameters' gradients at the end, by path.
    """

    calls: tuple[CallRecord, ...]
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    tensors: Mapping[str, TensorRecord]
    frozen: frozenset[str] = frozenset()
    starts: tuple[TensorRecord, ...] = ()
    saved: tuple[SavedRecord, ...] = ()
    gradients: Mapping[str, TensorRecord] = attrs.field(factory=dict)


def capture(
    fake: Faked,
    loss: Callable[[Any], torch.Tensor | Sequence[torch.Tensor]] | None = None,
    lines: bool = False,
    *,
    backward: bool = True,
    saving: bool = False,
    accumulated: bool = False,
) -> Captured:
    """Returns what a module does in a forward pass; with a `loss` of its outputs, in a training step.

    Args:
        fake: The module and its inputs.
        loss: Returns the tensor that the backward pass starts from, or several.
        lines: Whether calls say which line of the user's code made them.
        backward: Whether there is a backward pass after the loss.
        saving: Whether to record what the forward pass saves for it.
        accumulated: Whether the parameters have gradients from an earlier step.

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
        stack.enter_context(_eager())
        stack.enter_context(recorder.watching())
        if saving:
            stack.enter_context(keeping)
        stack.enter_context(recorder)
        try:
            returned = fake.module(*fake.args, **fake.kwargs)
            outputs = tuple(recorder.record(leaf) for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor))
            if loss is not None:
                with recorder.inside(LOSS):
                    value = loss(returned)
                del returned
                value = [value] if isinstance(value, torch.Tensor) else list(value)
                starts = tuple(recorder.record(start) for start in value)
                if backward and value:
                    recorder.training = True
                    torch.autograd.backward(value, [torch.ones_like(start) for start in value])
        except CaptureError:
            raise
        except Exception as error:
            raise CaptureError(
                f"module {recorder.where!r} does not run on tensors without data: {first_line(error)}{lines_of(error)}"
            ) from error
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
    )


@contextlib.contextmanager
def _eager() -> Iterator[None]:
    """Turns off the paths that torch takes for inference alone, which no training step has."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class Recorder(TorchDispatchMode):
    """Records each call of an aten operator.

    Attributes:
        calls: The calls so far.
        inputs: The inputs.
        tensors: The parameters and buffers by their paths.
        training: Whether the backward pass has begun.
        ended: Whether all has run: what dies from now on was alive at the end.
    """

    def __init__(self, fake: Faked, lines: bool) -> None:
        super().__init__()
        self.calls: list[CallRecord] = []
        self.training = False
        self.ended = False
        self._lines = lines
        self._values = Values(fake.real)
        self._module = fake.module
        self._running: list[tuple[str, int]] = [("", 0)]
        self._visits = itertools.count(1)
        self._records: dict[int, tuple[weakref.ref[torch.Tensor], TensorRecord]] = {}
        self._storages: dict[int, StorageRecord] = {}
        self._tensors = itertools.count()
        self._met = itertools.count()
        named = [(name, p, PARAMETER) for name, p in fake.module.named_parameters(remove_duplicate=False)]
        named += [(name, b, BUFFER) for name, b in fake.module.named_buffers(remove_duplicate=False)]
        self.tensors = {name: self.record(tensor, kind, name) for name, tensor, kind in named}
        for name, parameter in fake.module.named_parameters():
            if parameter.grad is not None:
                self.record(parameter.grad, GRADIENT, name)
        given = [(f"input_{i}" if len(fake.args) > 1 else "input", arg) for i, arg in enumerate(fake.args)]
        self.inputs = tuple(
            self.record(leaf, INPUT, name if index == 0 else f"{name}_{index}")
            for name, arg in [*given, *fake.kwargs.items()]
            for index, leaf in enumerate(leaf for leaf in tree_leaves(arg) if isinstance(leaf, torch.Tensor))
        )

    @property
    def where(self) -> str:
        """The path of the module that is running; the class of the whole one if it is that."""
        return self._running[-1][0] or type(self._module).__name__

    @contextlib.contextmanager
    def inside(self, scope: str) -> Iterator[None]:
        """Records calls under a scope that is no module's."""
        self._running.append((scope, next(self._visits)))
        try:
            yield
        finally:
            self._running.pop()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Follows which module runs."""
        handles = []
        for name, module in self._module.named_modules():

            def enter(_module: nn.Module, _args: Any, name: str = name) -> None:
                self._running.append((name, next(self._visits)))

            def leave(_module: nn.Module, _args: Any, _result: Any) -> None:
                self._running.pop()

            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def record(self, tensor: torch.Tensor, kind: str = CONSTANT, name: str = "") -> TensorRecord:
        """Returns the record of a tensor, a new one if it has none yet; `kind` is that of its storage if it is new."""
        known = self._records.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        found = TensorRecord(
            next(self._tensors),
            self._storage(tensor, kind),
            tuple(tensor.shape),
            str(tensor.dtype).removeprefix("torch."),
            tuple(tensor.stride()),
            tensor.storage_offset(),
            name,
        )
        self._records[id(tensor)] = (weakref.ref(tensor), found)
        return found

    def _storage(self, tensor: torch.Tensor, kind: str) -> StorageRecord:
        storage = tensor.untyped_storage()
        key = storage._cdata
        found = self._storages.get(key)
        if found is None:
            born = len(self.calls) if kind == ACTIVATION else -1
            found = self._storages[key] = StorageRecord(next(self._met), storage.nbytes(), kind, born)
            weakref.finalize(storage, self._died, key, found).atexit = False
        return found

    def _died(self, key: int, storage: StorageRecord) -> None:
        if not self.ended:
            storage.died = len(self.calls) - 1
        if self._storages.get(key) is storage:
            del self._storages[key]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = kwargs or {}
        if func is WHICH_DEVICE:
            return func(*args, **given)
        shown, named = tree_map_only(torch.Tensor, self.record, (args, given))
        kernel = KERNELS.get(func)
        out = self._values.call(func, args, given) if kernel is None else kernel(*args, **given)
        made = tuple(self.record(leaf, ACTIVATION) for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor))
        gradient_of, run = -1, FORWARD
        if self.training:
            if func is DETACH:  # autograd's own; a view, which nothing has to run for
                return out
            gradient_of = gradient_node()
            again = torch.is_grad_enabled() and torch._C._current_autograd_node() is not None
            run = RECOMPUTE if again else BACKWARD
        scope, visit = self._running[-1]
        line = user_line() if self._lines else ""
        call = CallRecord(
            len(self.calls), func, shown, named, made, scope, visit, run, line, nodes_so_far(), gradient_of
        )
        self.calls.append(call)
        return out
