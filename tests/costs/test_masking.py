"""`--mask`: which of attention's pairs of positions are counted."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy
import pytest
import sympy

import graphacct
from graphacct.hooks.manager import default
from graphacct.operators.mask import MASKS, Mask
from graphacct.reports.unrolled import unrolled

QUANTITIES = ["step_flops", "hardware_flops", "matmul_flops", "vector_flops", "transcendentals"]


def total(model: Any, mask: str, **options: Any) -> dict[str, Any]:
    return dict(graphacct.account(model, mask=mask, **options).total)


def seen(mask: Any, query: int, key: int) -> bool:
    """Whether a query sees a key, by the definition."""
    positions = mask.keys - mask.shared
    if key >= positions:
        return True
    here = positions - mask.queries + query
    if mask.chunk is not None and here // mask.chunk != key // mask.chunk:
        return False
    if mask.window is not None and key <= here - mask.window:
        return False
    if not mask.causal:
        ahead = mask.window - 1 if mask.ahead is None and mask.window is not None else mask.ahead
        return ahead is None or key <= here + ahead
    return key <= here or max(here, key) < mask.prefix


@pytest.mark.parametrize("queries", [1, 2, 7])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_pairs_are_those_of_the_definition(queries: int, before: int) -> None:
    for window, chunk, shared in product((None, 1, 3, 20), (None, 1, 3, 20), (0, 2)):
        if window is not None and chunk is not None:
            continue
        mask = Mask(queries, before + queries + shared, window=window, chunk=chunk, shared=shared)
        by_hand = sum(seen(mask, q, k) for q in range(queries) for k in range(mask.keys))
        assert mask.pairs("window") == by_hand
        plain = Mask(queries, mask.keys, shared=shared)
        assert mask.pairs("causal") == sum(seen(plain, q, k) for q in range(queries) for k in range(mask.keys))
        assert mask.pairs("full") == queries * mask.keys


@pytest.mark.parametrize(("window", "ahead"), [(1, None), (3, None), (3, 0), (2, 5), (9, 9)])
def test_a_window_both_ways(window: int, ahead: int | None) -> None:
    """No causal mask halves attention that goes both ways; its window counts on both sides."""
    mask = Mask(7, 7, causal=False, window=window, ahead=ahead)
    assert mask.pairs("window") == sum(seen(mask, q, k) for q in range(7) for k in range(7))
    assert mask.pairs("causal") == mask.pairs("half") == 49


def test_a_prefix_sees_itself() -> None:
    mask = Mask(7, 7, prefix=3)
    assert mask.pairs("causal") == sum(seen(mask, q, k) for q in range(7) for k in range(7)) == 28 + 3


@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2_by_hand(attention: str) -> None:
    """Per pair 4 · 64 in products and 7 besides (scale, mask, 5 of the softmax), of 12 heads and 12 layers."""
    sizes: dict[str, Any] = {"seq_len": 5, "attention": attention}
    full = total("gpt2", "full", **sizes)
    for mask, pairs in (("causal", 15), ("window", 15)):
        found = total("gpt2", mask, **sizes)
        assert full["matmul_flops"] - found["matmul_flops"] == 144 * (25 - pairs) * 4 * 64
        assert full["vector_flops"] - found["vector_flops"] == 144 * (25 - pairs) * 7
        assert full["transcendentals"] - found["transcendentals"] == 144 * (25 - pairs)
    half = total("gpt2", "half", **sizes)  # of 25 pairs 12.5 in products, 12 besides
    assert full["matmul_flops"] - half["matmul_flops"] == 144 * 25 * 2 * 64
    assert full["vector_flops"] - half["vector_flops"] == 144 * 13 * 7
    changed = {name for name in full if full[name] != found[name]}
    assert changed == {"matmul_flops", "vector_flops", "flops", "transcendentals", "macs"}


@pytest.mark.parametrize(
    "model",
    [
        "gemma-2-2b",
        "mistral-7b",
        "gpt-oss-20b",
        "deepseek-v3",
        "deepseek-v3.2",
        "deepseek-v4-flash",
        "t5-small",
        "bert-base-uncased",
    ],
)
@pytest.mark.parametrize("mask", ["causal", "half", "window"])
def test_written_out_and_fused_attention_agree(model: str, mask: str) -> None:
    """What a mask hides is the same of both, in a step too; products alone, since gpt-oss written out subtracts the
    largest score twice."""
    windowed = {"set": {"sliding_window": 8}} if model[:3] in ("gem", "mis", "gpt") else {}
    sizes: dict[str, Any] = {"seq_len": 33, **windowed}
    hidden = []
    for attention in ("eager", "fused"):
        options = {**sizes, "attention": attention, "convention": "matmul", "phase": "train", "quantities": QUANTITIES}
        hidden.append(total(model, "full", **options)["step_flops"] - total(model, mask, **options)["step_flops"])
    assert hidden[0] == hidden[1]
    assert (hidden[0] > 0) == (model != "bert-base-uncased")


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("mask", ["causal", "half", "window"])
def test_folded_is_unrolled(mask: str, attention: str) -> None:
    sizes = {"sliding_window": 8, "num_hidden_layers": 4}
    report = graphacct.account("gemma-2-2b", seq_len=33, mask=mask, attention=attention, set=sizes)
    assert unrolled(report).total == report.total


def test_parts_sum_and_a_step_is_three_times_forward_in_products() -> None:
    options: dict[str, Any] = {"seq_len": 32, "mask": "causal", "convention": "matmul"}
    step = graphacct.account("gpt2", phase="train", quantities=QUANTITIES, **options)
    assert step.total["step_flops"] == 3 * graphacct.account("gpt2", **options).total["flops"]
    assert sum(row.values["step_flops"] for row in step.by_operator) == step.total["step_flops"]


def test_a_decoding_step_sees_all_of_its_cache() -> None:
    """One query on 9 earlier tokens sees 10 keys, and what a window of 4 leaves of the cache."""
    for model, attention in product(("gpt2", "mistral-7b"), ("eager", "fused")):
        sizes: dict[str, Any] = {"phase": "decode", "cache_len": 9, "attention": attention}
        figures = {mask: total(model, mask, **sizes)["flops"] for mask in MASKS}
        assert len(set(figures.values())) == 1


def test_cross_attention_and_encoders_are_never_causal() -> None:
    """T5: only the decoder's own attention hides pairs, s (s - 1) / 2 of each head of its 6 layers."""
    sizes: dict[str, Any] = {"seq_len": 7, "encoder_seq_len": 11, "convention": "matmul"}
    assert total("t5-small", "full", **sizes)["flops"] - total("t5-small", "causal", **sizes)["flops"] == (
        6 * 8 * 21 * 4 * 64
    )
    assert total("bert-base-uncased", "half", seq_len=7) == total("bert-base-uncased", "full", seq_len=7)


