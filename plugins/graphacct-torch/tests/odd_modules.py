"""Odd modules, each a function that returns the module, its inputs, and its matmul FLOPs where torch's counter does not
see them all (None: it does).

Each shows one thing that code does and that a description of layers does not.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class Forward(nn.Module):
    """A module of parts whose forward pass is a function of it and the inputs."""

    def __init__(self, forward: Any, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.run = forward

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, *args, **kwargs)


def grouped_convolutions() -> Any:
    parts = {"a": nn.Conv2d(8, 16, 3, groups=4, padding=1), "b": nn.ConvTranspose2d(16, 8, 2, stride=2, groups=2)}
    return Forward(lambda m, x: m.b(F.relu(m.a(x))), **parts), (torch.zeros(2, 8, 6, 6),), {}, None


def convolutions_in_1_and_3_dimensions() -> Any:
    parts = {"a": nn.Conv1d(4, 8, 3, dilation=2), "b": nn.Conv3d(1, 2, 3)}
    return (
        Forward(lambda m, x, y: (m.a(x), m.b(y)), **parts),
        (torch.zeros(2, 4, 12), torch.zeros(1, 1, 5, 5, 5)),
        {},
        None,
    )


def head_tied_to_a_table() -> Any:
    parts = {"table": nn.Embedding(20, 8), "mix": nn.Linear(8, 8), "head": nn.Linear(8, 20, bias=False)}
    parts["head"].weight = parts["table"].weight
    ids = torch.zeros(2, 5, dtype=torch.int64)
    return Forward(lambda m, ids: m.head(torch.tanh(m.mix(m.table(ids)))), **parts), (ids,), {}, None


def attention_by_hand() -> Any:
    def run(m: Any, x: Any) -> Any:
        b, s, d = x.shape
        q, k, v = m.qkv(x).view(b, s, 3, 2, d // 2).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(d // 2)
        mask = torch.ones(s, s, dtype=torch.bool).tril()
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        return m.out((weights @ v).transpose(1, 2).reshape(b, s, d))

    parts = {"qkv": nn.Linear(8, 24), "out": nn.Linear(8, 8)}
    return Forward(run, **parts), (torch.zeros(2, 5, 8),), {}, None


def attention_across() -> Any:
    """nn.MultiheadAttention with keys of another width; what it multiplies is 2 FLOPs for each pair."""
    parts = {"a": nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True)}
    inputs = (torch.zeros(2, 3, 8), torch.zeros(2, 5, 6), torch.zeros(2, 5, 4))
    flops = 2 * (2 * 3 * 8 * 8 + 2 * 5 * 6 * 8 + 2 * 5 * 4 * 8 + 2 * 2 * 3 * 5 * 4 * 2 + 2 * 3 * 8 * 8)
    return Forward(lambda m, q, k, v: m.a(q, k, v)[0], **parts), inputs, {}, flops


def attention_with_a_float_mask() -> Any:
    def run(m: Any, x: Any) -> Any:
        bias = torch.full((4, 4), float("-inf")).triu(1)
        return F.scaled_dot_product_attention(m.q(x), x, x, attn_mask=bias)

    flops = 2 * 16 * 8 * 8 + 2 * 2 * 2 * 4 * 4 * (8 + 8)
    return Forward(run, q=nn.Linear(8, 8)), (torch.zeros(2, 2, 4, 8),), {}, flops


def loop_with_a_cell() -> Any:
    def run(m: Any, x: Any) -> Any:
        state = torch.zeros(x.shape[0], 6)
        outs = []
        for step in range(x.shape[1]):
            state = m.cell(x[:, step], state)
            outs.append(state)
        return torch.stack(outs, dim=1)

    return Forward(run, cell=nn.GRUCell(4, 6)), (torch.zeros(3, 4, 4),), {}, None


def branch_on_sizes() -> Any:
    def run(m: Any, x: Any, deep: bool = False) -> Any:
        x = m.a(x)
        if x.shape[0] > 2 or deep:
            x = m.b(F.gelu(x))
        return x

    return Forward(run, a=nn.Linear(4, 8), b=nn.Linear(8, 8)), (torch.zeros(2, 4),), {"deep": True}, None


def contraction_of_three() -> Any:
    def run(m: Any, x: Any) -> Any:
        return torch.einsum("bi,io,bo->b", x, m.w, m.a(x))

    return Forward(run, w=nn.Parameter(torch.zeros(4, 6)), a=nn.Linear(4, 6)), (torch.zeros(3, 4),), {}, None


def inputs_in_a_dictionary() -> Any:
    def run(m: Any, batch: Any) -> Any:
        return {"logits": m.a(batch["x"]["values"]) + m.b(batch["y"][0])}

    inputs = ({"x": {"values": torch.zeros(2, 4)}, "y": [torch.zeros(2, 6)]},)
    return Forward(run, a=nn.Linear(4, 3), b=nn.Linear(6, 3)), inputs, {}, None


def parts_that_nothing_reads() -> Any:
    parts = {"a": nn.Linear(4, 4), "never": nn.Linear(9, 9), "spare": nn.BatchNorm1d(4)}
    return Forward(lambda m, x: m.a(x) * m.spare.weight, **parts), (torch.zeros(2, 4),), {}, None


def experts_in_a_loop() -> Any:
    """Each expert runs on all tokens and is weighted by the router: no branch depends on data."""

    def run(m: Any, x: Any) -> Any:
        weights, chosen = m.router(x).softmax(-1).topk(2, dim=-1)
        out = torch.zeros_like(x)
        for index, expert in enumerate(m.experts):
            share = (weights * (chosen == index)).sum(-1, keepdim=True)
            out = out + share * expert(x)
        return out

    parts = {"router": nn.Linear(4, 3, bias=False), "experts": nn.ModuleList(nn.Linear(4, 4) for _ in range(3))}
    return Forward(run, **parts), (torch.zeros(5, 4),), {}, None


def complex_numbers() -> Any:
    def run(m: Any, x: Any) -> Any:
        turned = torch.view_as_complex(m.a(x).reshape(2, 3, 4, 2)) * torch.polar(torch.ones(3, 4), torch.ones(3, 4))
        return torch.view_as_real(turned).flatten(2)

    return Forward(run, a=nn.Linear(8, 8)), (torch.zeros(2, 3, 8),), {}, None


def fourier_mixing() -> Any:
    def run(m: Any, x: Any) -> Any:
        return m.a(torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real)

    return Forward(run, a=nn.Linear(8, 8)), (torch.zeros(2, 4, 8),), {}, None


def tensors_as_attributes() -> Any:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.scale = torch.full((4,), 2.0)  # neither a parameter nor a buffer
            self.register_buffer("shift", torch.zeros(4), persistent=False)

        def forward(self, x: Any) -> Any:
            return self.a(x) * self.scale + self.shift

    return Scaled(), (torch.zeros(2, 4),), {}, None


def written_in_place() -> Any:
    def run(m: Any, x: Any) -> Any:
        x = m.a(x)
        x.relu_().mul_(0.5).add_(1)
        y = torch.zeros(2, 8)
        y[:, :4] = x
        y[:, 4:] += x
        return y

    return Forward(run, a=nn.Linear(4, 4)), (torch.zeros(2, 4),), {}, None


class Doubled(torch.autograd.Function):
    """Twice its input, and its own gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:  # type: ignore[override]
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:  # type: ignore[override]
        return g * 2


