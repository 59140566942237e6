"""Symbols and arrays give the figures of the numbers wherever their conditions hold, or they are refused."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy
import pytest
import sympy

from graphacct import Builder, ConfigError, Report, account, explain, memory
from graphacct.decisions import condition_text
from graphacct.hooks.manager import default
from graphacct.render.memory import to_dict
from graphacct.testing.numbers import Numbers

batch, seq, heads, width, depth = sympy.symbols("batch seq heads width depth", positive=True, integer=True)
POINTS = tuple({batch: b, seq: s} for b, s in ((1, 1), (1, 2), (2, 1), (2, 3), (3, 64), (2, 5000), (3, 9000)))
DECODERS = (
    *("gpt2", "llama-3.2-1b", "gemma-2-2b", "phi-3-mini-4k", "falcon-7b", "bloom-560m", "mixtral-8x7b"),
    *("deepseek-v2-lite", "gpt-oss-20b", "opt-125m", "mamba-130m", "jamba-v0.1"),
)
OTHERS = ("bert-base-uncased", "t5-small", "bart-base")
IMAGES = ("vit-base-patch16-224", "resnet18", "convnext-tiny-224")
SIZES: dict[str, dict[str, Any]] = {
    "forward": {"batch": batch, "seq_len": seq},
    "decode": {"batch": batch, "cache_len": seq},
}
FORWARD = [
    *((model, {**SIZES[phase], "phase": phase}) for model in DECODERS for phase in SIZES),
    *((model, {**SIZES["forward"], "phase": "forward"}) for model in OTHERS),
    *((model, {"batch": batch}) for model in IMAGES),
]
"""A model and its options."""
TRAINED: list[tuple[str, dict[str, Any]]] = [
    ("gpt2", {"batch": batch, "seq_len": seq}),
    ("llama-3.2-1b", {"batch": 2, "seq_len": seq, "dtype": "bf16", "recompute": "full"}),
    ("gpt2", {"batch": 2, "seq_len": 64, "set": {"n_head": heads, "n_embd": heads * width}}),
    ("gpt2", {"batch": 2, "seq_len": 64, "set": {"n_layer": depth}, "profile": "torch-eager-cpu"}),
]


numbers = lru_cache(maxsize=8)(lambda point: Numbers(dict(point)))
"""The numbers of a point: formulas of its rows share what their parts are worth."""


def at(value: Any, point: Mapping[Any, int]) -> Any:
    """A value with numbers for its symbols: for all of them at once, so that no formula of the others is simplified."""
    if isinstance(value, dict):
        return {name: at(item, point) for name, item in value.items()}
    return numbers(tuple(point.items())).of(value) if isinstance(value, sympy.Basic) else value


def held(symbolic: Report, model: str, options: dict[str, Any], points: Any) -> int:
    """Asserts that formulas have the numbers' values where their conditions hold; returns at how many points."""
    count = 0
    for point in points:
        if not all(condition.subs(point) for condition in symbolic.conditions):
            continue
        count += 1
        try:
            exact = account(model, **at(options, point))
        except ConfigError:  # the published model has no position there
            continue
        assert at(dict(symbolic.total), point) == dict(exact.total)
        assert [(row.path, at(row.values, point)) for row in symbolic.by_scope] == [
            (row.path, row.values) for row in exact.by_scope
        ]
    return count


@pytest.mark.parametrize(("model", "options"), FORWARD)
def test_a_forward_pass_by_symbols(model: str, options: dict[str, Any]) -> None:
    """Every figure of every row, also at sizes of 1 unless a condition excludes them."""
    assert held(account(model, **options), model, options, POINTS) >= 2


@pytest.mark.parametrize(("model", "options"), TRAINED)
def test_a_training_step_by_symbols(model: str, options: dict[str, Any]) -> None:
    """Saved bytes and peaks as well, over lengths, heads, widths and depths."""
    names = ("saved_bytes", "peak_bytes", "backward_peak_bytes", "step_flops")
    symbolic = account(model, phase="train", quantities=names, **options)
    points = [
        {batch: b, seq: s, heads: h, width: w, depth: n}
        for b, s, h, w, n in ((1, 2, 1, 4, 1), (2, 3, 3, 8, 5), (2, 64, 4, 5, 12), (3, 100, 12, 64, 6))
    ]
    assert held(symbolic, model, {**options, "phase": "train", "quantities": names}, points) >= 2


