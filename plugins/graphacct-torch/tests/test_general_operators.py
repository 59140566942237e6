"""General operators as a module applies them: what is saved for the backward pass, and the FLOPs of products, against
torch's own run on a CPU. The graph has the operator that the case names."""

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import graphacct


class Model(nn.Module):
    """Two linear layers whose outputs, between 0 and 1, an operator takes."""

    def __init__(self, apply):
        super().__init__()
        self.apply_, self.a, self.b = apply, nn.Linear(12, 12), nn.Linear(12, 12)
        self.register_buffer("rows", torch.tensor([0, 2, 2]))
        self.register_buffer("at", torch.arange(48).reshape(4, 12) % 6)
        self.register_buffer("mask", torch.arange(72).reshape(6, 12) % 3 == 0)

    def forward(self, x):
        y = self.apply_(self, self.a(x).sigmoid(), self.b(x).sigmoid())
        y = y if y.is_floating_point() else y.float() * self.a.weight.sum()
        return (y * y).sum()


def measured(module, *inputs):
    """FLOPs of products of a step, and bytes saved."""
    before = {t.untyped_storage()._cdata for t in (*module.parameters(), *module.buffers(), *inputs)}
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in before:
            saved[storage._cdata] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = module(*inputs)
    found = sum(storage.nbytes() for storage in saved.values())
    del loss
    with FlopCounterMode(display=False) as counter:
        module(*inputs).backward()
    return counter.get_total_flops(), found


