"""Arrows into the next repetition."""

from __future__ import annotations

from itertools import pairwise

import pytest

from graphacct import account
from graphacct.render.picture import layout
from graphacct.render.picture.across import placed
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.engine import laid_out
from graphacct.render.picture.loops import _around, keep_inside
from graphacct.render.picture.shapes import MOVED, Drawing, crossed, items_of


def kept_inside(svg: str) -> str:
    """The SVG after that."""
    drawing = Drawing.of(svg)
    keep_inside(drawing)
    return drawing.svg


@pytest.mark.parametrize(
    ("name", "options"),
    [("t5-small", {"depth": 3}), ("llama-3-8b", {"orientation": "left-right"})],
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


def test_two_of_them_leave_room_for_each_other() -> None:
    """Both blocks' arrows lie outside, and each is drawn inside its own frame."""
    lines = []
    for number, top in enumerate((0, 200)):
        frame = f"0,{top} 100,{top} 100,{top + 150} 0,{top + 150}"
        lines += [f'<g id="clust{number}" class="cluster">', f"<title>cluster_{number}</title>"]
        lines += [f'<path fill="#fff" d="{_outline(frame)}"/>', "</g>"]
        for place, name in enumerate("ab"):
            y = top + 20 + 100 * place
            lines += [f'<g id="node{number}{name}" class="node">', f"<title>{name}{number}</title>"]
            lines += [f'<polygon fill="#fff" points="20,{y} 50,{y} 50,{y + 10} 20,{y + 10}"/>', "</g>"]
        way = f"M50,{top + 25}C200,{top + 25} 200,{top + 125} 50,{top + 125}"
        lines += [f'<g id="edge{number}" class="edge loop">', f"<title>a{number}:e&#45;&gt;b{number}:e</title>"]
        lines += [f'<path fill="none" d="{way}"/>', '<polygon points="1,1 2,2 3,3"/>', "</g>"]
    items = [item for item in items_of(kept_inside("\n".join(lines)).split("\n")) if item.role == MOVED]
    assert len(items) == 2
    assert all(50 <= x <= 100 for item in items for x, _ in item.points)


def _outline(corners: str) -> str:
    """A frame's path: its corners, each of which ends a straight curve."""
    points = [*corners.split(), corners.split()[0]]
    return f"M{points[0]}C" + " ".join(f"{one} {other} {other}" for one, other in pairwise(points))
