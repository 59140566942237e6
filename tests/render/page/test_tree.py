"""The parts of a page and their rows."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

import graphacct
from graphacct.hooks.manager import default
from graphacct.render.page.layers import Line, layers
from graphacct.render.page.tree import ROOT, tree
from graphacct.render.picture.stage import scene

SELF_ATTENTION = "model.layers.*.self_attn"
MODELS = ("gpt2", "llama-3-8b", "bert-base-uncased", "t5-small", "whisper-tiny", "deepseek-v3", "llava-1.5-7b")


@pytest.mark.parametrize("model", MODELS)
def test_every_node_is_a_part_and_lines_go_downwards(model: str) -> None:
    """In each scope every line goes from a row to a lower one, so that no scope looks like a circle."""
    picture = scene(graphacct.account(model), default(), 50)
    found = tree(picture)
    boxes = [part.box for part in found.parts if part.box is not None]
    assert sorted(boxes) == [place for place, box in enumerate(picture.boxes) if box.kind != "entry"]
    for number, inside in found.insides.items():
        row_of = {place: index for index, row in enumerate(inside.layers.rows) for place in row}
        assert set(range(len(found.parts[number].children))) <= row_of.keys()
        for way in inside.layers.ways:
            assert all(row_of[lower] == row_of[upper] + 1 for upper, lower in pairwise(way))
    ends = {(edge.tail, edge.head) for edge in picture.edges if edge.kind not in ("loop", "tied")}
    assert sum(len(inside.flows) for inside in found.insides.values()) >= len(ends) // 2


def test_a_scope_that_is_entered_twice_is_two_parts() -> None:
    """BERT's `attention` has its dropout and norm after the residual, which is outside of it."""
    found = tree(scene(graphacct.account("bert-base-uncased"), default(), 50))
    twice = [(part.chain[-1], part.entry) for part in found.parts if part.entry]
    assert ("bert.encoder.layer.*.attention", 1) in twice
    assert ("bert.encoder.layer.*.attention", 2) in twice
    assert found.parts[ROOT].chain == ()


def test_query_key_and_value_stand_in_their_order() -> None:
    """From left to right as they run, though another order would have fewer crossings."""
    report = graphacct.account("llama-3-8b")
    picture = scene(report, default(), 50)
    found = tree(picture)
    (attention,) = [part for part in found.parts if part.box is None and part.chain[-1:] == (SELF_ATTENTION,)]
    names = [found.parts[child].chain[-1].rpartition(".")[2] for child in attention.children]
    inside = found.insides[attention.number].layers
    rows = [[names[place] for place in row if place < len(names)] for row in inside.rows]
    assert ["q_proj", "k_proj", "v_proj"] in rows


def test_rows_of_random_graphs() -> None:
    """Each place in one row, lines downwards, entries first and exits last."""
    chance = random.Random(7)
    for _ in range(100):
        count = chance.randint(2, 12)
        pairs = [(tail, head) for tail in range(1, count) for head in range(tail + 1, count) if chance.random() < 0.3]
        lines = tuple(Line(tail, head, tail) for tail, head in [(0, count - 1), *pairs])
        found = layers(count, (0,), (count - 1,), lines)
        places = [place for row in found.rows for place in row]
        assert sorted(places) == list(range(len(places)))
        assert found.rows[0] == (0,)
        assert count - 1 in found.rows[-1]
        row_of = {place: index for index, row in enumerate(found.rows) for place in row}
        for line, way in zip(lines, found.ways, strict=True):
            assert (way[0], way[-1]) == (line.tail, line.head)
            assert all(row_of[lower] == row_of[upper] + 1 for upper, lower in pairwise(way))
