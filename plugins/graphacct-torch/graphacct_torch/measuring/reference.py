"""A function of torch, run on tensors without data: what the contract of an operator is compared with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from graphacct import TensorSpec
from graphacct.testing import Reference
from graphacct_torch.errors import CaptureError, first_line

TORCH = "torch."


def measure(function: str | Callable[..., Any], operands: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> Any:
    """Returns what a function does for operands of these specs, forward and backward from the sum of its outputs: the
    outputs, the FLOPs that torch's counter sees, and the bytes of the storages that autograd keeps, each once.

    A path is called with the attributes as keywords. Raises CaptureError if the function does not run.
    """
    called = found(function) if isinstance(function, str) else function
    with FakeTensorMode(), _quiet():
        given = [_tensor(spec) for spec in operands]
        kept: dict[int, int] = {}
        forward, backward = (FlopCounterMode(display=False) for _ in range(2))
        try:
            with forward, _keeping(kept):
                result = called(*given, **attributes)
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            starts = [out.sum() for out in outputs if out.requires_grad]
            with backward:
                for start in starts:
                    start.backward(retain_graph=True)
        except Exception as error:
            shapes = ", ".join(str(tuple(spec.shape)) for spec in operands)
            raise CaptureError(
                f"{function if isinstance(function, str) else getattr(function, '__name__', function)} does not run on "
                f"{shapes}: "
                f"{first_line(error)}"
            ) from error
        return Reference(
            tuple(_spec(out) for out in outputs),
            forward.get_total_flops(),
            backward.get_total_flops() if starts else None,
            sum(kept.values()) if starts else None,
        )


def found(path: str) -> Callable[..., Any]:
    """Returns the function at a path such as `torch.nn.functional.softplus`. Raises CaptureError if there is none."""
    place: Any = torch
    for part in path.split(".")[1:]:
        place = getattr(place, part, None)
    if not callable(place):
        raise CaptureError(f"torch has no function {path}")
    result: Callable[..., Any] = place
    return result


def _tensor(spec: TensorSpec) -> torch.Tensor:
    dtype = getattr(torch, spec.dtype)
    floating = dtype.is_floating_point or dtype.is_complex
    return torch.empty(tuple(spec.shape), dtype=dtype, requires_grad=floating)


def _spec(tensor: torch.Tensor) -> TensorSpec:
    return TensorSpec(tuple(tensor.shape), str(tensor.dtype).removeprefix(TORCH))


@contextlib.contextmanager
def _keeping(kept: dict[int, int]) -> Iterator[None]:
    """Notes the storages that autograd keeps, with their bytes."""
    alive = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        alive.append(storage)  # a key is an address, which a dead storage's could be again
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Seeds nothing and leaves no trace in the generator of random numbers."""
    with torch.random.fork_rng(devices=[]):
        yield
