"""Adapters and frozen parameters in torch, to be measured: in the order in which the peft library computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


class Adapted(nn.Module):
    """A linear layer with an adapter beside it; parameters are named as peft names them."""

    def __init__(self, base: nn.Module, rank: int, dropout: float) -> None:
        super().__init__()
        outside, inside = base.weight.shape if isinstance(base, nn.Linear) else reversed(base.weight.shape)
        self.base_layer = base
        self.lora_dropout = nn.ModuleDict({"default": nn.Dropout(dropout) if dropout else nn.Identity()})
        self.lora_A = nn.ModuleDict({"default": nn.Linear(inside, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, outside, bias=False)})
        self.scaling = 8 / rank

    def forward(self, x: Tensor) -> Tensor:
        result = self.base_layer(x)
        down, up, dropout = self.lora_A["default"], self.lora_B["default"], self.lora_dropout["default"]
        return result + up(down(dropout(x))) * self.scaling


def adapt(model: nn.Module, lora: Mapping[str, int], dropout: float = 0.0) -> nn.Module:
    """The model with adapters of a rank beside the modules that a glob matches, and everything else frozen."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for name, module in list(model.named_modules()):
        for glob, rank in lora.items():
            if fnmatchcase(name, glob):
                around, _, last = name.rpartition(".")
                setattr(model.get_submodule(around), last, Adapted(module, rank, dropout))
    return model


def freeze(model: nn.Module, globs: Sequence[str]) -> nn.Module:
    """The model with the parameters that a glob matches frozen."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if any(fnmatchcase(name, glob) for glob in globs):
            parameter.requires_grad_(False)
    return model


def trainable(model: nn.Module) -> int:
    """The elements of the parameters that are trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def step_flops(model: nn.Module, ids: Tensor) -> dict[str, int]:
    """The FLOPs that torch's counter sees: of the forward pass, and with the backward pass of the sum of logits."""
    with FlopCounterMode(display=False) as counter:
        loss: Any = model(ids).logits.sum()
        forward = counter.get_total_flops()
        torch.autograd.backward(loss)
    return {"forward": forward, "step": counter.get_total_flops()}
