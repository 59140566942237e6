"""Solutions: exact sizes with their arithmetic, checked on both sides, and what is said where there is none."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, UnknownNameError

CROSSING = "flops(attention) == flops(mlp)"


def trial(found: Any, at: Any) -> tuple[int, list[tuple[Any, Any]]]:
    return at.size, [(side.left_value, side.right_value) for side in at.sides]


def test_attention_reaches_the_network_at_twice_the_width() -> None:
    """In products a layer's attention has 8 s d² + 4 s² d, its network 16 s d²: equal where s is 2 d = 3,200."""
    found = graphacct.solve("gpt2-xl", for_="seq_len", where=CROSSING, convention="matmul")
    layers, d = 48, 1600

    def both(s: int) -> tuple[int, int]:
        return layers * (8 * s * d**2 + 4 * s**2 * d), layers * 16 * s * d**2

    assert trial(found, found.at) == (3200, [both(3200)])
    assert trial(found, found.beside) == (3199, [both(3199)])
    assert found.equal
    assert found.positions == "n_positions", "gpt2-xl has learned 1,024 positions"
    assert found.monotone


def test_a_crossing_that_is_not_exact() -> None:
    """With softmax, bias and GELU nothing is equal to the unit, and the sides at both sizes say so."""
    found = graphacct.solve("gpt2-xl", for_="seq_len", where=CROSSING)
    assert not found.equal
    assert found.beside is not None
    at, before = found.at.sides[0], found.beside.sides[0]
    assert (before.left_value < before.right_value, at.left_value > at.right_value) == (True, True)
    report = graphacct.account("gpt2-xl", seq_len=found.size, set={"n_positions": found.size}, quantities=["flops"])
    assert report["transformer.h.*.mlp"].values["flops"] == at.right_value


def test_a_glob_is_of_scopes() -> None:
    """GPT-2's attention is all that is in `attn`, and its network all that is in `mlp`."""
    found = graphacct.solve("gpt2-xl", for_="seq_len", where='flops("*.attn") == flops("*.mlp")')
    assert found.size == graphacct.solve("gpt2-xl", for_="seq_len", where=CROSSING).size


def test_the_largest_width_skips_what_heads_do_not_divide() -> None:
    """12 L d² + 13 L d + 2 d + (50,257 + 1,024) d parameters; 25 heads: the next width above 1,550 is 1,575."""
    found = graphacct.solve("gpt2-xl", for_="d_model", max=True, where="params <= 1.5e9")

    def params(d: int) -> int:
        return 48 * (12 * d**2 + 13 * d) + 2 * d + 51_281 * d

    assert (found.name, found.key) == ("d_model", "n_embd")
    assert trial(found, found.at) == (1550, [(params(1550), 1_500_000_000)])
    assert trial(found, found.beside) == (1575, [(params(1575), 1_500_000_000)])
    assert params(1550) <= 1_500_000_000 < params(1575)
    assert found.refused > 24
    assert "is not divisible by 25" in found.refusal


def test_budgets_of_a_step_all_hold() -> None:
    """The memory's own total agrees on both sides of the border."""
    where = ["peak_bytes <= 24GiB", "params < 2e9"]
    found = graphacct.solve("gpt2-xl", for_="batch", max=True, where=where, phase="train")
    assert found.size == 2
    for at in (found.at, found.beside):
        assert at is not None
        report = graphacct.account("gpt2-xl", batch=at.size, phase="train", quantities=["peak_bytes"])
        assert at.sides[0].left_value == report.total["peak_bytes"]
        assert at.holds == (report.total["peak_bytes"] <= 24 * 1024**3)


def test_the_smallest_size() -> None:
    """1 GiB of cache: a token of llama-3-8b takes 2 · 32 layers · 8 heads · 128 · 2 bytes = 131,072."""
    found = graphacct.solve(
        "llama-3-8b", for_="seq_len", min=True, where="kv_cache_bytes >= 1GiB", phase="prefill", range_="1:16k"
    )
    assert (found.size, found.at.sides[0].left_value) == (8192, 8192 * 131_072)
    assert found.beside is not None
    assert found.beside.size == 8191


def test_a_range_has_its_own_end() -> None:
    found = graphacct.solve("gpt2-xl", for_="n_embd", max=True, where="params <= 1.7e9", range_="1590:1610")
    assert (found.size, found.beside) == (1600, None)
    assert "1601 is not divisible by 25" in found.limit
    found = graphacct.solve("gpt2-xl", for_="n_layer", max=True, where="n_layer < 1e6", range_=range(2, 9, 3))
    assert (found.size, found.limit) == (8, "the range ends there")


def test_the_models_own_limit_ends_a_search() -> None:
    found = graphacct.solve("gpt2", for_="seq_len", max=True, where="flops <= 1e15")
    assert found.size == 1024
    assert "seq_len 1025 is beyond n_positions 1024" in found.limit


def test_the_smallest_length_may_be_beyond_the_positions() -> None:
    """As a crossing: they are raised with it, and the answer says so."""
    found = graphacct.solve("gpt2", for_="seq_len", min=True, where="flops(attention) > flops(mlp)")
    crossing = graphacct.solve("gpt2", for_="seq_len", where="flops(attention) == flops(mlp)")
    assert (found.size, found.positions) == (crossing.size, "n_positions")
    assert "n_positions is raised with seq_len" in str(found)
    found = graphacct.solve("gpt2", for_="seq_len", min=True, where="flops >= 1e11")
    assert (found.size < 1024, found.positions) == (True, "")


