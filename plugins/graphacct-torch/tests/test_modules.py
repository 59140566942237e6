"""Odd modules: parameters and their names as torch has them, matmul FLOPs as its counter or arithmetic says."""

import pytest
from odd_modules import MODULES

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
