"""Words stay clear of arrows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphacct import account
from graphacct.render.picture import clearance, layout, markup, shapes
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.engine import laid_out

HEAD = '<text xml:space="preserve" text-anchor="start" x="{x}" y="{y}" font-size="9.00" fill="#59636e">{words}</text>'


def cleared(svg: str) -> str:
    """The SVG after that."""
    return clearance.cleared(shapes.Drawing.of(svg))


def item(kind: str, number: int, *content: str) -> list[str]:
    """The lines of a frame, a box or an arrow as a layout has them."""
    return [f'<g id="{kind}{number}" class="{kind}">', f"<title>{number}</title>", *content, "</g>"]


def frame(width: float) -> list[str]:
    """A frame of a width and 100 high, whose head is 60 wide or so."""
    outline = f"M0,0C0,0 {width},0 {width},0 {width},0 {width},100 {width},100 {width},100 0,100 0,100"
    head = HEAD.format(x=8, y=20, words="1234567890")
    return item("cluster", 1, f'<path fill="#fbfcfd" stroke="#afb8c1" d="{outline}"/>', head)


def arrow(x: float, *content: str) -> list[str]:
    """An arrow straight down."""
    return item("edge", 2, f'<path fill="none" stroke="#6e7781" d="M{x},0C{x},30 {x},60 {x},90"/>', *content)


def svg(*items: list[str]) -> str:
    return "\n".join(["<svg>", *(line for lines in items for line in lines), "</g>", "</svg>"])


def place(text: str, words: str) -> tuple[float, float]:
    """Where words are."""
    found = re.search(rf' x="([-\d.]+)" y="([-\d.]+)"[^>]*>{re.escape(words)}<', text)
    assert found
    return float(found[1]), float(found[2])


def test_a_head_that_is_clear_stays() -> None:
    given = svg(frame(200), arrow(150))
    assert cleared(given) == given


def test_a_head_moves_to_the_right_of_an_arrow() -> None:
    """As far as it must."""
    made = cleared(svg(frame(200), arrow(30)))
    x, y = place(made, "1234567890")
    assert 30 < x < 45
    assert y == 20


def test_a_head_without_room_is_drawn_over_the_arrow() -> None:
    """On ground of the frame's colour, after all arrows."""
    made = cleared(svg(frame(80), arrow(30)))
    assert place(made, "1234567890") == (8, 20)
    assert made.index('class="edge"') < made.index('<polygon fill="#fbfcfd"') < made.index("1234567890")


def test_a_shape_stands_at_its_arrow() -> None:
    """Not far from it, and not on a box."""
    shape = HEAD.format(x=90, y=50, words="[1, 2]")
    box = item("node", 3, '<polygon fill="#ffffff" points="32,40 32,60 80,60 80,40 32,40"/>')
    x, y = place(cleared(svg(arrow(30, shape))), "[1, 2]")
    assert abs(x - 30) < clearance.NEAR
    x, y = place(cleared(svg(arrow(30, shape), box)), "[1, 2]")
    assert abs(x - 30) < clearance.NEAR or x < 30
    assert not 38 < y < 67 or x < 30


def test_a_shape_stands_on_no_border_if_it_can() -> None:
    """Left of an arrow that runs down just inside of a frame; to its right, on the border, if there is a box."""
    shape = HEAD.format(x=196, y=50, words="[1, 2]")
    x, _ = place(cleared(svg(frame(215), arrow(190, shape))), "[1, 2]")
    assert 190 - clearance.NEAR < x < 190
    box = item("node", 3, '<polygon fill="#ffffff" points="100,-10 100,110 180,110 180,-10 100,-10"/>')
    x, _ = place(cleared(svg(frame(215), arrow(190, shape), box)), "[1, 2]")
    assert x > 190


@pytest.mark.parametrize("name", ["bert-base-uncased", "t5-base", "gpt2-xl", "llava-1.5-7b", "deepseek-v3"])
def test_no_head_has_an_arrow_through_it(name: str) -> None:
    """In narrow boxes, where frames are narrow too: a head stands beside arrows or over them."""
    layout_ = cleared(
        laid_out(drawn(account(name, quantities=["params", "flops"]), narrow=True).source, "svg").decode()
    )
    items = [*shapes.items_of(layout_.split("\n"))]
    paths = [(one.around(), one.points) for one in items if one.kind == "edge" and one.points]
    for one in items:
        if one.kind == "cluster" and one.points and one.texts:
            left, top, right, bottom = shapes.enclosing(one.texts.values())
            assert not shapes.crossed((left, top, left + clearance.NARROWEST * (right - left), bottom), paths)


def test_a_shape_left_of_its_arrow_ends_there() -> None:
    """In whatever font."""
    shape = HEAD.format(x=90, y=50, words="[1, 2]")
    box = item("node", 3, '<polygon fill="#ffffff" points="32,-10 32,110 80,110 80,-10 32,-10"/>')
    made = cleared(svg(arrow(30, shape), box))
    found = re.search(r'text-anchor="end" x="([-\d.]+)"[^>]*>\[1, 2\]<', made)
    assert found
    assert 30 - clearance.NEAR < float(found[1]) < 30


def test_a_picture_with_very_many_arrows_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take long, and nobody reads all of its shapes."""
    given = svg(frame(80), arrow(30))
    monkeypatch.setattr(clearance, "MOST", 0)
    assert cleared(given) == given


def test_what_is_moved_is_in_the_file(tmp_path: Path) -> None:
    """SVG and PDF are made of the cleared layout: a head over its arrow comes last, as one text."""
    picture = layout(drawn(account("bert-base-uncased", quantities=["params", "flops"]), narrow=True).source)
    last = markup.ready(picture).split('class="edge"')[-1]
    assert re.search(r'<polygon fill="#f\w{5}" stroke="none" points="[^"]+"/>\n<text [^>]*>(<tspan|\w)', last)
