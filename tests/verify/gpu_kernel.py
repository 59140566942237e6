"""Modules with a Triton kernel, whose cost graphacct_torch.cost states; they are captured without Triton too."""

from __future__ import annotations

from typing import Any

import graphacct_torch
import torch
from torch import nn

from graphacct import Work

try:
    import triton
    from triton import language as tl
except ImportError:  # the capture needs none
    triton = None

WIDTH, INNER = 64, 96

if triton is not None:

    @triton.jit
    def gated_kernel(gate, up, out, size, BLOCK: tl.constexpr):
        """out = silu(gate) * up."""
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        here = at < size
        g = tl.load(gate + at, mask=here)
        u = tl.load(up + at, mask=here)
        tl.store(out + at, g * tl.sigmoid(g) * u, mask=here)

    @triton.jit
    def gated_gradient_kernel(gate, up, grad, gate_grad, up_grad, size, BLOCK: tl.constexpr):
        """The gradients of both: of silu, sigmoid(g) (1 + g (1 - sigmoid(g)))."""
        at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        here = at < size
        g = tl.load(gate + at, mask=here)
        u = tl.load(up + at, mask=here)
        d = tl.load(grad + at, mask=here)
        s = tl.sigmoid(g)
        tl.store(gate_grad + at, d * u * s * (1 + g * (1 - s)), mask=here)
        tl.store(up_grad + at, d * g * s, mask=here)


def gated_work(gate: Any, up: Any) -> Work:
    return Work(vector_flops=6 * gate.elements)


def gated_gradient_work(gate: Any, up: Any) -> Work:
    return Work(vector_flops=12 * gate.elements)


@graphacct_torch.cost(gated_work, gradient=gated_gradient_work, fake=lambda gate, up: torch.empty_like(gate))
def launch(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up, by the kernel."""
    out = torch.empty_like(gate)
    gated_kernel[(triton.cdiv(gate.numel(), 1024),)](gate, up, out, gate.numel(), BLOCK=1024)
    return out


@graphacct_torch.cost(gated_gradient_work, fake=lambda gate, up, grad: (torch.empty_like(gate), torch.empty_like(up)))
def launch_gradient(gate: torch.Tensor, up: torch.Tensor, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of gate and up."""
    gate_grad, up_grad = torch.empty_like(gate), torch.empty_like(up)
    gated_gradient_kernel[(triton.cdiv(gate.numel(), 1024),)](
        gate, up, grad, gate_grad, up_grad, gate.numel(), BLOCK=1024
    )
    return gate_grad, up_grad


class Gated(torch.autograd.Function):
    """The kernel's launches are costed, and what the function saves is seen."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return launch(gate, up)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return launch_gradient(*ctx.saved_tensors, grad.contiguous())


@graphacct_torch.cost(gated_work, gradient=gated_gradient_work, fake=lambda gate, up: torch.empty_like(gate))
class GatedWhole(torch.autograd.Function):
    """The whole function is costed, and stays unseen: what it saves its fake does not say."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return launch(gate, up)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return launch_gradient(*ctx.saved_tensors, grad.contiguous())


class Model(nn.Module):
    """Two layers of SwiGLU, through the kernel."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.gate = nn.ModuleList(nn.Linear(WIDTH, INNER) for _ in range(2))
        self.up = nn.ModuleList(nn.Linear(WIDTH, INNER) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(INNER, WIDTH) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for gate, up, down in zip(self.gate, self.up, self.down, strict=True):
            x = down(self.function.apply(gate(x), up(x)))
        return x


def launches() -> Any:
    return Model(Gated), (torch.zeros(2, 16, WIDTH),), {}


def whole() -> Any:
    return Model(GatedWhole), (torch.zeros(2, 16, WIDTH),), {}
