"""Operations in place, on a whole tensor and through views, against torch's own run on a CPU: FLOPs of products, bytes
saved for the backward pass, and the forward pass's peak."""

import gc

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import graphacct
from graphacct import account


class Alive(TorchDispatchMode):
    """The most bytes of new storages alive after an operator."""

    def __init__(self, before):
        super().__init__()
        self.before, self.alive, self.peak = before, {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.before:
                storage = tensor.untyped_storage()
                self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.alive = {key: item for key, item in self.alive.items() if not item[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return out


def measured(module, *inputs):
    """FLOPs of products of a step, bytes saved, and the forward pass's peak, as torch has them."""
    gc.collect()
    before = {t.untyped_storage()._cdata for t in (*module.parameters(), *module.buffers(), *inputs)}
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in before:
            saved[storage._cdata] = storage
        return tensor

    with Alive(before) as alive:
        loss = module(*inputs)
    del loss
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = module(*inputs)
    found = sum(storage.nbytes() for storage in saved.values())
    del loss
    with FlopCounterMode(display=False) as counter:
        module(*inputs).backward()
    return counter.get_total_flops(), found, alive.peak


def ours(module, *inputs):
    total = account((module, inputs), phase="train", profile="torch-eager-cpu").total
    return (
        total["step_matmul_flops"],
        total["saved_bytes"],
        graphacct.memory((module, inputs), phase="train", profile="torch-eager-cpu").forward_peak,
    )


class Model(nn.Module):
    """Two linear layers, and between them what a case does to the first one's output."""

    def __init__(self, between):
        super().__init__()
        self.between = between
        self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)
        self.scale = nn.Parameter(torch.ones(12))
        self.register_buffer("cache", torch.zeros(6, 12))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        return self.b(self.between(self, self.a(x), x)).sum()


def relu_(m, y, x):
    return y.relu_()


def add_(m, y, x):
    y += x
    return y


def mul_by_a_number(m, y, x):
    return y.mul_(2.0)


def mul_by_a_parameter(m, y, x):
    return y.mul_(m.scale)


def clamp_(m, y, x):
    return y.clamp_(min=0)


def masked_fill_(m, y, x):
    return y.masked_fill_(x > 0, 0.0)


def leaky_relu_(m, y, x):
    return F.leaky_relu(y, 0.1, inplace=True)


def hardtanh_(m, y, x):
    return F.relu6(y, inplace=True)


def elu_(m, y, x):
    return F.elu(y, inplace=True)


def silu_(m, y, x):
    return F.silu(y, inplace=True)


def sigmoid_(m, y, x):
    return y.sigmoid_()


def copied_over(m, y, x):
    y.copy_(x * m.scale)
    return y


def zeroed(m, y, x):
    z = y * 2
    return z.zero_() + y


def column_from_a_parameter(m, y, x):
    y[:, 0] = m.scale[:6]
    return y


def slice_of_a_fresh_tensor(m, y, x):
    out = torch.zeros(6, 12)
    out[:3] = y[:3]
    out[3:] = y[3:] * 2
    return out


def a_view_from_before_sees_it(m, y, x):
    top = y[:3]
    y.mul_(3.0)
    return torch.cat([top, y[3:]])


def base_sees_a_write_through_two_views(m, y, x):
    y[:, 4:].view(6, 2, 4)[:, 0].add_(1.0)
    return y


def through_a_transpose(m, y, x):
    y.t().mul_(2.0)
    return y


def through_a_reshape(m, y, x):
    y.view(-1).relu_()
    return y


def select_copy(m, y, x):
    y.select(1, 3).copy_(x.select(1, 0))
    return y


def fill_a_slice(m, y, x):
    y[1:3].fill_(0.5)
    return y


def split_parts(m, y, x):
    y = y.clone()
    left, right = y[:, :6], y[:, 6:]
    left.add_(right)
    return torch.cat([right, left], -1)


def buffer_kept_as_cache(m, y, x):
    m.cache[:3].copy_(y[:3].detach())
    m.seen.add_(1)
    return y + m.cache


def under_no_grad(m, y, x):
    with torch.no_grad():
        y[:, 0].zero_()
    return y


def through_data(m, y, x):
    y.data.clamp_(min=0)
    return y


CASES = [
    *(relu_, add_, mul_by_a_number, mul_by_a_parameter, clamp_, masked_fill_, leaky_relu_, hardtanh_, elu_, silu_),
    *(sigmoid_, copied_over, zeroed, column_from_a_parameter, slice_of_a_fresh_tensor, a_view_from_before_sees_it),
    *(base_sees_a_write_through_two_views, through_a_transpose, through_a_reshape, select_copy, fill_a_slice),
    *(split_parts, buffer_kept_as_cache, under_no_grad, through_data),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_in_place_as_torch_runs_it(case):
    flops, saved, peak = measured(Model(case), torch.rand(6, 12))
    assert ours(Model(case), torch.rand(6, 12)) == (flops, saved, peak)


class Written(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(12, 12)

    def forward(self, x):
        x[:, :4] += 1.0
        return self.a(x).sum()


def test_an_input_is_written():
    assert ours(Written(), torch.rand(6, 12)) == measured(Written(), torch.rand(6, 12))
    graph = graphacct.build((Written(), (torch.rand(6, 12),)))
    assert [node.operator for node in graph.walk()][:3] == ["slice", "shift", "written_through"]


def test_a_view_is_taken_again_of_what_was_written():
    graph = graphacct.build((Model(a_view_from_before_sees_it), (torch.rand(6, 12),)))
    nodes = {node.name: node for node in graph.walk()}
    assert nodes["scale_2"].attributes == {"in_place": True}
    assert [value.name for value in nodes["concat"].inputs] == ["slice_3", "slice_2"]
    assert [value.name for value in nodes["slice_3"].inputs] == ["scale_2"]  # not a's output, as `top` was taken of


def test_a_buffer_that_is_written_and_read_again():
    graph = graphacct.build((Model(buffer_kept_as_cache), (torch.rand(6, 12),)))
    nodes = {node.name: node for node in graph.walk()}
    written = nodes["written_through"]
    assert [operand.name for operand in written.inputs] == ["cache", "copy_into"]
    assert [operand.name for operand in nodes["add"].inputs] == ["a", "written_through"]
    assert nodes["shift"].inputs[0].name == "seen"
    assert account((Model(buffer_kept_as_cache), (torch.rand(6, 12),))).total["vector_flops"] == 12 * 6 * 3 + 72


def test_saved_graph_is_read_without_torch(tmp_path):
    graph = graphacct.build((Model(fill_a_slice), (torch.rand(6, 12),)))
    graphacct.save(graph, str(tmp_path / "net.json"))
    assert account(graphacct.load(str(tmp_path / "net.json"))).total == account(graph).total