def test_what_is_not_monotone_is_said() -> None:
    found = graphacct.solve("gpt2", for_="batch", max=True, where="batch <= 100 or 103 < batch < 110")
    assert (found.size, found.monotone) == (109, False)
    assert "not monotone" in str(found)


@pytest.mark.parametrize("where", ["params <= 1e9", "params <= 1e9 and flops <= 5e11", "16 * n_layer**2 < 1e4"])
def test_it_is_the_answer_of_trying_every_size(where: str) -> None:
    from graphacct.expressions.parse import parse

    def holds(n: int) -> bool:
        total = graphacct.account("gpt2", set={"n_layer": n}, seq_len=8, quantities=["params"]).total
        return bool(parse(where).value({**total, "n_layer": n}))

    every = [n for n in range(1, 160) if holds(n)]
    assert graphacct.solve("gpt2", for_="n_layer", max=True, where=where, seq_len=8).size == max(every)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        (
            {"for_": "batch", "max": True, "where": "flop <= 1"},
            UnknownNameError,
            "'flop'; did you mean 'flops'. known: q",
        ),
        (
            {"for_": "seq", "where": CROSSING},
            UnknownNameError,
            "unknown size 'seq'.*seq_len.*known: of the workload",
        ),
        ({"for_": "batch", "max": True, "where": "step_flops < 9"}, ConfigError, "step_flops exists only in phase tr"),
        ({"for_": "batch", "max": True, "where": "params <= 15"}, ConfigError, r"batch 1 params \(124,439,808\) <= 15"),
        ({"for_": "batch", "max": True, "where": "params < 1e9"}, ConfigError, "hold at every batch tried, up to"),
        ({"for_": "batch", "where": "params < 1e9"}, ConfigError, "may hold at many sizes: ask for the largest"),
        ({"for_": "batch", "max": True, "where": "params == 1e9"}, ConfigError, "holds at single sizes"),
        ({"for_": "batch", "max": True, "where": "params"}, ConfigError, "'params' is no condition"),
        ({"for_": "batch", "max": True, "where": []}, ConfigError, "no condition is given"),
        ({"for_": "batch", "max": True, "min": True, "where": "flops < 9"}, ConfigError, "both given"),
        ({"for_": "batch", "batch": 4, "where": CROSSING}, ConfigError, "batch is solved for: leave batch=4 out"),
        ({"for_": "n_layer", "set": {"n_layer": 4}, "where": CROSSING}, ConfigError, "leave it out of set"),
        ({"for_": "batch", "where": CROSSING}, ConfigError, "no batch at which the sides cross"),
        ({"for_": "batch", "where": "flops(experts) == 4"}, ConfigError, "has nothing of that role; it has embed"),
        ({"for_": "batch", "where": 'flops("*.mpl") == 4'}, ConfigError, r"no scope of 'gpt2' matches '\*.mpl'"),
        ({"for_": "batch", "where": 'flops("*.3.mlp") == 4'}, ConfigError, r"write \* for the index"),
        ({"for_": "batch", "where": "arithmetic_intensity(mlp) == 4"}, ConfigError, "is a ratio"),
        ({"for_": "batch", "max": True, "where": "flops < 1e12", "range_": "9"}, ConfigError, "no range of sizes"),
        ({"for_": "batch", "max": True, "where": "flops < 1e12", "range_": "9:3"}, ConfigError, "has no sizes"),
        ({"for_": "cache_len", "max": True, "where": "flops < 1e12"}, ConfigError, "refuses every cache_len"),
        ({"for_": "batch", "max": True, "where": "(" * 99}, ConfigError, "nested more than 40 deep"),
    ],
)
def test_mistakes_are_said(options: dict[str, Any], kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        graphacct.solve("gpt2", **options)


def test_a_finished_graph_has_fixed_sizes() -> None:
    with pytest.raises(ConfigError, match="is a finished graph: its sizes are fixed"):
        graphacct.solve(graphacct.build("gpt2"), for_="batch", max=True, where="flops < 9")


def test_numbers_of_heads_divide() -> None:
    """16 heads of keys and values take the 2 GiB to the byte, and the next number that divides 32 is 32."""
    found = graphacct.solve(
        "llama-3-8b", for_="num_key_value_heads", max=True, where="kv_cache_bytes <= 2GiB", phase="prefill"
    )
    assert found.beside is not None
    assert (found.size, found.at.sides[0].left_value, found.beside.size) == (16, 2 * 1024**3, 32)


def test_what_stays_is_said() -> None:
    """Of a size of the configuration, the others that do not follow from it: a head's size follows from the width."""
    found = graphacct.solve("llama-3-8b", for_="d_model", max=True, where="params < 1.5e9", range_="768:1024:64")
    assert found.stays["intermediate_size"] == 14336
    assert "hidden_size" not in found.stays
    assert "intermediate_size 14,336, num_hidden_layers 32, num_attention_heads 32" in str(found)
    assert "stays" not in found.to_dict()
    swept = graphacct.sweep("llama-3-8b", over={"d_model": "4096,8192", "n_layers": "1"}, keep="params")
    assert "stays: vocab_size 128,256, intermediate_size 14,336, num_attention_heads 32" in str(swept)
    assert "stays" not in str(graphacct.sweep("llama-3-8b", over={"batch": "1,2"}, keep="params"))
    by_length = graphacct.solve("gpt2", for_="batch", max=True, where="flops < 1e12")
    assert "stays" not in str(by_length)
