"""Arrows into the next repetition."""

from __future__ import annotations

import pytest

from graphacct import account
from graphacct.render.picture import layout
from graphacct.render.picture.across import placed
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.engine import laid_out
from graphacct.render.picture.loops import _around, kept_inside
from graphacct.render.picture.shapes import MOVED, crossed, items_of


@pytest.mark.parametrize(
    ("name", "options"),
    [("llava-1.5-7b", {"narrow": True, "most": 20}), ("llama-3-8b", {"orientation": "left-right"})],
)
def test_one_that_left_the_frame_of_its_block_is_inside_it(name: str, options: dict[str, object]) -> None:
    """Through no box, from below where the main path is a row; a PNG has it at the same place."""
    source = drawn(account(name, quantities=["params", "flops"]), **options).source
    picture = layout(source)
    items = [item for item in items_of(picture.split("\n")) if item.points]
    (loop,) = (item for item in items if item.role == MOVED)
    head, tail = (name.partition(":")[0] for name in loop.title.split("&#45;&gt;"))
    nodes = {item.title: item.around() for item in items if item.kind == "node"}
    frame = _around(nodes[tail], nodes[head], [item.around() for item in items if item.kind == "cluster"])
    assert frame is not None
    assert all(frame[0] < x < frame[2] and frame[1] < y < frame[3] for x, y in loop.points)
    others = [place for title, place in nodes.items() if title not in (head, tail)]
    assert not any(crossed(place, [(loop.around(), loop.points)]) for place in others)
    (x, y) = loop.points[-1]
    dot = placed(laid_out(source, "dot").decode(), picture)
    assert f"{x:.2f},{-y:.2f}" in dot
    assert 'pos="s,' in dot.partition(loop.title.replace("&#45;&gt;", " -> "))[2][:400]


def test_one_inside_its_frame_stays_as_it_is() -> None:
    given = laid_out(drawn(account("gpt2", quantities=["params", "flops"])).source, "svg").decode()
    assert 'class="edge loop"' in given
    assert kept_inside(given) == given
