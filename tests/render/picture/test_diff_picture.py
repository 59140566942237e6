"""The picture of a diff: both models as one graph, and what differs told apart without colour too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import graphacct
from graphacct.errors import RenderError
from graphacct.hooks.manager import default
from graphacct.render.picture import fitting, markup
from graphacct.render.picture.difference import difference
from graphacct.render.picture.palette import TIED
from graphacct.reports.diff import Diff

GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
WIDE = {**GPT2, "n_inner": 4096, "activation_function": "silu"}


@pytest.fixture(scope="module")
def wider() -> Diff:
    """GPT-2 with a wider network and another activation."""
    return graphacct.diff(GPT2, WIDE, seq_len=64)


@pytest.fixture(scope="module")
def experts() -> Diff:
    """Experts in place of Llama's network."""
    return graphacct.diff("llama-3-8b", "mixtral-8x7b", seq_len=64)


def states(found: Diff, depth: int | None = None) -> dict[str, str]:
    return {
        pair.path: pair.state for pair in difference(found, default(), depth).pairs if pair.kind in ("node", "scope")
    }


def test_scopes_with_a_change_are_open_and_others_one_box(wider: Diff) -> None:
    """The network's three changed nodes are boxes; attention is one, unchanged."""
    found = states(wider)
    assert {path.rpartition(".")[2] for path, state in found.items() if state == "changed"} == {"c_fc", "act", "c_proj"}
    assert found["transformer.h.*.attn"] == "unchanged"
    assert states(wider, 1) == {"transformer": "changed", "lm_head": "unchanged"}


def test_what_one_model_has_is_added_or_removed(experts: Diff) -> None:
    """The states of all drawn nodes are those of the diff; an arrow is of the model that has it."""
    kinds = {change.path: change.kind for change in experts.changes}
    shown = difference(experts, default(), None)
    nodes = [pair for pair in shown.pairs if pair.kind == "node"]
    assert all(pair.state == kinds.get(pair.path, "unchanged") for pair in nodes)
    assert {pair.state for pair in shown.pairs} == {"added", "removed", "changed", "unchanged"}
    ids = {pair.id: pair.path.rpartition(".")[2] for pair in shown.pairs}
    arrows = {(ids[arrow.edge.tail], ids[arrow.edge.head]): arrow.state for arrow in shown.arrows}
    assert arrows["gated", "down_proj"] in ("added", "removed")
    assert arrows["self_attn", "attn_residual"] == "unchanged"
    assert len(ids) == len(shown.pairs)


def test_figures_stand_before_and_after(wider: Diff) -> None:
    """Shapes, parameters and FLOPs of A and of B, the change, and the totals; a sign and a border for each kind."""
    source = wider.draw().source
    for text in (
        "± c_fc",
        "gelu_new → silu",
        "[1, 64, 3072] → [1, 64, 4096]<",
        "28.3 M → 37.8 M params · 3.63 GFLOP → 4.83 GFLOP",
        "+33.33 %",
        "124 M → 143 M parameters (+15.18 %)",
        "± 3 changed (differs: double border)",
        "22 unchanged",
    ):
        assert text in source
    assert "peripheries=2" in source


def test_kinds_differ_in_more_than_colour(experts: Diff) -> None:
    source = experts.draw().source
    boxes = {
        sign: next(line for line in source.splitlines() if f"<B>{sign} " in line and "->" not in line) for sign in "+−±"
    }
    assert "dashed" in boxes["−"]
    assert "dashed" not in boxes["+"]
    assert re.search(r'penwidth="?2.4', source)
    assert "+ 23 added (only in B: thick border)" in source
    assert source == experts.draw().source


def test_a_large_one_is_about_what_differs_most(tmp_path: Path) -> None:
    """All of T5's 71 nodes differ: its layers are boxes, the encoder beside the decoder, and the picture, which was
    6,350 points wide, is legible on a slide."""
    found = graphacct.diff("t5-small", "t5-base")
    found.draw(tmp_path / "t5.svg")
    picture = (tmp_path / "t5.svg").read_text(encoding="utf-8")
    assert fitting(*markup.dimensions(picture)) > 0.4
    assert 'class="edge across"' in picture
    assert ">± layer.2<" in picture
    assert any("DenseReluDense" in path for path in states(found, 5))


def test_two_equal_models_have_nothing_to_open() -> None:
    assert states(graphacct.diff("gpt2", "gpt2", seq_len=8)) == {"transformer": "unchanged", "lm_head": "unchanged"}


def test_a_path_gives_the_format(wider: Diff, tmp_path: Path) -> None:
    wider.draw(tmp_path / "a.dot", depth=1)
    assert (tmp_path / "a.dot").read_text(encoding="utf-8").startswith("digraph graphacct {")
    with pytest.raises(RenderError, match=r"'a.jpg': a picture's suffix says its format; known: .svg, .png"):
        wider.draw("a.jpg")
    with pytest.raises(graphacct.ConfigError, match="depth of a picture is at least 1"):
        wider.draw(depth=0)


def test_names_from_files_are_only_text() -> None:
    """A name with markup and quotes stays a name."""
    graphs = []
    for name in ("relu", "silu"):
        builder = graphacct.Builder('<b>"x"</b>', default().operators)
        graphs.append(builder.graph(builder.apply(name, builder.input("x", (2, 4)), name='a"<i>')))
    source = graphacct.diff(*graphs).draw().source
    assert "&lt;i&gt;" in source
    assert "<i>" not in source.replace('tooltip="a\\"<i>', "")


def test_it_is_laid_out_as_a_picture_of_one_model_is(experts: Diff) -> None:
    """The input above the column, projections in a row, and shared weights in words in place of a line."""
    larger = graphacct.diff("gpt2", "gpt2-medium")
    found = difference(larger, default(), None)
    source = larger.draw().source
    ids = {pair.path: pair.id for pair in found.pairs if pair.kind != "output"}
    assert f"{ids['input_ids']} -> {ids['transformer.position_ids']} [style=invis weight=0]" in source
    assert TIED not in source
    assert "tied to lm_head" in source
    assert "tied to wte" in source
    assert "rank=same" in experts.draw().source