def function_with_its_own_gradient() -> Any:
    return (
        Forward(lambda m, x: m.b(Doubled.apply(m.a(x))), a=nn.Linear(4, 4), b=nn.Linear(4, 2)),
        (torch.zeros(2, 4),),
        {},
        None,
    )


def checkpoint_in_a_checkpoint() -> Any:
    def run(m: Any, x: Any) -> Any:
        def inner(x: Any) -> Any:
            return m.b(torch.sigmoid(m.a(x)))

        def outer(x: Any) -> Any:
            return m.c(checkpoint(inner, x, use_reentrant=False))

        return checkpoint(outer, x, use_reentrant=False)

    return (
        Forward(run, a=nn.Linear(4, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 4)),
        (torch.zeros(2, 4, requires_grad=True),),
        {},
        None,
    )


def one_layer_twice() -> Any:
    return Forward(lambda m, x: m.a(torch.relu(m.a(x))), a=nn.Linear(4, 4)), (torch.zeros(2, 4),), {}, None


def pairs_of_features() -> Any:
    """nn.Bilinear: x W_o y for each output; torch's counter sees none of it. Multiplying x by each W_o and that by y is
    2 FLOPs for each of its weights and row, and 2 for each product with y."""
    flops = 2 * 5 * (3 * 4 * 6 + 4 * 6)
    return Forward(lambda m, x, y: m.a(x, y), a=nn.Bilinear(3, 6, 4)), (torch.zeros(5, 3), torch.zeros(5, 6)), {}, flops


