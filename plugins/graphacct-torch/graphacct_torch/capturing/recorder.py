"""The recorder: it writes down each aten operator that a running module calls, and when storages die."""

from __future__ import annotations

import contextlib
import itertools
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only

from graphacct_torch.building.fakes import Faked
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
    VisitRecord,
    WholeRecord,
)
from graphacct_torch.capturing.arguments import argument_names
from graphacct_torch.capturing.autograd import DETACH, gradient_node, nodes_so_far
from graphacct_torch.capturing.kernels import KERNELS, without_data
from graphacct_torch.capturing.module_paths import path_taken, paths_of
from graphacct_torch.capturing.packing import PACK, packed
from graphacct_torch.capturing.shadows import Shadows
from graphacct_torch.capturing.values import Values
from graphacct_torch.errors import CaptureError, user_line
from graphacct_torch.stated import StatedCost

DTYPES = {value: str(value).removeprefix("torch.") for value in vars(torch).values() if isinstance(value, torch.dtype)}
WHICH_DEVICE = torch.ops.prim.device.default
RESHAPING = frozenset(
    getattr(packet, overload)
    for packet in (
        torch.ops.aten.as_strided_,
        torch.ops.aten.squeeze_,
        torch.ops.aten.t_,
        torch.ops.aten.transpose_,
        torch.ops.aten.unsqueeze_,
    )
    for overload in packet.overloads()
)
"""Operators that make a tensor a view of itself: afterwards the same object has another shape or other strides."""


