"""Odd modules: parameters and their names as torch has them, matmul FLOPs as its counter or arithmetic says."""

import pytest
import torch
from odd_modules import MODULES
from torch import nn

import graphacct


@pytest.mark.parametrize("make", MODULES, ids=lambda make: make.__name__)
def test_parameters_and_products(make):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module, args, kwargs, flops = make()
    graph = graphacct.build((module, args, kwargs))
    report = graphacct.account(graph)
    if flops is None:
        counter = FlopCounterMode(display=False)
        with counter:
            module(*args, **kwargs)
        flops = counter.get_total_flops()
    assert report.total["matmul_flops"] == flops
    assert report.total["params"] == sum(p.numel() for p in module.parameters())
    named = {parameter.name for node in graph.unroll().walk() for parameter in node.parameters}
    assert named >= {name for name, _ in module.named_parameters()}
    assert not report.coverage.uncosted
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("phase", ["forward", "train"])
def test_a_module_that_casts_a_part_in_its_forward(phase):
    """To the dtype that it has, as routers do."""

    class Router(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))

        def forward(self, x):
            self.part = self.part.to(torch.float32)
            return self.part(x.float()).sum()

    convert = nn.Module._apply
    report = graphacct.account((Router(), (torch.zeros(2, 4),)), phase=phase)
    assert report.total["forward_matmul_flops" if phase == "train" else "matmul_flops"] == 2 * 2 * 4 * 8
    assert nn.Module._apply is convert
