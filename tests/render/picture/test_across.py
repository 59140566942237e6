"""Arrows between what stands side by side."""

from __future__ import annotations

import re

import pytest

from graphacct import account
from graphacct.render.picture import layout
from graphacct.render.picture.across import redraw
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.engine import laid_out
from graphacct.render.picture.shapes import Drawing, Item, crossed, items_of, overlap


def redrawn(svg: str) -> str:
    """The SVG after that."""
    drawing = Drawing.of(svg)
    redraw(drawing)
    return drawing.svg


def box(name: str, left: float, top: float) -> list[str]:
    """The lines of a box, 40 wide and 20 high."""
    right, bottom = left + 40, top + 20
    points = f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
    return [
        '<g id="node1" class="node">',
        f"<title>{name}</title>",
        f'<polygon fill="#fff" points="{points}"/>',
        "</g>",
    ]


def arrow(tail: str, head: str) -> list[str]:
    """The lines of an arrow across, which a layout would draw around boxes."""
    return [
        '<g id="edge1" class="edge across">',
        f"<title>{tail}:e&#45;&gt;{head}:w</title>",
        '<path fill="none" stroke="#6e7781" d="M40,110C90,300 -90,300 90,10"/>',
        '<polygon fill="#6e7781" stroke="#6e7781" points="1,1 2,2 3,3 1,1"/>',
        "</g>",
    ]


def way(*items: list[str]) -> tuple[Item, str]:
    """The one arrow of a picture that is drawn anew, and the picture."""
    made = redrawn("\n".join(line for lines in items for line in lines))
    (found,) = (item for item in items_of(made.split("\n")) if item.across)
    return found, made


def test_it_leaves_and_enters_at_the_side() -> None:
    """Between the boxes, with its head at the second."""
    found, made = way(box("a", 0, 100), box("b", 200, 0), arrow("a", "b"))
    assert found.points[0] == (40, 110)
    assert found.points[-1] == (194, 10)
    assert 'points="194.00,7.90 200.00,10.00 194.00,12.10"' in made
    assert all(40 <= x <= 200 and 10 <= y <= 110 for x, y in found.points)


def test_it_goes_to_the_left_where_the_second_is_there() -> None:
    """As Whisper's encoder stands to the right of its decoder if both are open."""
    found, made = way(box("a", 200, 100), box("b", 0, 0), arrow("a", "b"))
    assert (found.points[0], found.points[-1]) == ((200, 110), (46, 10))
    assert 'points="46.00,7.90 40.00,10.00 46.00,12.10"' in made


def test_it_runs_up_where_no_box_is() -> None:
    """One in the middle, and one further on at its own height."""
    others = [box("c", 100, 40), box("d", 60, 60)]
    found, _ = way(box("a", 0, 100), box("b", 200, 0), *others, arrow("a", "b"))
    for left, top in ((100, 40), (60, 60)):
        assert not crossed((left, top, left + 40, top + 20), [(found.around(), found.points)])


def test_one_below_the_other_stays_as_it_is() -> None:
    """There is no way between them."""
    given = [box("a", 0, 100), box("b", 20, 0), arrow("a", "b")]
    assert redrawn("\n".join(line for lines in given for line in lines)).count("M40,110C90,300") == 1


@pytest.mark.parametrize(("name", "depth"), [("t5-small", 4), ("whisper-small", 4), ("whisper-small", 3)])
def test_an_encoders_end_goes_straight_to_its_decoder(name: str, depth: int) -> None:
    """Through no box, and in the frames of either only where it must."""
    source = drawn(account(name, quantities=["params", "flops"]), depth=depth, narrow=True).source
    items = [item for item in items_of(layout(source).split("\n")) if item.points]
    (found,) = (item for item in items if item.across)
    ends = re.findall(r"n\d+", found.title)
    nodes = {item.title: item.around() for item in items if item.kind == "node"}
    others = [place for title, place in nodes.items() if title not in ends]
    assert not any(
        overlap(place, found.around()) and crossed(place, [(found.around(), found.points)]) for place in others
    )
    length = sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in zip(found.points, found.points[1:], strict=False))
    (tail, head) = (nodes[end] for end in ends)
    gap = max(head[0] - tail[2], tail[0] - head[2])
    assert length < gap + abs(head[1] + head[3] - tail[1] - tail[3]) / 2


def test_a_picture_without_such_an_arrow_stays_as_it_is() -> None:
    given = laid_out(drawn(account("gpt2", quantities=["params", "flops"]), depth=1).source, "svg").decode()
    assert redrawn(given) == given