def test_formulas_have_symbols() -> None:
    """A window is a formula too, whose value is the int's."""
    s = sympy.Symbol("s", integer=True, positive=True)
    for mask in MASKS:
        found = graphacct.account("mistral-7b", seq_len=s, mask=mask, convention="matmul").total["flops"]
        for length in (100, 5000):
            exact = graphacct.account("mistral-7b", seq_len=length, mask=mask, convention="matmul").total["flops"]
            assert sympy.sympify(found).subs({s: length}) == exact


def test_a_sweep_has_the_ints_figures() -> None:
    lengths = [4097, 5001, 8192]
    for mask in MASKS:
        sizes: dict[str, Any] = {"mask": mask, "convention": "matmul"}
        found: Any = graphacct.account("mistral-7b", seq_len=numpy.array(lengths, dtype=object), **sizes).total["flops"]
        assert list(found) == [graphacct.account("mistral-7b", seq_len=n, **sizes).total["flops"] for n in lengths]


def test_a_convention_has_a_mask_of_its_own() -> None:
    """Megatron's of 2025 is that of 2024 with half of the pairs; `--mask` goes before it."""
    options: dict[str, Any] = {"seq_len": 64, "phase": "train", "quantities": ["step_flops"]}
    old, new = (graphacct.account("gpt2", convention=name, **options) for name in ("megatron", "megatron-2025"))
    assert (old.mask, new.mask) == ("full", "half")
    assert total("gpt2", "half", convention="megatron", **options) == new.total
    assert total("gpt2", "full", convention="megatron-2025", **options) == old.total
    assert graphacct.account("gpt2", convention="megatron:half", **options).total == new.total


