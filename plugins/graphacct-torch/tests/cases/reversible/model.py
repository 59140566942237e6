"""An autograd.Function that keeps no activations: it computes them again in its backward."""

import torch
import torch.nn as nn


class Coupling(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, f, *weights):
        ctx.f = f
        with torch.no_grad():
            a, b = x.chunk(2, -1)
            y = torch.cat([a, b + f(a)], -1)
        ctx.save_for_backward(y.detach())
        ctx.weights = weights
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        a, _ = y.chunk(2, -1)
        ga, gb = grad.chunk(2, -1)
        with torch.enable_grad():
            a = a.detach().requires_grad_()
            out = ctx.f(a)
        grads = torch.autograd.grad(out, (a, *ctx.weights), gb)
        return torch.cat([ga + grads[0], gb], -1), None, *grads[1:]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(16, 16)
        self.nets = nn.ModuleList(nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 8)) for _ in range(3))

    def forward(self, x):
        x = self.first(x)
        for net in self.nets:
            x = Coupling.apply(x, net, *net.parameters()).flip(-1)
        return x


def factory():
    return Model(), (torch.zeros(4, 16),), {}