class Recorder(TorchDispatchMode):
    """Records each call of an aten operator.

    Attributes:
        calls: The calls so far.
        inputs: The inputs.
        tensors: The parameters and buffers by their paths.
        training: Whether the backward pass has begun.
        region: The call of torch.utils.checkpoint under which the module runs, 0 for none.
        ended: Whether all has run: what dies from now on was alive at the end.
    """

    def __init__(self, fake: Faked, lines: bool) -> None:
        super().__init__()
        self.calls: list[CallRecord] = []
        self.wholes: list[WholeRecord] = []
        self.training = False
        self.region = 0
        self.ended = False
        self._lines = lines
        self._fake = fake
        self._values = Values(fake.real, Shadows(fake.sizes, fake.data, fake.within) if fake.within else None)
        self._module = fake.module
        self._running: list[tuple[str, int]] = [("", 0)]
        self._numbers = itertools.count(1)
        self._runs: Counter[tuple[int, str]] = Counter()  # of each module within a run of another
        self.visits: dict[int, VisitRecord] = {}
        self._records: dict[int, tuple[weakref.ref[torch.Tensor], TensorRecord]] = {}
        self._storages: dict[int, tuple[StorageRecord, weakref.ref[torch.UntypedStorage]]] = {}
        self._left = 0, ""
        self._operands: list[torch.Tensor] = []
        self._met_now: list[TensorRecord] = []
        self._tensors = itertools.count()
        self._met = itertools.count()
        named = [(name, p, PARAMETER) for name, p in fake.module.named_parameters(remove_duplicate=False)]
        named += [(name, b, BUFFER) for name, b in fake.module.named_buffers(remove_duplicate=False)]
        self.tensors = {name: self.record(tensor, kind, name) for name, tensor, kind in named}
        for name, parameter in fake.module.named_parameters():
            if parameter.grad is not None:
                self.record(parameter.grad, GRADIENT, name)
        given = zip(argument_names(fake.module, len(fake.args)), fake.args, strict=True)
        named_inputs = [
            (name if index == 0 else f"{name}_{index}", leaf)
            for name, arg in [*given, *fake.kwargs.items()]
            for index, leaf in enumerate(leaf for leaf in tree_leaves(arg) if isinstance(leaf, torch.Tensor))
        ]
        self.inputs = tuple(self.record(leaf, INPUT, name) for name, leaf in named_inputs)
        self._given = [leaf for _, leaf in named_inputs]

    @property
    def trained_inputs(self) -> frozenset[str]:
        """The names of the inputs that need a gradient, because they were given so or the module's code asks for it."""
        given = zip(self.inputs, self._given, strict=True)
        return frozenset(record.name for record, tensor in given if tensor.requires_grad)

    @property
    def decided(self) -> tuple[str, ...]:
        """The lines of code that branched on data of tensors whose sizes are symbols."""
        return self._values.decided

    @property
    def where(self) -> str:
        """The path of the module that is running; the class of the whole one if it is that."""
        return self._running[-1][0] or type(self._module).__name__

    def where_of(self, error: BaseException) -> str:
        """The module that an error left first, as `where` names it."""
        raised, where = self._left
        return where if raised == id(error) else self.where

    def _enter(self, scope: str) -> None:
        number = next(self._numbers)
        if not self.training:
            self.visits[number] = VisitRecord(scope, self._running[-1][1])
        self._running.append((scope, number))

    @contextlib.contextmanager
    def inside(self, scope: str) -> Iterator[None]:
        """Records calls under a scope that is no module's."""
        self._enter(scope)
        try:
            yield
        finally:
            self._running.pop()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Follows which module runs."""
        handles = []
        for module, paths in paths_of(self._module).items():

            def enter(_module: nn.Module, _args: Any, paths: Sequence[str] = paths) -> None:
                scope, visit = self._running[-1]
                self._enter(path_taken(paths, scope, self._runs[visit, paths[0]]) if len(paths) > 1 else paths[0])
                self._runs[visit, paths[0]] += 1

            def leave(_module: nn.Module, _args: Any, _result: Any) -> None:
                error = sys.exc_info()[1]  # the hook runs in any case
                if error is not None and self._left[0] != id(error):
                    self._left = id(error), self.where  # the error itself would keep tensors alive
                self._running.pop()

            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave, always_call=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def whole(
        self,
        target: Callable[..., Any],
        stated: StatedCost | str,
        named: dict[str, Any],
        args: Any,
        kwargs: Any,
        fake: Any,
    ) -> Any:
        """Runs a function that is one operator, and notes which calls it made; `fake` runs in its place if given."""
        first = len(self.calls)
        arguments = tree_map_only(torch.Tensor, self.record, named)
        returned = target(*args, **kwargs) if fake is None else without_data(fake, args, kwargs)
        outputs = tuple(self.record(leaf) for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor))
        if fake is not None and len(self.calls) == first:
            of = stated if isinstance(stated, str) else stated.of
            raise CaptureError(
                f"the fake of {of}, which module {self.where!r} calls, makes no tensor, so that its cost has no place: "
                "let it return new tensors (torch.empty_like), also for a kernel that writes in place"
            )
        if len(self.calls) > first:
            self.wholes.append(WholeRecord(first, len(self.calls) - 1, stated, arguments, outputs))
        return returned

    def record(self, tensor: torch.Tensor, kind: str = CONSTANT, name: str = "") -> TensorRecord:
        """Returns the record of a tensor, a new one if it has none yet; `kind` is that of its storage if it is new."""
        known = self._records.get(id(tensor))
        if known is not None and known[0]() is tensor:
            return known[1]
        dtype = DTYPES.get(tensor.dtype) or str(tensor.dtype).removeprefix("torch.")
        found = TensorRecord(
            next(self._tensors),
            self._storage(tensor, kind),
            tuple(tensor.shape),
            dtype,
            tensor.stride(),
            tensor.storage_offset(),
            name,
        )
        self._records[id(tensor)] = (weakref.ref(tensor), found)
        return found

    def without_history(self, tensor: torch.Tensor, record: TensorRecord) -> torch.Tensor:
        """Returns a tensor of the same record without the node that made it. Held by that node itself, as a saved
        result is by a hook's doing and never by torch's own, it would keep the node alive, and all that it saves, after
        everything else has let go of them."""
        with _disable_current_modes():
            found = tensor.detach()
        self._records[id(found)] = (weakref.ref(found), record)
        return found

    def _storage(self, tensor: torch.Tensor, kind: str) -> StorageRecord:
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._storages.get(key)
        if known is not None:
            return known[0]
        if kind == CONSTANT and isinstance(tensor, FakeTensor) and id(tensor) not in self._fake.made:
            raise CaptureError(
                f"module {self.where!r} reads a tensor that was made in another thread: graphacct "
                "follows the one in which the module is called"
            )
        found = StorageRecord(next(self._met), storage.nbytes(), kind, len(self.calls) if kind == ACTIVATION else -1)

        def died(_reference: object) -> None:
            if not self.ended:
                found.died = len(self.calls) - 1
            if self._storages[key][0] is found:
                del self._storages[key]  # torch may give its address to another

        self._storages[key] = found, weakref.ref(storage, died)
        return found

    def _is_leaf(self, tensor: torch.Tensor, record: TensorRecord) -> bool:
        """Whether a tensor that needs a gradient is a variable of its own and no parameter or input."""
        return not record.name and tensor.is_leaf and record.storage.kind != GRADIENT

    def _shown(self, tree: Any) -> Any:
        """Returns arguments with records in place of tensors; both are gathered, in `_operands` and `_met_now`.

        A walk of its own: torch's over trees of any kind takes as long as all else that is done here.
        """
        if isinstance(tree, torch.Tensor):
            found = self.record(tree)
            self._operands.append(tree)
            self._met_now.append(found)
            return found
        kind = type(tree)
        if kind is list or kind is tuple or kind is torch.Size:
            return [self._shown(part) for part in tree] if kind is list else tuple([self._shown(part) for part in tree])
        return tree

    def _of_numbers(self, func: Any, types: Any, args: Any, given: Mapping[str, Any]) -> Any:
        """Runs an operator of tensors on numbers alone, `torch.div(7, 2)`, of which torch makes tensors first."""

        def tensor(number: Any) -> Any:
            dtype = {bool: torch.bool, int: torch.int64, float: torch.get_default_dtype()}[type(number)]
            return self.__torch_dispatch__(torch.ops.aten.scalar_tensor.default, types, (number,), {"dtype": dtype})

        made = [
            tensor(arg) if isinstance(formal.type, torch.TensorType) and type(arg) in (bool, int, float) else arg
            for formal, arg in zip(func._schema.arguments, args, strict=False)
        ]
        return self.__torch_dispatch__(func, types, tuple(made), given)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        given = kwargs or {}
        if func is WHICH_DEVICE or func.namespace == "profiler":
            return func(*args, **given)
        operands: list[torch.Tensor] = []
        met: list[TensorRecord] = []
        self._operands, self._met_now = operands, met
        shown = self._shown(args)
        named = {name: self._shown(argument) for name, argument in given.items()}
        if any(tensor.is_meta for tensor in operands if type(tensor) is not FakeTensor):  # a closure's, without data
            args, given = tree_map_only(torch.Tensor, self._fake.stand_in, (args, given))
            return self.__torch_dispatch__(func, types, args, given)
        self._operands, self._met_now = [], []  # which keeps no tensor alive
        if not operands and any(isinstance(formal.type, torch.TensorType) for formal in func._schema.arguments):
            return self._of_numbers(func, types, args, given)
        graded = frozenset([one.index for tensor, one in zip(operands, met, strict=True) if tensor.requires_grad])
        leaves: frozenset[int] = frozenset()
        if graded and not self.training and torch.is_grad_enabled():
            pairs = zip(operands, met, strict=True)
            leaves = frozenset(
                [one.index for tensor, one in pairs if tensor.requires_grad and self._is_leaf(tensor, one)]
            )
        kernel = KERNELS.get(func)
        if func is PACK:
            out = packed(self.where, args[0], self._values.of(args[1]), args[2])
        else:
            out = self._values.call(func, args, given, operands) if kernel is None else kernel(*args, **given)
        if func in RESHAPING:
            del self._records[id(out)]
        if isinstance(out, torch.Tensor):
            made: tuple[TensorRecord, ...] = (self.record(out, ACTIVATION),)
        else:
            made = tuple(self.record(leaf, ACTIVATION) for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor))
        grads = torch.is_grad_enabled()
        gradient_of, run = -1, FORWARD
        if self.training:
            if func is DETACH:  # autograd's own; a view, which nothing has to run for
                return out
            gradient_of = gradient_node()
            inside = grads or len(self._running) > 1  # a checkpoint in another one has no gradients
            run = RECOMPUTE if inside and torch._C._current_autograd_node() is not None else BACKWARD
        scope, visit = self._running[-1]
        line = user_line() if self._lines else ""
        position, nodes = len(self.calls), nodes_so_far()
        called = (position, func, shown, named, made, scope, visit, run, line)
        into_view = bool(operands) and func._schema.is_mutable and operands[0]._is_view()
        of_autograd = (nodes, gradient_of, graded, leaves, grads, self.region, into_view)
        self.calls.append(CallRecord(*called, *of_autograd, operands=tuple(met)))
        return out
