"""Functions of torch that a GPU has a kernel for: one node each, whatever a CPU calls for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from graphacct_torch.stated import cost
from torch import nn
from torch.nn import functional

import graphacct
from graphacct import Work


class Attending(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.project, self.options = nn.Linear(16, 48), options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.project(x).view(x.shape[0], 6, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        return functional.scaled_dot_product_attention(q, k, v, **self.options)


X = torch.zeros(2, 6, 16)


def of(module: nn.Module, *inputs: torch.Tensor) -> dict[str, str]:
    return {node.name: node.operator for node in graphacct.build((module, inputs)).walk()}


def test_attention_is_one_node_where_the_cpu_has_no_kernel_for_it() -> None:
    """There it is a chain with dropout; on a GPU the dropout is in the kernel, which stores no scores."""
    module = Attending(dropout_p=0.1)
    assert of(module, X)["scaled_dot_product_attention"] == "scaled_dot_product_attention"
    saved = {
        profile: graphacct.memory((module, (X,)), loss="sum", profile=profile).saved_activations
        for profile in ("torch-eager-cuda", "torch-eager-cpu", "as-recorded")
    }
    assert saved["torch-eager-cpu"] == saved["as-recorded"]
    # the projection, the output, a logsumexp of 32 rows for 6, the random state
    assert saved["torch-eager-cuda"] == 4 * (2 * 6 * 48 + 2 * 6 * 16 + 2 * 4 * 32) + 16


def test_products_of_attention_are_those_that_ran() -> None:
    report = graphacct.account((Attending(dropout_p=0.1), (X,)), phase="train", loss="sum")
    assert report["scaled_dot_product_attention"].values["matmul_flops"] == 2 * 2 * (2 * 4 * 6 * 6 * 4)
    graph = graphacct.build((Attending(dropout_p=0.1), (X,)), phase="train", loss="sum")
    assert graph.origin is not None
    ran = sum(call.matmul_flops for call in graph.origin.record(graph, True, False).calls)
    assert report.total["step_matmul_flops"] == ran


def test_attention_of_three_dimensions_is_as_it_ran() -> None:
    class Flat(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.scaled_dot_product_attention(x, x, x)

    assert "scaled_dot_product_attention" not in of(Flat(), X).values()


@pytest.mark.parametrize("affine", [True, False])
def test_rms_norm_is_one_node_named_after_its_module(affine: bool) -> None:
    module = nn.Sequential(nn.Linear(16, 16), nn.RMSNorm(16, elementwise_affine=affine))
    assert of(module, X) == {"0": "linear", "1": "rms_norm"}


def test_torch_has_its_functions_back() -> None:
    before = functional.rms_norm, functional.scaled_dot_product_attention
    of(nn.RMSNorm(16), X)
    assert (functional.rms_norm, functional.scaled_dot_product_attention) == before


def test_a_function_reads_an_argument_that_its_fake_does_not() -> None:
    """Of two views one is not touched by any call: it is an operand all the same."""

    @cost(lambda gate, up: Work(vector_flops=gate.elements), fake=lambda gate, up: torch.empty_like(gate))
    def gated(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("starts a kernel")

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.up = nn.Linear(16, 8), nn.Linear(16, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return gated(self.gate(x), self.up(x))

    [node] = [node for node in graphacct.build((Gated(), (X,))).walk() if node.operator == "custom"]
    assert [operand.name for operand in node.inputs] == ["gate", "up"]


def test_sizes_that_are_symbols() -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.RMSNorm(16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return doubled(self.norm(x))

    @cost(lambda x: Work(vector_flops=x.elements))
    def doubled(x: torch.Tensor) -> torch.Tensor:
        return (x + x).clone()

    for module in (Normed(), Attending(dropout_p=0.1)):
        inputs = ((X,), {})
        formula = graphacct.account(module, inputs=inputs, dynamic={"batch": 0}).total["flops"]
        assert (
            formula.subs(dict.fromkeys(formula.free_symbols, 2))
            == graphacct.account(module, inputs=inputs).total["flops"]
        )
