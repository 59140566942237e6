"""Paths: indices, scopes and repetitions, read from names."""

from __future__ import annotations

import sympy

from graphacct.graph.paths import (
    covers,
    depth,
    indexed,
    instances,
    last,
    merged,
    outward,
    parent,
    pattern,
    repetition,
    star,
)


def test_indices_become_stars() -> None:
    """Every part that is a number is an index, wherever it stands; digits in a part are none."""
    assert pattern("h.0.attn.12.c_attn") == "h.*.attn.*.c_attn"
    assert pattern("layer1.0.conv1") == "layer1.*.conv1"
    assert pattern("0.weight") == "*.weight"


def test_stars_become_indices() -> None:
    """Indices replace the leading stars; the others stay."""
    assert indexed("h.*.experts.*.w", (3,)) == "h.3.experts.*.w"
    assert indexed("h.*.experts.*.w", (3, 5)) == "h.3.experts.5.w"
    assert indexed("wte.weight", (3, 5)) == "wte.weight"


def test_an_index_belongs_to_the_part_before_it() -> None:
    """`h.*` is one scope: it has no parent `h`, and its end is both parts."""
    assert parent("transformer.h.*") == "transformer"
    assert parent("transformer.h.3.attn") == "transformer.h.3"
    assert parent("lm_head") == ""
    assert last("transformer.h.*") == "h.*"
    assert last("transformer.h.3.attn") == "attn"
    assert last("lm_head") == "lm_head"
    assert list(outward("transformer.h.*.attn")) == ["transformer.h.*.attn", "transformer.h.*", "transformer"]
    assert [depth(path) for path in ("transformer", "transformer.h.*", "transformer.h.*.attn")] == [0, 1, 2]


def test_the_repetition_of_a_node() -> None:
    """The repetition that a node belongs to is its path up to the last index."""
    assert repetition("layers.*.ln1") == "layers.*"
    assert repetition("layers.3.attn.q") == "layers.3"
    assert repetition("h.*.experts.*.fc") == "h.*.experts.*"
    assert repetition("ln_final") == ""


def test_how_many_things_a_path_stands_for() -> None:
    """One factor for each star, from the outermost block on: of 3 layers with 2 experts each there are 6 experts."""
    n = sympy.Symbol("n", positive=True, integer=True)
    assert instances("h.*.w", (3, 2)) == 3
    assert instances("h.*.experts.*.w", (3, 2)) == 6
    assert instances("h.*.experts.*.w", (n, 2)) == 2 * n
    assert instances("w", (3, 2)) == 1


def test_a_star_says_which_layers_it_stands_for() -> None:
    """`*+3` is the fourth layer and those after it, `6*+5` every sixth from index 5 on; all are one row of a report."""
    assert [star(1, 0), star(1, 3), star(6, 0), star(6, 5)] == ["*", "*+3", "6*", "6*+5"]
    assert [indexed("layers.6*+5.mlp", [i]) for i in (0, 1, 2)] == ["layers.5.mlp", "layers.11.mlp", "layers.17.mlp"]
    assert indexed("a.*+2.b.2*.c", [1, 4]) == "a.3.b.8.c"
    assert indexed("a.*+2.b.2*.c", [1]) == "a.3.b.2*.c"
    assert {pattern(f"layers.{part}.mlp") for part in ("*", "*+3", "6*", "6*+5", "17")} == {"layers.*.mlp"}
    assert parent("layers.6*+5.mlp") == "layers.6*+5"
    assert (parent("layers.6*+5"), last("model.layers.*+3")) == ("", "layers.*+3")
    assert repetition("layers.6*+5.mlp.up") == "layers.6*+5"


def test_a_block_covers_the_layers_that_it_stands_for() -> None:
    """`2*+1` in a block of three stands for the layers 1, 3 and 5; a symbolic number of layers has the first one."""
    assert [n for n in range(8) if covers("h.2*+1.attn", (3,), f"h.{n}.attn")] == [1, 3, 5]
    assert [n for n in range(8) if covers("h.*", (sympy.Symbol("n"),), f"h.{n}")] == [0]
    assert covers("h.*.layer.*", (2, 3), "h.1.layer.2")
    assert [n for n in range(8) if covers("h.*.attn", (3,), f"h.{n}.attn", (2,))] == [2, 3, 4]
    assert not covers("h.*.attn", (3,), "h.1.mlp")
    assert not covers("h.*", (3,), "h.1.attn")


def test_orders_are_merged() -> None:
    """What another model has besides stands where it stands there."""
    assert merged([["a", "c"], ["a", "b", "c", "d"], ["x", "a"]]) == ["x", "a", "b", "c", "d"]