def vectors() -> Any:
    def run(m: Any, x: Any) -> Any:
        return torch.dot(torch.mv(m.w, x), torch.mv(m.w, x))

    return Forward(run, w=nn.Parameter(torch.zeros(6, 4))), (torch.zeros(4),), {}, 2 * (2 * 6 * 4) + 2 * 6


def norms_and_pools() -> Any:
    parts = {
        "a": nn.Conv2d(3, 8, 3),
        "n": nn.InstanceNorm2d(8, affine=True),
        "g": nn.GroupNorm(2, 8),
        "l": nn.LocalResponseNorm(2),
        "p": nn.AdaptiveMaxPool2d(2),
    }
    return Forward(lambda m, x: m.p(m.l(m.g(m.n(m.a(x))))), **parts), (torch.zeros(2, 3, 8, 8),), {}, None


def tables_of_positions() -> Any:
    def run(m: Any, ids: Any) -> Any:
        positions = torch.arange(ids.shape[1])
        angles = positions[:, None] / 10000 ** (torch.arange(0, 8, 2) / 8)
        table = torch.cat([angles.sin(), angles.cos()], dim=-1)
        keep = (ids != 0).unsqueeze(-1)
        return m.a((m.table(ids) + table) * keep)

    parts = {"table": nn.Embedding(10, 8, padding_idx=0), "a": nn.Linear(8, 2)}
    return Forward(run, **parts), (torch.ones(2, 5, dtype=torch.int64),), {}, None


def windows() -> Any:
    def run(m: Any, x: Any) -> Any:
        x = x.unfold(1, 3, 2).flatten(2)
        return F.fold(F.unfold(m.a(x)[:, None], 2), (x.shape[1], 8), 2)

    return Forward(run, a=nn.Linear(12, 8)), (torch.zeros(2, 9, 4),), {}, None


def recurrent_with_projection() -> Any:
    """nn.LSTM with proj_size runs as products that torch's counter sees."""
    return (
        Forward(lambda m, x: m.r(x)[0], r=nn.LSTM(4, 6, proj_size=3, num_layers=2)),
        (torch.zeros(5, 2, 4),),
        {},
        None,
    )


def loss_inside() -> Any:
    def run(m: Any, x: Any, y: Any) -> Any:
        return F.cross_entropy(m.a(x), y, label_smoothing=0.1) + F.mse_loss(m.a(x), torch.zeros(4, 3))

    return Forward(run, a=nn.Linear(5, 3)), (torch.zeros(4, 5), torch.zeros(4, dtype=torch.int64)), {}, None


def dropped_features() -> Any:
    parts = {"a": nn.Linear(6, 6), "d": nn.Dropout(0.2), "n": nn.Dropout1d(0.2), "e": nn.AlphaDropout(0.1)}
    return Forward(lambda m, x: m.e(m.n(m.d(m.a(x)))), **parts), (torch.zeros(3, 4, 6),), {}, None


