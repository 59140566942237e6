"""An autograd.Function with several outputs, one not differentiable, and one that writes in place."""

import torch
import torch.nn as nn


class Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, threshold):
        mask = x > threshold
        ctx.save_for_backward(mask)
        ctx.mark_non_differentiable(mask)
        return x * mask, x * ~mask, mask

    @staticmethod
    def backward(ctx, a, b, _):
        (mask,) = ctx.saved_tensors
        return torch.where(mask, a, b), None


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, g):
        return g * 2


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return g.neg()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        high, low, mask = Split.apply(self.a(x), 0.0)
        y = Double.apply(self.b(high + low.tanh()))
        return self.c(y), self.c(Reverse.apply(y)), mask.float().mean()


def factory():
    return Model(), (torch.zeros(4, 8),), {}
