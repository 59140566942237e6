"""What masks of attention leave, against the scores that the library's classes leave unmasked.

tests/goldens/attention_pairs.json has for each softmax of a class its queries, keys and the pairs that no mask hides,
as `tests/verify/attention_pairs.py` measured them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.graph.attention_masks import attention_masks
from graphacct.graph.places import nodes
from graphacct.hooks.manager import default

CASES = json.loads((Path(__file__).parents[3] / "tests" / "goldens" / "attention_pairs.json").read_text())["cases"]
OPERATORS = default().operators
BY_TYPE: dict[str, list[Any]] = {}
for case in CASES:
    BY_TYPE.setdefault(case["config"]["model_type"], []).append(case)


def pairs(config: dict[str, Any], workload: dict[str, int], attention: str) -> list[list[int]]:
    """The queries, keys and pairs within the window of each attention, in the order in which they run. A column of
    sinks is a key that all queries see."""
    graph = graphacct.build(config, attention=attention, **workload).unroll()
    masks = attention_masks(graph, OPERATORS)
    found = []
    for node, _ in nodes(graph):
        part = OPERATORS[node.operator].attention
        if not part:
            continue
        scores = node.values[0].spec.shape
        if part == "whole":
            queries, keys = scores[-2], node.values[1].spec.shape[-2] + node.operator.endswith("_sinks")
        elif len(scores) == 4:
            queries, keys = scores[-2:]
        else:
            continue
        mask = masks.get(node.name)
        seen = queries * keys if mask is None else mask.pairs("window") + queries * (keys - mask.keys)
        found.append([queries, keys, seen])
    return found


@pytest.mark.parametrize("kind", sorted(BY_TYPE))
def test_a_query_sees_as_many_keys_as_in_the_library(kind: str) -> None:
    for case in BY_TYPE[kind]:
        for attention in ("eager", "fused") if kind != "xlm" else ("eager",):
            given = (case["config"], case["workload"], attention)
            assert pairs(*given) == case["pairs"], given


def test_gemma_3_1b_at_8192() -> None:
    """4 layers of s (s + 1) / 2 pairs, and 22 with a window of 512: w (w + 1) / 2 + (s - w) w."""
    sizes: dict[str, Any] = {"seq_len": 8192, "convention": "matmul"}
    full, seen = (graphacct.account("gemma-3-1b", mask=mask, **sizes).total["flops"] for mask in ("full", "window"))
    hidden = 26 * 8192**2 - (4 * 33_558_528 + 22 * 4_063_488)
    assert full - seen == 4 * 4 * 256 * hidden
