"""The protocols with which a profile's functions record the kernels that an operator runs as.

The functions of `Profile.expand` get an `Expansion`, those of `Profile.backward` a `Recorder`. Both are protocols: the
schedule and the backward pass have classes that fit them, and a test of a profile may have its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from graphacct.errors import OperatorError
from graphacct.execution.kernels import KernelCall, Tensor
from graphacct.tensors import TensorSpec

OperandGradients: TypeAlias = Tensor | tuple[Tensor | None, ...] | None
"""What a rule returns: the gradient of each operand, None for an operand without one; alone if there is one operand."""
ExpandRule: TypeAlias = Callable[..., Tensor | tuple[Tensor, ...]]
"""`(trace: Expansion, *operands: Tensor, **attributes)` to the operator's output, or to the tuple of its outputs."""
BackwardRule: TypeAlias = Callable[..., OperandGradients]
"""`(trace: Recorder, g: Tensor, *operands: Tensor, **attributes)` to the operands' gradients. For an operator with
several outputs g is the tuple of their gradients, None for an output that got none."""

WriteOutRule: TypeAlias = Callable[..., Tensor]
"""`(trace: Expansion | Recorder, weight: Tensor, stored: StoredWeight, backward: bool)` to the copy of a stored weight,
of its shape and dtype. `backward` says in which pass the kernels run."""


class Expansion(Protocol):
    """Records the kernels that an operator runs as in the forward pass."""

    def apply(self, operator: str, *operands: Tensor, **attributes: Any) -> Tensor:
        """Records one kernel and returns its output.

        Raises UnknownNameError for an operator that is neither registered nor one of the profile's kernels,
        OperatorError for one with several outputs.
        """
        ...

    def apply_several(self, operator: str, *operands: Tensor, **attributes: Any) -> tuple[Tensor, ...]:
        """Records one kernel and returns its outputs."""
        ...

    def hold(self, *tensors: Tensor) -> None:
        """Keeps tensors alive until the operator's last kernel has run, as a function's variables do."""
        ...


class Recorder(Protocol):
    """Records the kernels that compute the gradients of one kernel call of the forward pass.

    Attributes:
        call: The call of the forward pass.
        wanted: For each operand, whether its gradient is computed.
        outputs: What the call made in the forward pass.
    """

    @property
    def call(self) -> KernelCall: ...

    @property
    def wanted(self) -> tuple[bool, ...]: ...

    @property
    def outputs(self) -> tuple[Tensor, ...]: ...

    def saved(self, name: str) -> tuple[Tensor, ...]:
        """Returns what the call saved under this name (`Saved.name`); nothing if it did not save it."""
        ...

    def new(self, like: TensorSpec | Tensor, *, reads: Sequence[Tensor] | None = None) -> Tensor:
        """Records one kernel and returns the tensor that it makes, of the shape and dtype of `like`.

        A tensor's likeness is contiguous; a spec is taken with its strides. `reads` are the kernel's operands: unless
        given, the gradients that arrived and everything that the call saved.
        """
        ...

    def new_several(self, *like: TensorSpec | Tensor, reads: Sequence[Tensor] | None = None) -> tuple[Tensor, ...]:
        """Records one kernel and returns the tensors that it makes; no kernel if there are none to make."""
        ...

    def apply(self, operator: str, *operands: Tensor, **attributes: Any) -> Tensor:
        """Records a registered operator's kernel, or none if it makes a view, and returns its output."""
        ...

    def view(self, tensor: Tensor, spec: TensorSpec) -> Tensor:
        """Returns the tensor's storage under another spec: a view, which takes no kernel."""
        ...

    def expand(self, tensor: Tensor, like: Tensor) -> Tensor:
        """Returns the tensor repeated to the shape of `like`: a view."""
        ...

    def add(self, old: Tensor, new: Tensor) -> Tensor:
        """Records the sum of two gradients and returns it: `old` itself if it can take the sum in place."""
        ...

    def hold(self, *tensors: Tensor) -> None:
        """Keeps tensors alive until the rule's last kernel, as temporaries of one expression are."""
        ...

    def release(self, *released: Tensor | str) -> None:
        """Frees arrived gradients, or saved tensors by their names, now and not when the rule has run.

        For an operator that the framework runs as several autograd nodes, each of which frees what it saved.
        """
        ...


def single(operator: str, outputs: tuple[Tensor, ...]) -> Tensor:
    """Returns the only output; raises OperatorError if there are more."""
    if len(outputs) != 1:
        raise OperatorError(f"{operator!r} has {len(outputs)} outputs: record it with apply_several")
    return outputs[0]