ONE = """
erf erfc erfinv expm1 exp2 log1p log2 log10 tan asin acos atan sinh cosh asinh atanh lgamma floor ceil round trunc sign
frac isnan logical_not tril triu
"""
TWO = "remainder fmod atan2 logaddexp xlogy eq ne lt le gt ge logical_and logical_or logical_xor maximum"
CASES = [
    *[(name, lambda m, x, y, name=name: getattr(torch, name)(x)) for name in ONE.split()],
    *[(name, lambda m, x, y, name=name: getattr(torch, name)(x, y)) for name in TWO.split()],
    ("log_sigmoid", lambda m, x, y: F.logsigmoid(x)),
    ("softshrink", lambda m, x, y: F.softshrink(x)),
    ("hardshrink", lambda m, x, y: F.hardshrink(x)),
    ("celu", lambda m, x, y: F.celu(x)),
    ("glu", lambda m, x, y: F.glu(x)),
    ("prelu", lambda m, x, y: F.prelu(x, y[0])),
    ("rsub", lambda m, x, y: 2 - x),
    ("pow_of_number", lambda m, x, y: 2.0**x),
    ("pow_tensor", lambda m, x, y: x**y),
    ("clamp_tensor", lambda m, x, y: x.clamp(y * 0.1, y)),
    ("lerp", lambda m, x, y: x.lerp(y, 0.3)),
    ("lerp", lambda m, x, y: x.lerp(y, x * y)),
    ("addcmul", lambda m, x, y: torch.addcmul(x, x, y, value=0.5)),
    ("addcdiv", lambda m, x, y: torch.addcdiv(x, x, y)),
    ("bitwise_or", lambda m, x, y: x.masked_fill((x > 0.5) & (y < 0.3) | ~m.mask, 0.0)),
    ("masked_fill", lambda m, x, y: x.masked_fill(m.mask, y.sum())),
    ("prod", lambda m, x, y: x.prod(1)),
    ("amin", lambda m, x, y: x.amin(1)),
    ("any", lambda m, x, y: (x > 0.5).any(1)),
    ("all", lambda m, x, y: (x > 0.5).all()),
    ("var", lambda m, x, y: x.var(1)),
    ("std", lambda m, x, y: x.std()),
    ("var_mean", lambda m, x, y: sum(torch.var_mean(x, 1))),
    ("std_mean", lambda m, x, y: sum(torch.std_mean(x, 1))),
    ("logsumexp", lambda m, x, y: x.logsumexp(1)),
    ("vector_norm", lambda m, x, y: torch.linalg.vector_norm(x, dim=1)),
    ("cumprod", lambda m, x, y: x.cumprod(1)),
    ("cummax", lambda m, x, y: x.cummax(1).values),
    ("sort", lambda m, x, y: x.sort(0).values),
    ("topk", lambda m, x, y: x.topk(2, 0).values),
    ("kthvalue", lambda m, x, y: x.kthvalue(2, 1).values),
    ("median_with_indices", lambda m, x, y: x.median(1).values),
    ("max_with_indices", lambda m, x, y: x.max(1).values),
    ("argmax", lambda m, x, y: x.argmax(0)),
    ("histc", lambda m, x, y: x.histc(4) * x.sum()),
    ("scatter", lambda m, x, y: x.scatter(0, m.at, y[:4])),
    ("scatter", lambda m, x, y: x.scatter(0, m.at, 1.0)),
    ("scatter_add", lambda m, x, y: x.scatter_add(0, m.at, y[:4])),
    ("scatter_reduce", lambda m, x, y: x.scatter_reduce(0, m.at, y[:4], "amax")),
    ("index_add", lambda m, x, y: x.index_add(0, m.rows, y[:3])),
    ("index_copy", lambda m, x, y: x.index_copy(0, m.rows, y[:3])),
    ("index_fill", lambda m, x, y: x.index_fill(0, m.rows, 1.0)),
    ("index", lambda m, x, y: x[m.rows, m.rows]),
    ("index_put", lambda m, x, y: x.index_put((m.rows,), y[:3])),
    ("masked_scatter", lambda m, x, y: x.masked_scatter(m.mask, y)),
    ("take", lambda m, x, y: x.take(m.rows)),
    ("flip", lambda m, x, y: x.flip(0, 1)),
    ("diagonal", lambda m, x, y: x.diagonal()),
    ("diag_embed", lambda m, x, y: torch.diag_embed(x)),
    ("slice_scatter", lambda m, x, y: x.slice_scatter(y[:, :3], 1, 2, 5)),
    ("select_scatter", lambda m, x, y: x.select_scatter(y[0], 0, 2)),
    ("random_like", lambda m, x, y: x * torch.rand_like(x)),
    ("shift", lambda m, x, y: torch.add(0.5, y)),
    ("scale", lambda m, x, y: torch.add(0.5, y, alpha=0.25)),
    ("rsub", lambda m, x, y: torch.sub(0.5, y)),
    ("scale", lambda m, x, y: torch.mul(0.5, y)),
    ("div", lambda m, x, y: torch.div(0.5, y)),
    ("trunc", lambda m, x, y: torch.div(0.5, y, rounding_mode="trunc") * x),
    ("bernoulli", lambda m, x, y: torch.bernoulli(x) * x),
    ("multinomial", lambda m, x, y: x.gather(1, torch.multinomial(y, 3))),
    ("eye", lambda m, x, y: x @ torch.eye(12)),
    ("linspace", lambda m, x, y: x * torch.linspace(0, 1, 12)),
    ("scale", lambda m, x, y: x[:3] * (m.rows * 0.5)[:, None]),
    ("searchsorted", lambda m, x, y: torch.searchsorted(x[0].sort().values, y)),
    ("polar", lambda m, x, y: torch.view_as_real(torch.polar(x, y) * torch.polar(y, x))),
    ("view_as_complex", lambda m, x, y: torch.view_as_real(torch.view_as_complex(torch.stack((x, y), -1)))),
    ("complex", lambda m, x, y: torch.view_as_real(torch.complex(x, y))),
    ("detach", lambda m, x, y: x * y.detach()),
]


@pytest.mark.parametrize(("operator", "apply"), CASES)
def test_as_torch_runs_it(operator, apply):
    torch.manual_seed(0)
    module, x = Model(apply), torch.rand(6, 12)
    expected = measured(module, x)
    graph = graphacct.build((module, (x,)))
    assert operator in {node.operator for node in graph.walk()}
    total = graphacct.account(graph, phase="train", profile="torch-eager-cpu").total
    assert (total["step_matmul_flops"], total["saved_bytes"]) == expected