def test_a_word_that_is_no_mask() -> None:
    with pytest.raises(graphacct.ConfigError, match=r"mask is full, causal, half or window, not 'casual'.*causal"):
        graphacct.account("gpt2", mask="casual")
    with pytest.raises(graphacct.ConfigError, match="not ''"):
        graphacct.account("gpt2", convention="matmul:")


def test_what_the_outputs_say() -> None:
    report = graphacct.account("gpt2", seq_len=8, mask="causal")
    assert report.to_dict()["mask"] == "causal"
    assert "convention exact, mask causal;" in str(report)
    assert graphacct.account("gpt2", seq_len=8).to_dict()["mask"] == "full"
    line = graphacct.explain(report, "sdpa", "matmul_flops").lines[0]
    assert line.formula == "2 · b · h · pairs · (d + e)"
    assert line.value == 12 * 36 * 4 * 64
    with pytest.raises(graphacct.ConfigError, match="several conventions"):
        graphacct.compare(report, graphacct.account("gpt2", seq_len=8))
    with pytest.raises(graphacct.ConfigError, match="two conventions, exact:causal and exact"):
        graphacct.diff(report, graphacct.account("gpt2", seq_len=8))


def written(mask: str) -> graphacct.Graph:
    """Attention of 6 tokens in one operator, with a mask that a comparison makes, or that says what it hides."""
    b = graphacct.Builder("module", default().operators)
    q, k, v = (b.input(name, (1, 2, 6, 4)) for name in "qkv")
    if mask == "compared":
        rows, columns = b.input("rows", (6, 1), "int64"), b.input("columns", (1, 6), "int64")
        hidden = b.apply("le", columns, rows, name="seen")
    else:
        hidden = b.apply("causal_mask", seq=6, window=2, dtype="bool", name="seen")
    y = b.apply("scaled_dot_product_attention", q, k, v, hidden, name="sdpa")
    return b.graph(y)


def test_a_mask_that_a_module_computes_is_refused() -> None:
    """A captured module's comparisons do not say what they hide. A mask that an operator makes does."""
    with pytest.raises(graphacct.ConfigError, match=r"'sdpa': its attention's mask is computed by node 'seen'"):
        graphacct.account(captured(written("compared")), mask="causal")
    assert graphacct.account(captured(written("compared")), convention="matmul").total["flops"] == 2 * 36 * 16
    assert (
        graphacct.account(captured(written("made")), convention="matmul", mask="window").total["flops"] == 2 * 11 * 16
    )


def captured(graph: graphacct.Graph) -> graphacct.Graph:
    return graphacct.evolve(graph, origin=graphacct.Origin(lambda *run: None, lambda loss: None))


def test_masks_that_do_not_agree_are_refused() -> None:
    b = graphacct.Builder("odd", default().operators)
    q, k, v = (b.input(name, (1, 2, 6, 4)) for name in "qkv")
    wide, narrow = (b.apply("causal_mask", seq=6, window=width, name=f"mask_{width}") for width in (4, 2))
    y = b.apply("scaled_dot_product_attention", q, k, v, b.apply("add", wide, narrow, name="both"), name="sdpa")
    with pytest.raises(graphacct.ConfigError, match=r"'sdpa': its attention has several masks, .*mask='full'"):
        graphacct.account(b.graph(y), mask="window")