def test_the_conditions_are_stated() -> None:
    """A head's width decides whether the memory-efficient kernel's rows are aligned, in float32 to 4 elements."""
    sizes = {"n_head": heads, "n_embd": heads * width}
    saved = account("gpt2", phase="train", seq_len=64, set=sizes, quantities=["saved_bytes"])
    assert list(map(condition_text, saved.conditions)) == ["heads > 1", "Mod(width, 4) == 0"], "no backward pass is run"
    report = account("gpt2", phase="train", seq_len=64, set=sizes, quantities=["saved_bytes", "backward_peak_bytes"])
    assert list(map(condition_text, report.conditions)) == ["heads > 1", "width > 1", "Mod(width, 4) == 0"]
    assert "holds for heads > 1, width > 1, Mod(width, 4) == 0" in " ".join(str(report).split())
    assert report.to_dict()["conditions"] == ["heads > 1", "width > 1", "Mod(width, 4) == 0"]
    assert "conditions" not in account("gpt2").to_dict()


def test_saved_bytes_of_heads_as_symbols_are_those_of_the_numbers() -> None:
    """GPT-2 XL's were 2.26 times too many: attention was taken to be written out, since 64 might be any width."""
    free = account("gpt2-xl", phase="train", set={"n_head": heads}, quantities=["saved_bytes"])
    exact = account("gpt2-xl", phase="train", quantities=["saved_bytes"])
    assert free.total["saved_bytes"].subs(heads, 25) == exact.total["saved_bytes"]


def test_memory_states_its_conditions() -> None:
    """In Python, in the table and in JSON."""
    b = Builder("turned", default().operators)
    turned = b.apply("transpose", b.input("x", (seq, 4)), dims=(0, 1))
    b.apply("linear", b.apply("reshape", turned, shape=(4 * seq,)), b.parameter("weight", (1, 4 * seq)), name="y")
    found = memory(b.graph(b.apply("relu", turned)))
    assert found.conditions == (seq > 1,)
    assert "holds for seq > 1" in str(found)
    assert to_dict(found)["conditions"] == ["seq > 1"]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"seq_len": [1, 2, 8]}, r"operator 'split': the sizes \[1, 2, 8\] and 1 are equal at 1 of 3 points"),
        (
            {"set": {"n_head": [1, 4, 12]}},
            r"the sizes \[768, 192, 64\] and 768 are equal at 1 of 3 points of the sweep",
        ),
    ],
)
def test_a_sweep_whose_points_run_other_kernels_is_refused(sizes: Any, message: str) -> None:
    """Where a length is 1, splitting queries from keys leaves them contiguous; where a head is alone, likewise."""
    given = {
        name: {key: numpy.array(item, dtype=object) for key, item in value.items()}
        if isinstance(value, dict)
        else numpy.array(value, dtype=object)
        for name, value in sizes.items()
    }
    with pytest.raises(ConfigError, match=message):
        account("gpt2", phase="train", **given)


@pytest.mark.parametrize("points", [[(2, 1), (3, 1)], [(1, 2), (1, 7)], [(2, 5), (3, 63)]])
@pytest.mark.parametrize("model", ["gpt2", "llama-3.2-1b", "t5-small"])
def test_a_sweep_that_agrees_is_each_points_own(model: str, points: list[tuple[int, int]]) -> None:
    """Also if all its lengths, or all its batches, are 1."""
    batches, lengths = (numpy.array(column, dtype=object) for column in zip(*points, strict=True))
    swept = account(model, phase="train", batch=batches, seq_len=lengths)
    for index, (size, length) in enumerate(points):
        exact = account(model, phase="train", batch=size, seq_len=length)
        for mine, theirs in zip(swept.by_scope, exact.by_scope, strict=True):
            found = {name: value if isinstance(value, int) else value[index] for name, value in mine.values.items()}
            assert (mine.path, found) == (theirs.path, theirs.values)


def test_an_explanation_keeps_the_branch_of_the_models_own_sizes() -> None:
    """GPT-2 has as many key heads as query heads, and the gradients' formula says so; Llama adds what heads share."""
    for model, formula in (
        ("gpt2", "b · h · s · (2 · e + 5 · t) (for h = g)"),
        ("llama-3.2-1b", "b · h · (2 · s · e + d · t + t · e + 3 · s · t) (for h ≠ g)"),
    ):
        explained = explain(account(model, phase="train", seq_len=8), "sdpa", "input_grad_flops")
        assert [part.formula for line in explained.lines for part in line.parts][1] == formula
