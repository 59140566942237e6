"""Plain records."""

from __future__ import annotations

import partial
import pytest
import sympy

from graphacct import account
from graphacct.errors import UnknownNameError


@pytest.mark.parametrize(("by", "key"), [("operator", "operator"), ("node", "name"), ("parameter", "name")])
def test_rows_add_up_to_the_total(by: str, key: str) -> None:
    """Operators, nodes and parameters each hold every parameter of gpt2 (124,439,808, the published count) once."""
    rows = account("gpt2", attention="eager").records(by)
    assert len({row[key] for row in rows}) == len(rows)
    assert sum(row["params"] for row in rows) == 124_439_808


def test_nodes_come_in_schedule_order_with_their_shapes() -> None:
    """The first node looks tokens up and the last makes logits."""
    rows = account("gpt2", attention="eager", seq_len=8).records("node")
    assert (rows[0]["name"], rows[0]["shapes"]) == ("transformer.wte", [[1, 8, 768]])
    assert (rows[-1]["name"], rows[-1]["shapes"]) == ("lm_head", [[1, 8, 50257]])
    assert len(rows) == 31


def test_a_node_without_a_cost_has_none() -> None:
    """Its figures are None, not 0."""
    rows = {row["name"]: row for row in partial.report().records("node")}
    assert rows["transformer.h.*.attn.softmax"]["flops"] is None
    assert rows["transformer.h.*.attn.softmax"]["share"] is None
    assert rows["lm_head"]["flops"] == 2 * 1024 * 768 * 50257


def test_symbols_are_text() -> None:
    """A record holds what any table library can: the formula's text, not the symbol."""
    n = sympy.Symbol("n", positive=True, integer=True)
    rows = account("gpt2", attention="eager", batch=n, seq_len=8).records("operator")
    assert all(isinstance(row["flops"], (int, str)) for row in rows)
    assert "n" in next(row["flops"] for row in rows if row["operator"] == "softmax")


def test_an_unknown_grouping_is_answered_with_the_closest() -> None:
    """The error names the groupings there are."""
    with pytest.raises(UnknownNameError, match=r"'operators'.*'operator'"):
        account("gpt2", attention="eager").records("operators")
