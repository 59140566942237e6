"""The nouns of a capture: storages, tensors and the calls of aten operators that a module makes when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

FORWARD, RECOMPUTE, BACKWARD = "forward", "recompute", "backward"
PARAMETER, BUFFER, INPUT, CONSTANT, ACTIVATION = "parameter", "buffer", "input", "constant", "activation"
GRADIENT = "gradient"


@attrs.define(eq=False, slots=True)
class StorageRecord:
    """A piece of memory that tensors share.

    Attributes:
        index: Its number, in the order in which storages are met.
        bytes: Its size.
        kind: What it holds: a parameter, a buffer, an input, a constant that the module's code has, the gradient of a
            parameter that was there before the step, or an activation, which a call made.
        born: The position of the call that made it; -1 if none did.
        died: The position of the last call with which it was alive; None if it was alive at the end.
    """

    index: int
    bytes: Any
    kind: str
    born: int = -1
    died: int | None = None


@attrs.frozen(eq=False, slots=True)
class TensorRecord:
    """A tensor that a call reads or makes. It is one Python object, so that writing into it makes no other.

    Attributes:
        index: Its number.
        storage: Where its elements are.
        shape: Its dimensions.
        dtype: Its dtype, as graphacct names it.
        strides: The elements to step in each dimension.
        offset: Its first element in the storage.
        name: The path of the parameter or buffer, or the name of the input, that it is; empty for all else.
    """

    index: int
    storage: StorageRecord
    shape: tuple[Any, ...]
    dtype: str
    strides: tuple[Any, ...]
    offset: Any
    name: str = ""


@attrs.frozen(slots=True)
class VisitRecord:
    """A run of a module's forward.

    Attributes:
        scope: The module's path.
        caller: The number of the run that called it.
    """

    scope: str
    caller: int


@attrs.frozen(eq=False, slots=True)
class CallRecord:
    """One call of an aten operator.

    Attributes:
        position: Its place in the order in which calls ran.
        func: The operator, an OpOverload.
        args: Its positional arguments, with records in place of tensors.
        kwargs: Its keyword arguments, likewise.
        outputs: The tensors that it returned; one that it wrote into is the operand itself.
        scope: The path of the innermost module that was running.
        visit: The number of the run of that module's forward, so that two runs of one module are told apart.
        graded: The numbers of the operands that need a gradient when the call is made.
        operands: The tensors among the arguments, in order.
        leaves: Those of them that are variables of their own and no parameter or input: `torch.zeros(3,
            requires_grad=True)`, `x.detach().requires_grad_()`.
        grads: Whether operations are recorded for a backward pass, as they are not within `torch.no_grad()` nor within
            the forward function of a `torch.autograd.Function`.
        run: `forward`, `backward`, or `recompute` for a forward call that the backward pass makes again.
        line: The line of the user's code that made it, as `model.py:12`; empty unless asked for.
        nodes: How many nodes of autograd's graph there were before it ran, the one that it makes included; the calls
            of one autograd.Function all have the number of its node.
        region: The call of torch.utils.checkpoint that it ran under in the forward pass, numbered from 1; 0 for none.
        into_view: Whether it writes into its first operand, and that is a view to autograd.
        gradient_of: In the backward pass, that number of the forward calls whose gradient it computes; -1 if none.
    """

    position: int
    func: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[TensorRecord, ...]
    scope: str
    visit: int
    run: str
    line: str = ""
    nodes: int = -1
    gradient_of: int = -1
    graded: frozenset[int] = frozenset()
    leaves: frozenset[int] = frozenset()
    grads: bool = True
    region: int = 0
    into_view: bool = False
    operands: tuple[TensorRecord, ...] = attrs.field()

    @property
    def name(self) -> str:
        """The operator's name, such as `aten.mul.Tensor`."""
        return str(self.func)

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments by the names that the operator's schema gives them, defaults included."""
        named: dict[str, Any] = {}
        for index, formal in enumerate(self.func._schema.arguments):
            if index < len(self.args):
                named[formal.name] = self.args[index]
            elif formal.name in self.kwargs:
                named[formal.name] = self.kwargs[formal.name]
            else:
                named[formal.name] = formal.default_value if formal.has_default_value() else None
        return named

    @operands.default
    def _operands(self) -> tuple[TensorRecord, ...]:
        return tuple(leaf for leaf in leaves((self.args, self.kwargs)) if isinstance(leaf, TensorRecord))

    @property
    def written(self) -> TensorRecord | None:
        """The operand that an operator in place writes into; None for any other operator."""
        formal = self.func._schema.arguments
        if not formal or not writes(formal[0]):
            return None
        found = self.args[0] if self.args else self.kwargs[formal[0].name]
        return found if isinstance(found, TensorRecord) and found in self.outputs else None


def writes(formal: Any) -> bool:
    """Whether an operator writes into the argument, by its schema."""
    return formal.alias_info is not None and formal.alias_info.is_write


@attrs.frozen(eq=False, slots=True)
class WholeRecord:
    """One call of a function that is one operator, and made several calls: one of the user's whose cost is stated, or
    one of torch's.

    Attributes:
        first: The position of its first call.
        last: The position of its last.
        stated: Its cost, a StatedCost, or the name of torch's function.
        arguments: Its arguments by name, with records in place of tensors.
        outputs: The tensors that it returned.
    """

    first: int
    last: int
    stated: Any
    arguments: Mapping[str, Any]
    outputs: tuple[TensorRecord, ...]

    @property
    def operands(self) -> tuple[TensorRecord, ...]:
        """The tensors among its arguments, also those that none of its calls read."""
        return tuple(leaf for leaf in leaves(list(self.arguments.values())) if isinstance(leaf, TensorRecord))


def leaves(tree: Any) -> list[Any]:
    """Returns what nested tuples, lists and dictionaries hold, in order."""
    found: list[Any] = []
    _gather(tree, found)
    return found


def _gather(tree: Any, found: list[Any]) -> None:
    if isinstance(tree, (tuple, list)):
        for part in tree:
            _gather(part, found)
    elif isinstance(tree, dict):
        for part in tree.values():
            _gather(part, found)
    else:
        found.append(tree)


@attrs.frozen(eq=False, slots=True)
class SavedRecord:
    """A tensor that a forward call saves for its backward pass.

    Attributes:
        position: The position of the call.
        tensor: The tensor.
        entering: Whether it enters a region of torch.utils.checkpoint, which runs again from it; then the call is the
            first of the region.
    """

    position: int
    tensor: TensorRecord
    entering: bool = False
