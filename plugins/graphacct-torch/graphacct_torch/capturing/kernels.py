"""Kernels whose fake form torch lacks, or has only for some dtypes: what they return, without data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten


def _grouped_mm(
    a: torch.Tensor, b: torch.Tensor, offs: torch.Tensor | None = None, bias: Any = None, out_dtype: Any = None
) -> torch.Tensor:
    """Products of groups of rows: (m, k) by (g, k, n) is (m, n), (m, k) by (k, n) in groups of k is (g, m, n)."""
    if a.dim() == 2 and b.dim() == 2:
        assert offs is not None
        shape: tuple[int, ...] = (offs.shape[0], a.shape[0], b.shape[1])
    elif a.dim() == 2:
        shape = (a.shape[0], b.shape[2])
    elif b.dim() == 2:
        shape = (a.shape[1], b.shape[1])
    else:
        shape = (a.shape[0], a.shape[1], b.shape[2])
    return a.new_empty(shape, dtype=out_dtype or a.dtype)


def _baddbmm(total: torch.Tensor, a: torch.Tensor, b: torch.Tensor, **factors: Any) -> torch.Tensor:
    """(b, m, k) by (b, k, n) is (b, m, n), to which a tensor is added; torch's own has no symbols for sizes."""
    if not any(isinstance(side, torch.SymInt) for tensor in (total, a, b) for side in tensor.shape):
        made: torch.Tensor = torch.ops.aten.baddbmm.default(total, a, b, **factors)
        return made
    product = torch.bmm(a, b)
    return product.new_empty(torch.broadcast_shapes(total.shape, product.shape))


def _ctc_loss(
    log_probs: torch.Tensor, targets: torch.Tensor, input_lengths: Any, target_lengths: Any, *_: Any, **__: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each sequence's loss, and the forward probabilities of 2 s + 1 states for s targets; one sequence has all."""
    steps, batch = log_probs.shape[:2]
    states = 2 * targets.shape[-1] + 1
    return log_probs.new_empty(batch), log_probs.new_empty((batch, steps, states))


def _ctc_loss_backward(grad: torch.Tensor, log_probs: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return torch.empty_like(log_probs)


class _WithoutData(torch.autograd.Function):
    """A function that needs data: empty tensors go out, and empty gradients come back."""

    @staticmethod
    def forward(ctx: Any, fake: Any, spec: Any, *leaves: Any) -> Any:
        args, kwargs = tree_unflatten(leaves, spec)
        ctx.leaves = [leaf if isinstance(leaf, torch.Tensor) and leaf.requires_grad else None for leaf in leaves]
        return fake(*args, **kwargs)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        return None, None, *(None if leaf is None else torch.empty_like(leaf) for leaf in ctx.leaves)


def without_data(fake: Any, args: Any, kwargs: Any) -> Any:
    """Returns what `fake` returns for these arguments, as a function that autograd can go through."""
    leaves, spec = tree_flatten((args, kwargs))
    return _WithoutData.apply(fake, spec, *leaves)


def _norm(func: Any) -> Callable[..., tuple[torch.Tensor, ...]]:
    """A norm of an input of 16 bits with weights of 32: a CPU has its statistics in 32, torch's fake kernels in 16."""

    def kernel(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        out, *statistics = func(*args, **kwargs)
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
        if any(tensor.dtype != tensors[0].dtype for tensor in tensors):
            statistics = [each.new_empty(each.shape, dtype=torch.float32) for each in statistics]
        return (out, *statistics)

    return kernel


NORMS = (
    torch.ops.aten.native_layer_norm.default,
    torch.ops.aten.native_group_norm.default,
    torch.ops.aten.native_batch_norm.default,
)
KERNELS: dict[Any, Any] = {
    **{func: _norm(func) for func in NORMS},
    torch.ops.aten._grouped_mm.default: _grouped_mm,
    torch.ops.aten.baddbmm.default: _baddbmm,
    torch.ops.aten._ctc_loss.Tensor: _ctc_loss,
    torch.ops.aten._ctc_loss_backward.Tensor: _ctc_loss_backward,
}
"""The kernels that replace torch's own fake ones."""
