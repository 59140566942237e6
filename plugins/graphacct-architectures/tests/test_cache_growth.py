"""What the next token adds to a cache, against the caches of two lengths, for every preset with a window."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import graphacct
from graphacct import Graph, memory
from graphacct.hooks.manager import default
from graphacct.models.find import presets

GROWTH = ("kv_cache_bytes", "kv_bytes_next_token", "kv_bytes_per_token")
ROOM = {"max_position_embeddings": 10**6}
"""A window may be as long as the published context, and a token beyond it is asked for."""

COMPRESSED = ("deepseek-v4-flash",)
"""Caches that hold tokens until an entry is made of several, and then shrink."""


def windows(graph: Graph) -> set[int]:
    """The windows of the layers that keep no more."""
    found = {node.attributes.get("window") for node in graph.walk() if node.operator == "kv_keep"}
    return {window for window in found if window is not None}


def windowed() -> Iterator[str]:
    """The presets whose layers have a window, one of each family and window."""
    known: set[tuple[Any, ...]] = set()
    for name, architecture in presets(default()).items():
        if name == architecture.name or "decode" not in architecture.load().phases:
            continue
        try:
            graph = graphacct.build(name, phase="decode", cache_len=1)
        except graphacct.ConfigError:  # an encoder alone
            continue
        key = (architecture.name, *sorted(windows(graph)))
        if len(key) > 1 and key not in known:
            known.add(key)
            yield name


def growth(name: str, phase: str, tokens: int) -> dict[str, Any]:
    sizes = {"seq_len": tokens} if phase == "prefill" else {"cache_len": tokens}
    room: dict[str, Any] = ROOM
    if "images" in presets(default())[name].load().sizes:  # its text alone
        sizes, room = {**sizes, "images": 0}, {f"text_config.{key}": value for key, value in ROOM.items()}
    total = graphacct.account(name, phase=phase, logits="last", set=room, quantities=GROWTH, **sizes).total
    return dict(total)


def test_the_next_token_adds_the_difference_of_two_caches() -> None:
    """At each end of the window and beyond it, after a prefill and after a decoding step."""
    names = list(windowed())
    assert {"mistral-7b", "gemma-2-2b", "gpt-oss-20b", *COMPRESSED} <= set(names)
    for name in names:
        for window in windows(graphacct.build(name, phase="decode", cache_len=1)):
            for phase in ("prefill", "decode"):
                rows = [growth(name, phase, tokens) for tokens in range(max(window - 2, 1), window + 3)]
                for now, then in pairwise(rows):
                    assert now["kv_bytes_next_token"] == then["kv_cache_bytes"] - now["kv_cache_bytes"], (name, phase)
                    if name not in COMPRESSED:
                        assert 0 <= now["kv_bytes_next_token"] <= now["kv_bytes_per_token"]


def test_an_entry_that_is_completed_frees_the_tokens_that_waited_for_it() -> None:
    """DeepSeek-V4: what the next token adds, at every length up to the second entry of each kind, and its words."""
    rows = [growth("deepseek-v4-flash", "decode", tokens) for tokens in (*range(1, 10), *range(125, 131))]
    found = dict(zip((*range(1, 10), *range(125, 131)), rows, strict=True))
    for tokens in (*range(1, 9), *range(125, 130)):
        added = found[tokens + 1]["kv_cache_bytes"] - found[tokens]["kv_cache_bytes"]
        assert found[tokens]["kv_bytes_next_token"] == added, tokens
    assert found[126]["kv_bytes_next_token"] < 0
    text = " ".join(str(memory("deepseek-v4-flash", phase="decode", cache_len=126)).split())
    assert "the next token of each sequence frees 5.43 MB" in text


def test_a_full_window_grows_no_more() -> None:
    """Mistral-7B has 2 · 32 layers · 8 heads · 128 · 2 = 131,072 bytes a token and a window of 4,096 in every layer."""
    for cached, added in ((4094, 131_072), (4095, 0), (8192, 0), (8193, 0)):
        found = memory("mistral-7b", phase="decode", cache_len=cached)
        assert (found.kv_bytes_per_token, found.kv_bytes_next_token) == (131_072, added)
        assert found.kv_cache_bytes == 131_072 * min(cached + 1, 4096)
        assert f"the next token of each sequence adds {'131 kB' if added else '0 B'}" in " ".join(str(found).split())
    assert memory("mistral-7b", phase="forward", seq_len=8).kv_bytes_next_token is None


def test_the_table_says_the_condition() -> None:
    """And what the next token adds here, where that is not as much: half of Gemma 2's layers have a window."""
    full = str(graphacct.account("gemma-2-2b", phase="decode", cache_len=4096))
    assert "while no window is full, 213 kB, here the next token adds 106 kB" in " ".join(full.split())
    room = " ".join(str(graphacct.account("gemma-2-2b", phase="decode", cache_len=64)).split())
    assert "while no window is full, 213 kB" in room
    assert "here the next token" not in room


def test_symbols_and_arrays() -> None:
    """The same rule in formulas and sweeps."""
    sympy, numpy = pytest.importorskip("sympy"), pytest.importorskip("numpy")
    lengths = numpy.array([4094, 4095, 5000], dtype=object)
    swept = graphacct.account("mistral-7b", phase="decode", cache_len=lengths).total["kv_bytes_next_token"]
    assert swept.tolist() == [131_072, 0, 0]
    length = sympy.Symbol("n", integer=True, positive=True)
    formula = graphacct.account("mistral-7b", phase="decode", cache_len=length).total["kv_bytes_next_token"]
    assert [formula.subs(length, value) for value in (4094, 4095, 5000)] == [131_072, 0, 0]
