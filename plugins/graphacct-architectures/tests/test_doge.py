"""Doge: figures of the library's classes, and what is refused.

Measured with `graphacct verify --torch` (transformers 5.23, torch 2.13), seq_len 8.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = {
    **{"model_type": "doge", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 7, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "keep_window_size": 4},
}
EXPERTS = {"is_moe": True, "num_experts": 16, "num_experts_per_tok": 3}


def test_figures_of_the_librarys_class() -> None:
    """Two layers: projections of 16 to 16, 8, 8 and back, of 8 to one head's rate, 3 of the network, and products of 2
    heads of 8 with 8 keys; and the head."""
    found = graphacct.account(SMALL, seq_len=8, attention="eager", quantities=("params", "matmul_flops"))
    layer = 2 * 8 * (16 * 16 * 2 + 16 * 8 * 2 + 8 + 3 * 16 * 7) + 2 * 2 * 2 * 8 * 8 * 8
    assert found.total["matmul_flops"] == 2 * layer + 2 * 8 * 16 * 40
    more = graphacct.account({**SMALL, **EXPERTS}, seq_len=8, attention="eager", quantities=("params", "matmul_flops"))
    # per layer: a router to twice 4 keys, and for each token 3 neurons of two rows
    assert more.total["matmul_flops"] - found.total["matmul_flops"] == 2 * (2 * 8 * 16 * 8 + 2 * 2 * 8 * 3 * 16)
    assert more.total["params"] - found.total["params"] == 2 * (16 * 8 + 2 * 16 * 16)


def test_many_keys_are_cut_to_those_with_the_largest_rates() -> None:
    def operators(**options: Any) -> set[str]:
        graph = graphacct.build(SMALL, **options).unroll()
        return {node.operator for node in graph.nodes if isinstance(node, graphacct.Node)}

    assert "topk" in operators(seq_len=5)
    assert "topk" not in operators(seq_len=4)


def test_a_number_of_experts_is_needed() -> None:
    with pytest.raises(graphacct.GraphacctError, match="num_experts"):
        graphacct.account({**SMALL, **EXPERTS, "num_experts": "many"})