def recurrent_both_ways() -> Any:
    """oneDNN's kernel, which torch's counter does not see: 4 gates of x and h for each step, layer and direction."""
    flops = 2 * 15 * 24 * ((4 + 6) * 2 + (12 + 6) * 2)
    return nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True), (torch.zeros(3, 5, 4),), {}, flops


def encoder_and_decoder() -> Any:
    """6 tokens and 8 of width 8: each projection 2 d² a token, a feed-forward network twice 2 d · 16, and in attention
    4 d for each pair of tokens of a sequence, of which there are two."""
    module = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    encoder = 6 * (4 * 128 + 2 * 256) + 2 * 32 * 3 * 3
    decoder = 8 * (4 * 128 + 2 * 256) + 2 * 32 * 4 * 4 + 8 * 2 * 128 + 6 * 2 * 128 + 2 * 32 * 4 * 3
    inputs = (torch.zeros(2, 3, 8), torch.zeros(2, 4, 8))
    return Forward(lambda m, x, y: m.t(x, y), t=module), inputs, {}, encoder + decoder


def grouped_attention() -> Any:
    def run(m: Any, x: Any, y: Any) -> Any:
        return F.scaled_dot_product_attention(m.a(x), y, y, is_causal=True, enable_gqa=True)

    inputs = (torch.zeros(2, 4, 5, 8), torch.zeros(2, 2, 5, 8))
    return Forward(run, a=nn.Linear(8, 8)), inputs, {}, 2 * 40 * 8 * 8 + 2 * 2 * 4 * 5 * 5 * (8 + 8)


def pooled_and_put_back() -> Any:
    def run(m: Any, x: Any) -> Any:
        pooled, places = F.max_pool2d(m.a(x), 2, return_indices=True)
        return F.max_unpool2d(pooled, places, 2)

    return Forward(run, a=nn.Conv2d(1, 2, 3, padding=1)), (torch.zeros(1, 1, 4, 4),), {}, None


def lists_of_parameters() -> Any:
    def run(m: Any, x: Any) -> Any:
        return sum(x @ weight for weight in m.weights) * m.named["scale"]

    weights = nn.ParameterList([torch.zeros(4, 4), torch.zeros(4, 4)])
    named = nn.ParameterDict({"scale": nn.Parameter(torch.zeros(1))})
    return Forward(run, weights=weights, named=named), (torch.zeros(2, 4),), {}, None


def spectrum_of_images() -> Any:
    def run(m: Any, x: Any) -> Any:
        low = torch.fft.rfft2(x)[:, :, :3, :3]
        return torch.fft.irfft(torch.einsum("bixy,ioxy->boxy", low, m.weight), n=8)

    weight = nn.Parameter(torch.zeros(2, 3, 3, 3, dtype=torch.complex64))
    products = 8 * 1 * 2 * 3 * 3 * 3  # a multiply-add of complex numbers is four of their parts; torch counts one
    return Forward(run, weight=weight), (torch.zeros(1, 2, 8, 8),), {}, products


def masks_of_the_code() -> Any:
    def run(m: Any, x: Any) -> Any:
        keep = torch.tensor([True, False, True])
        return m.a(x)[keep].sum() + m.a(x)[:, :3].masked_select(keep).sum()

    return Forward(run, a=nn.Linear(4, 4)), (torch.zeros(3, 4),), {}, None


def one_image_without_a_batch() -> Any:
    return Forward(lambda m, x: F.max_pool2d(m.a(x), 2), a=nn.Conv2d(3, 4, 3)), (torch.zeros(3, 6, 6),), {}, None


def weight_by_its_largest_singular_value() -> Any:
    """Two products of the weight with a vector, twice, in training: torch's counter sees no product with a vector."""
    module = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6))
    return module, (torch.zeros(2, 4),), {}, 2 * 2 * 4 * 6 + 3 * 2 * 4 * 6 + 2 * 6


def one_input_given_twice() -> Any:
    x = torch.zeros(2, 4)
    return Forward(lambda m, x, y: m.a(x) + y, a=nn.Linear(4, 4)), (x, x), {}, None


MODULES = [
    value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", "") == __name__ and name.islower()
]
