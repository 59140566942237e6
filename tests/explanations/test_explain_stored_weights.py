"""Explanations of a node whose weight is stored in another form."""

from __future__ import annotations

import pytest

import graphacct

D = 2048
SIZES = {"num_hidden_layers": 1}


def line(quantity: str, **options: object) -> graphacct.explanations.lines.ExplainedQuantity:  # type: ignore[name-defined]
    """One explained quantity of llama-3.2-1b's q_proj, 2048 × 2048."""
    report = graphacct.account("llama-3.2-1b", set=SIZES, **options)  # type: ignore[arg-type]
    return graphacct.explain(report, "self_attn.q_proj", quantity).lines[0]


def test_bytes_tensor_by_tensor() -> None:
    found = line("param_bytes", seq_len=4, weights="nf4")
    assert found.substituted == "2,097,152 (weight) + 262,144 (absmax) + 64 (code)"
    assert found.exact == D * D // 2 + D * D // 64 * 4 + 64


def test_a_direct_read() -> None:
    """One row of 2,048 elements and the matrix in 16 bits, without the matrix, and with what is stored."""
    found = line("read_bytes", phase="decode", cache_len=9, weights="int8")
    assert found.formula == "all operands - weight as bfloat16 + weight as int8"
    assert found.substituted == "8,392,704 - 8,388,608 + 4,202,496"
    assert found.exact == found.value == 2 * D + D * D + 4 * D


@pytest.mark.parametrize(
    ("quantity", "formula", "exact"),
    [
        ("read_bytes", "all operands + weight as nf4", 4 * 2 * D + 2 * D * D + D * D // 2 + D * D // 16 + 64),
        ("write_bytes", "all outputs + weight written out as bfloat16", 4 * 2 * D + 2 * D * D),
    ],
)
def test_a_copy(quantity: str, formula: str, exact: int) -> None:
    """The product of 4 rows reads the copy that was written out before."""
    found = line(quantity, seq_len=4, weights="nf4")
    assert (found.formula, found.exact, found.value) == (formula, exact, exact)


def test_the_operand_says_its_form() -> None:
    report = graphacct.account("llama-3.2-1b", set=SIZES, seq_len=4, weights="q8_0")
    operands = graphacct.explain(report, "self_attn.q_proj").operands
    assert operands[1].endswith("self_attn.q_proj.weight bfloat16[2048, 2048], stored as q8_0")
