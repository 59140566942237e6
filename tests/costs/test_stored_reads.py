"""The traffic of products whose weights are stored in another form."""

from __future__ import annotations

import pytest

import graphacct
from graphacct.errors import GraphacctError
from graphacct.graph.weight_format import StoredWeight
from graphacct.hooks.manager import default
from graphacct.models.weight_formats import weight_format
from graphacct.tensors import TensorSpec

D = 2048
BITS = {"int8": D * D + 4 * D, "nf4": D * D // 2 + D * D // 64 * 4 + 64}


def of_q(**options: object) -> dict[str, int]:
    """The figures of one layer's q_proj of llama-3.2-1b, 2048 × 2048."""
    options = {"set": {"num_hidden_layers": 1}, **options}
    report = graphacct.account("llama-3.2-1b", **options)  # type: ignore[arg-type]
    return report["model.layers.*.self_attn.q_proj"].values


def test_a_direct_product_reads_what_is_stored() -> None:
    """x and the stored matrix are read, the result is written: 5 rows of 2048 elements of 2 bytes each."""
    found = of_q(seq_len=5, weights="int8")
    assert found["read_bytes"] == 5 * D * 2 + BITS["int8"]
    assert found["write_bytes"] == 5 * D * 2


def test_a_copy_is_written_and_read() -> None:
    """bitsandbytes writes a 4-bit matrix out before a product of several rows, which reads the copy."""
    found = of_q(seq_len=5, weights="nf4")
    assert found["read_bytes"] == 5 * D * 2 + BITS["nf4"] + 2 * D * D
    assert found["write_bytes"] == 5 * D * 2 + 2 * D * D


def test_a_single_row_reads_directly() -> None:
    """One new token: bitsandbytes' kernel for a vector."""
    found = of_q(phase="decode", cache_len=7, weights="nf4")
    assert found["read_bytes"] == D * 2 + BITS["nf4"]
    assert found["write_bytes"] == D * 2


def test_experts_that_are_chosen() -> None:
    """Of 8 experts one token's two are read: a quarter of what is stored."""
    options = {"phase": "decode", "cache_len": 7, "set": {"num_hidden_layers": 1}, "weights": "q8_0"}
    report = graphacct.account("mixtral-8x7b", **options)  # type: ignore[arg-type]
    found = report["model.layers.*.mlp.experts.down_proj"].values
    ends, rows = 8 * 4, 2 * 14336 * 2
    assert found["param_bytes"] == 8 * 4096 * 14336 * 34 // 32
    assert found["read_bytes"] == rows + ends + found["param_bytes"] // 4


def test_rows_that_are_looked_up() -> None:
    """Of a quantised table the rows of 5 tokens: 5 · 2048 · 34 / 32 bytes, and the ids."""
    report = graphacct.account("llama-3.2-1b", seq_len=5, weights="q8_0:all")
    assert report["model.embed_tokens"].values["read_bytes"] == 5 * 8 + 5 * D * 34 // 32


def test_a_symbol_is_several_rows() -> None:
    """That is assumed, and the report says so; the numbers put in give those of that many rows."""
    import sympy

    rows = sympy.Symbol("rows", positive=True, integer=True)
    report = graphacct.account("llama-3.2-1b", set={"num_hidden_layers": 1}, seq_len=rows, weights="nf4")
    assert (rows > 1) in report.conditions
    found = report["model.layers.*.self_attn.q_proj"].values
    assert found["read_bytes"].subs({rows: 5}) == of_q(seq_len=5, weights="nf4")["read_bytes"]
    assert of_q(seq_len=rows, weights="int8")["read_bytes"].subs({rows: 5}) == 5 * D * 2 + BITS["int8"]  # type: ignore[attr-defined]


def test_a_sweep_over_one_row_and_several() -> None:
    """Its points run other kernels: an error."""
    import numpy

    stored = StoredWeight(weight_format("nf4", default().weight_formats), 64, 64)
    with pytest.raises(GraphacctError, match="are in this order at 1 of 2 points of the sweep"):
        stored.written_out(TensorSpec((numpy.array([1, 5], object), 64)))
    assert stored.written_out(TensorSpec((numpy.array([2, 5], object), 64)))
