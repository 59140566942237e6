"""Funnel Transformer: figures of the library's classes, and what is refused.

Measured with `graphacct verify --torch` (transformers 5.23, torch 2.13), batch 1, seq_len 8.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = {
    **{"model_type": "funnel", "vocab_size": 40, "d_model": 8, "n_head": 2, "d_head": 6, "d_inner": 12},
    "block_sizes": [2, 1, 2],
}
OTHER = {"attention_type": "factorized", "pool_q_only": False, "separate_cls": False}
MEASURED: tuple[tuple[dict[str, Any], int, int], ...] = (
    ({"block_repeats": [1, 2, 1]}, 6048, 104_640),
    ({"architectures": ["FunnelBaseModel"], **OTHER}, 4416, 50_432),
)


@pytest.mark.parametrize(("content", "params", "flops"), MEASURED, ids=lambda value: str(value)[:30])
def test_figures_of_the_librarys_classes(content: dict[str, Any], params: int, flops: int) -> None:
    found = graphacct.account({**SMALL, **content}, seq_len=8, quantities=("params", "matmul_flops"))
    assert (found.total["params"], found.total["matmul_flops"]) == (params, flops)


def test_a_layer_that_runs_twice_is_stored_once() -> None:
    once = graphacct.account(SMALL, seq_len=8, quantities=("params",)).total["params"]
    twice = graphacct.account({**SMALL, "block_repeats": [2, 2, 2]}, seq_len=8, quantities=("params",)).total["params"]
    assert once == twice == 6048


REFUSED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"block_repeats": [1, 2]}, 8, "block_repeats has 2 counts and block_sizes 3: give one for each block"),
    ({"block_repeats": 2}, 8, "block_repeats is a list of counts, or null, not 2"),
    ({}, 4, "seq_len 4 leaves block 2 2 tokens, too few to pool"),
    ({}, 1, "seq_len is 1: separate_cls pools the first token apart, so a text has at least 2"),
)


@pytest.mark.parametrize(("content", "seq_len", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_is_refused(content: dict[str, Any], seq_len: int, message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, **content}, seq_len=seq_len)
