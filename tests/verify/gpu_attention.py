"""Modules with attention of many kinds, and common layers in 16 bits, for tests/verify/gpu_modules.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Made = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]
BATCH, TOKENS = 2, 40


class Attention(nn.Module):
    """Projections, and torch's scaled_dot_product_attention between them."""

    def __init__(
        self,
        heads: int = 4,
        groups: int = 4,
        width: int = 16,
        values: int = 16,
        mask: str = "",
        cut: int = 0,
        contiguous: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        self.heads, self.groups, self.width, self.values = heads, groups, width, values
        self.cut, self.contiguous, self.options = cut, contiguous, options
        self.q, self.k = nn.Linear(64, heads * width), nn.Linear(64, groups * width)
        self.v, self.o = nn.Linear(64, groups * values), nn.Linear(heads * values, 64)
        keys = TOKENS - cut
        made: dict[str, Callable[[], torch.Tensor]] = {
            "bool": lambda: nn.Buffer(torch.ones(BATCH, 1, TOKENS, keys, dtype=torch.bool)),
            "float": lambda: nn.Buffer(torch.zeros(BATCH, 1, TOKENS, keys)),
            "trained": lambda: nn.Parameter(torch.zeros(1, heads, TOKENS, keys)),
            "permuted": lambda: nn.Parameter(torch.zeros(TOKENS, keys, heads)),
        }
        self.mask = made[mask]() if mask else None
        self.permuted = mask == "permuted"

    def split(self, x: torch.Tensor, heads: int) -> torch.Tensor:
        x = x.view(*x.shape[:2], heads, -1).transpose(1, 2)
        return x.contiguous() if self.contiguous else x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        other = x[:, self.cut :]
        q, k = self.split(self.q(x), self.heads), self.split(self.k(other), self.groups)
        mask = self.mask
        if mask is not None and self.permuted:
            mask = mask.permute(2, 0, 1).unsqueeze(0)
        out = functional.scaled_dot_product_attention(
            q, k, self.split(self.v(other), self.groups), attn_mask=mask, **self.options
        )
        return self.o(out.transpose(1, 2).reshape(*x.shape[:2], -1))


class Writer(nn.Module):
    """A decoder written by hand: torch's RMSNorm, grouped queries, SwiGLU, a tied head, its own loss."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 64)
        self.first, self.second, self.last = (nn.ModuleList(nn.RMSNorm(64) for _ in range(2)) for _ in range(3))
        self.attention = nn.ModuleList(Attention(4, 2, is_causal=True, enable_gqa=True) for _ in range(2))
        self.gate, self.up = (nn.ModuleList(nn.Linear(64, 160, bias=False) for _ in range(2)) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(160, 64, bias=False) for _ in range(2))
        self.head = nn.Linear(64, 100, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        for first, attention, second, gate, up, down in zip(
            self.first, self.attention, self.second, self.gate, self.up, self.down, strict=True
        ):
            x = x + attention(first(x))
            y = second(x)
            x = x + down(functional.silu(gate(y)) * up(y))
        logits = self.head(self.last[0](x))
        return functional.cross_entropy(logits.flatten(0, 1).float(), ids.flatten())


class Picture(nn.Module):
    """Convolutions with norms of groups and of batches, up and down again."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.middle = nn.Sequential(nn.GroupNorm(4, 16), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1), nn.Dropout(0.1))
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.ConvTranspose2d(16, 3, 2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(x)
        return self.up(x + self.middle(x)).tanh()


def attention(**options: Any) -> Callable[[], Made]:
    return lambda: (Attention(**options), (torch.zeros(BATCH, TOKENS, 64),), {})


def encoder() -> Made:
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), (torch.zeros(BATCH, TOKENS, 64),), {}


def decoder() -> Made:
    layer = nn.TransformerDecoderLayer(64, 4, 128, dropout=0.1, activation="gelu")
    x, memory = torch.zeros(TOKENS, BATCH, 64), torch.zeros(24, BATCH, 64)
    mask = nn.Transformer.generate_square_subsequent_mask(TOKENS)
    return nn.TransformerDecoder(layer, 2), (x, memory), {"tgt_mask": mask}


MODULES: dict[str, tuple[Callable[[], Made], tuple[str, ...]]] = {
    "attention, causal": (attention(is_causal=True), ("float32", "bfloat16")),
    "attention, contiguous heads": (attention(contiguous=True), ("float32", "bfloat16")),
    "attention, bool mask": (attention(mask="bool"), ("float32", "bfloat16")),
    "attention, float mask": (attention(mask="float"), ("float32", "bfloat16")),
    "attention, float mask of odd rows": (attention(mask="float", cut=3), ("float32", "bfloat16")),
    "attention, trained mask": (attention(mask="trained"), ("float32", "bfloat16")),
    "attention, permuted mask": (attention(mask="permuted"), ("float32", "bfloat16")),
    "attention, shared heads": (attention(groups=2, enable_gqa=True), ("float32", "bfloat16")),
    "attention, shared heads and a mask": (attention(groups=2, enable_gqa=True, mask="float"), ("bfloat16",)),
    "attention, heads of 20": (attention(width=20, values=20), ("float32", "bfloat16", "float16")),
    "attention, heads of 18": (attention(width=18, values=18), ("float32", "bfloat16")),
    "attention, values of 32": (attention(values=32), ("float32", "bfloat16")),
    "attention, dropout": (attention(dropout_p=0.1), ("float32", "bfloat16")),
    "attention, causal across": (attention(cut=8, is_causal=True), ("float32", "bfloat16")),
    "encoder": (encoder, ("float32", "bfloat16")),
    "decoder": (decoder, ("float32", "bfloat16")),
    "writer": (lambda: (Writer(), (torch.zeros(BATCH, TOKENS, dtype=torch.long),), {}), ("float32", "bfloat16")),
    "picture": (lambda: (Picture(), (torch.zeros(BATCH, 3, 32, 32),), {}), ("float32", "bfloat16")),
}
"""Factories, and the dtypes in which each is measured."""
