"""Roles: the same words for every family. Figures are arithmetic on the published sizes."""

from __future__ import annotations

import pytest

import graphacct
from graphacct.hooks.manager import default
from graphacct.reports.parts import Parts


@pytest.mark.parametrize(
    ("model", "router"),
    [
        ("mixtral-8x7b", 32 * 8 * 4096),
        ("deepseek-v3", 58 * 256 * 7168),  # its weight is cast to float32 before the product
        ("qwen3-next-80b-a3b-instruct", 48 * 512 * 2048),  # its shared expert is 512 wide, as many as there are experts
        ("gpt-oss-20b", 24 * (32 * 2880 + 32)),
    ],
)
def test_the_router_is_what_chooses_experts(model: str, router: int) -> None:
    report = graphacct.account(model, seq_len=8, quantities=["params"])
    assert Parts(report, default().operators).by_role["router"]["params"] == router


def test_the_parts_of_a_decoder_sum_to_it() -> None:
    """GPT-2: two tables, 12 layers of 4 d² and 8 d² with their biases, 25 norms of 2 d; the head is the table again."""
    report = graphacct.account("gpt2", seq_len=8, quantities=["params"])
    found = {role: values["params"] for role, values in Parts(report, default().operators).by_role.items()}
    d = 768
    assert found == {
        "embedding": (50257 + 1024) * d,
        "attention": 12 * (4 * d * d + 4 * d),
        "mlp": 12 * (8 * d * d + 5 * d),
        "norms": 25 * 2 * d,
        "head": 0,
        "other": 0,
    }
    assert sum(found.values()) == report.total["params"]
