"""The README's code runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch
from graphacct_torch import stated

import graphacct

README = Path(__file__).parents[1] / "README.md"
FIRST, SECOND = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)


@pytest.fixture(autouse=True)
def no_costs(monkeypatch):
    monkeypatch.setattr(stated, "STATED", {})


def test_a_custom_operator(tmp_path):
    file = tmp_path / "scan.py"
    file.write_text(FIRST)
    total = graphacct.account(f"{file}:mixer", phase="train").total
    elements = 8 * 128 * 64
    assert total["matmul_flops"] == 2 * elements * 64
    assert total["forward_flops"] == 2 * elements * 64 + elements + 2 * elements
    assert total["weight_grad_matmul_flops"] == 2 * elements * 64


def test_a_function_that_starts_a_kernel():
    names = {"graphacct": graphacct, "graphacct_torch": __import__("graphacct_torch")}
    exec(SECOND, names)

    class Model(torch.nn.Module):
        def forward(self, q, k):
            return names["scores"](q, k)

    inputs = (torch.zeros(2, 3, 8), torch.zeros(2, 5, 8))
    assert graphacct.account((Model(), inputs)).total["matmul_flops"] == 2 * 2 * 3 * 8 * 5
