"""What a picture's options change: direction, text, greys, fields, the part that is drawn, and the width."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import pytest

import graphacct
from graphacct import Report, account, hookimpl
from graphacct.errors import ConfigError, UnknownNameError
from graphacct.hooks.manager import load
from graphacct.render.picture import markup, png, svg
from graphacct.render.picture.dot import draw, drawn
from graphacct.render.picture.engine import PictureWarning, rgb
from graphacct.render.picture.palette import grey, heat
from graphacct.render.picture.part import part

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def gpt2() -> Report:
    return account("gpt2")


def size(picture: str) -> tuple[float, float]:
    """Width and height of an SVG in points."""
    return markup.dimensions(picture)


def test_left_right_is_wider_than_high(gpt2: Report) -> None:
    """The same boxes in the other direction."""
    wide, high = size(svg(gpt2, depth=1, orientation="left-right")), size(svg(gpt2, depth=1))
    assert wide[0] / wide[1] > high[0] / high[1]


def test_a_width_scales_the_whole_picture(gpt2: Report) -> None:
    """16 cm are 454 points, and the height follows; in a narrow column boxes have a line more."""
    natural, scaled = size(svg(gpt2, depth=1)), size(svg(gpt2, depth=1, width_cm=16))
    assert scaled[0] == pytest.approx(16 / 2.54 * 72, abs=1)
    assert scaled[1] / scaled[0] == pytest.approx(natural[1] / natural[0], rel=0.01)
    column = size(svg(gpt2, depth=1, width_cm=8.5))
    assert column[0] == pytest.approx(8.5 / 2.54 * 72, abs=1)
    assert column[1] / column[0] > natural[1] / natural[0]


@pytest.mark.parametrize(
    ("options", "ways"),
    [
        ({}, "open fewer scopes with depth=1, draw one scope only, or make it wider"),
        ({"depth": 1}, "draw one scope only, or make it wider"),
        ({"scope": "h.*"}, "open fewer scopes with depth=1, draw a scope inside h.*, or make it wider"),
        ({"scope": "h.*", "depth": 1}, "draw a scope inside h.*, or make it wider"),
        ({"scope": "mlp"}, "make it wider"),
    ],
)
def test_text_too_small_to_read_in_print_is_said(gpt2: Report, options: dict[str, object], ways: str) -> None:
    """With its size there and what helps that is not done yet."""
    said = rf"text of this picture is \d\.\d points in print at 3 cm: {re.escape(ways)}$"
    with pytest.warns(UserWarning, match=said):
        svg(gpt2, width_cm=3, bare=True, **options)


def test_a_picture_that_no_page_holds_is_said() -> None:
    """With what makes it larger; what graphacct opens by itself is legible."""
    mamba = account("mamba-130m", quantities=["params", "flops"])
    said = r"text of this picture is \d\.\d points on a page: leave depth= out, which opens what fits, "
    with pytest.warns(
        UserWarning, match=said + "open fewer scopes with depth=1, draw one scope only, or draw repeated"
    ):
        svg(mamba, depth=3, unroll=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg(mamba)


def test_a_bare_picture_has_neither_title_nor_legend(gpt2: Report) -> None:
    """The same boxes and frames, higher by nothing but them; text that is too small without them is said to be so."""
    whole, bare = (svg(gpt2, depth=1, bare=bare) for bare in (False, True))
    assert texts(bare) < texts(whole)
    assert {text.split()[0] for text in texts(whole) - texts(bare)} == {"gpt2", "flops:", "214", "convention"}
    assert size(bare)[1] < size(whole)[1]
    layer = {"scope": "h.*", "depth": 1, "width_cm": 8.4}
    with pytest.warns(UserWarning, match=r"at 8\.4 cm: leave out title and legend with bare=True, draw a scope"):
        svg(gpt2, **layer)
    svg(gpt2, **layer, bare=True)


def test_text_of_another_size_makes_the_boxes_larger(gpt2: Report) -> None:
    """Each size in proportion: 9 points become 18, a name's 11 become 22."""
    source = draw(gpt2, font_size=18).source
    assert {"18", "22"} <= set(re.findall(r'POINT-SIZE="(\d+)"', source))
    assert 'POINT-SIZE="9"' not in source
    assert "fontsize=18" in source


def test_in_grey_there_is_no_colour(gpt2: Report) -> None:
    """Every colour of the source has three equal parts, and the heat keeps its order."""
    colours = set(re.findall(r"#[0-9a-f]{6}", svg(gpt2, grey=True)))
    assert colours
    assert all(colour[1:3] == colour[3:5] == colour[5:7] for colour in colours)
    scale = [grey(heat(step / 10)) for step in range(11)]
    assert scale == sorted(scale, reverse=True)


def test_in_grey_a_plugins_named_colours_are_grey_too(gpt2: Report) -> None:
    """Graphviz knows what they are."""

    @hookimpl
    def graphacct_node_style(node: object, cost: object) -> dict[str, str]:
        return {"fillcolor": "tomato", "color": "/blues9/5", "fontcolor": "#0969da"}

    plugins = load()
    plugins.register(
        type("Module", (), {"graphacct_node_style": staticmethod(graphacct_node_style)}), "style", "a test"
    )
    assert "tomato" in svg(gpt2, plugins=plugins)
    picture = svg(gpt2, plugins=plugins, grey=True)
    assert not set(re.findall("tomato|blues|#6baed6|#ff6347|#0969da", picture))
    assert grey("#ff6347") in picture
    assert rgb("no such colour") == "#000000", "as Graphviz draws it"


def test_fields_are_what_the_boxes_show(gpt2: Report) -> None:
    """In the order in which they are named; an unknown one is an error."""
    source = draw(gpt2, fields=["read_bytes", "params"]).source
    box = next(text for text in source.splitlines() if "<B>lm_head</B>" in text)
    assert "read_bytes" in box.split("tooltip")[0]
    assert "FLOP" not in box.split("tooltip")[0]
    with pytest.raises(UnknownNameError, match="flop"):
        draw(gpt2, fields=["flop"])


def texts(picture: str) -> set[str]:
    """The lines of an SVG."""
    return {
        "".join(text.itertext()).replace("\xa0", " ") for text in ElementTree.fromstring(picture).iter(f"{SVG}text")
    }


@pytest.mark.parametrize("scope", ["transformer.h.*", "h.*", "transformer.h.[*]", "*.h.*"])
def test_one_scope_is_drawn_with_what_comes_in_and_goes_out(gpt2: Report, scope: str) -> None:
    """By its path, its end or a glob; the title has its own totals and how often it runs, the shares are of the whole
    model."""
    lines = texts(svg(gpt2, scope=scope))
    assert f"gpt2  {scope}  ×12    85.1 M parameters · 214 GFLOP" in lines
    assert any(text.endswith("repetitions summed · shares of the whole model") for text in lines)
    assert not any("lm_head" in text for text in lines)
    assert any(text.startswith("h.*  ×12") for text in lines)
    assert {"embed  [1, 1024, 768]", "output  [1, 1024, 768]"} <= lines


def test_all_formats_show_the_same_picture() -> None:
    """Whether boxes are narrow is decided by the SVG: a PNG in a narrower font has the same ones."""
    llama = graphacct.account("llama-3-8b", quantities=["params", "flops"])
    wide, high = size(svg(llama))
    picture = png(llama)
    ratio = int.from_bytes(picture[16:20]) / int.from_bytes(picture[20:24])
    assert ratio == pytest.approx(wide / high, rel=0.1)


def test_a_scope_inside_a_block_says_how_often_it_runs(gpt2: Report) -> None:
    """Its figures are those of all repetitions, which the title, its frame and the caption say."""
    lines = texts(svg(gpt2, scope="mlp"))
    assert "gpt2  mlp  ×12    56.7 M parameters · 116 GFLOP" in lines
    assert any(text.startswith("mlp  ×12   ") for text in lines)
    assert any("repetitions summed" in text for text in lines)


@pytest.mark.parametrize("scope", ["h.3.mlp", "transformer.h.0.mlp"])
def test_a_scope_with_an_index_is_one_repetition(gpt2: Report, scope: str) -> None:
    """With its own figures, as if the blocks were unrolled: 4.72 M = 768 · 3072 + 3072 + 3072 · 768 + 768."""
    picture = svg(gpt2, scope=scope)
    lines = texts(picture)
    assert f"gpt2  {scope}    4.72 M parameters · 9.70 GFLOP" in lines
    assert not any("×12" in text or "repetitions summed" in text for text in lines)
    assert picture == svg(gpt2, scope=scope, unroll=True)
    with pytest.raises(ConfigError, match=r"'h\.12\.mlp'; there are 12, transformer\.h\.0\.mlp to transformer\.h\.11"):
        draw(gpt2, scope="h.12.mlp")


def test_a_scope_has_a_depth_of_its_own(gpt2: Report) -> None:
    """At 1 it is open and what is in it is not."""
    from graphacct.hooks.manager import default

    picture = part(gpt2, default(), "h.*", depth=1)
    assert {box.path.rpartition(".")[2] for box in picture.boxes if box.kind == "scope"} == {"attn", "mlp"}
    assert set(picture.scopes) == {("transformer.h.*",)}


def test_a_scope_that_is_none_is_an_error(gpt2: Report) -> None:
    """The closest is suggested."""
    with pytest.raises(ConfigError, match=r"no scope of this model is 'transfromer'; did you mean 'transformer'"):
        draw(gpt2, scope="transfromer")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"orientation": "lef-right"}, "orientation is not 'lef-right'; did you mean 'left-right'"),
        ({"font_size": 3}, "font size is 4 to 40 whole points, not 3"),
        ({"font_size": 9.5}, "whole points, not 9.5"),
        ({"width_cm": 0}, "width is 2 to 200 cm, not 0"),
    ],
)
def test_options_that_make_no_picture_are_errors(gpt2: Report, options: dict[str, object], said: str) -> None:
    """They name the values that do."""
    with pytest.raises(ConfigError, match=said):
        draw(gpt2, **options)


def test_a_page_has_none_of_these(gpt2: Report, tmp_path: Path) -> None:
    """Rather than be left out in silence."""
    with pytest.raises(ConfigError, match=r"grey is for pictures \(.svg, .png, .pdf, .dot\), not for a page"):
        graphacct.draw(gpt2, tmp_path / "gpt2.html", grey=True)


def test_the_words_of_a_line_are_one_text(gpt2: Report) -> None:
    """So that they keep their distances in whatever font: no two texts stand beside each other on a line."""
    picture = svg(gpt2)
    assert "DejaVu Sans," in picture
    assert 'font-family="DejaVu Sans"' not in picture
    assert "<tspan" in picture
    assert not re.search(r'">(?: |&#160;)*</text>', picture)


@pytest.mark.parametrize("space", ['xml:space="preserve" ', ""])
def test_text_of_an_older_graphviz_is_put_together_too(space: str) -> None:
    """It does not say that blanks are kept."""
    look = 'font-family="DejaVu Sans" font-size="9.00"'
    runs = [
        f'<text {space}text-anchor="start" x="{x}" y="-5" {look}>{words}</text>' for x, words in enumerate(["a", " b"])
    ]
    (made,) = markup._lines(runs)
    assert made.startswith('<text xml:space="preserve" text-anchor="start" x="0"')
    assert made.endswith(">a b</text>")


def test_shares_end_where_they_ended() -> None:
    """A share at the right of a box is set from its end, so that it stays there in a narrower font."""
    given = (
        '<text xml:space="preserve" text-anchor="start" x="100" y="-5" font-family="DejaVu Sans" font-weight="bold" '
        'font-size="10.00" fill="#000000">12.34 %</text>'
    )
    (made,) = markup._lines([given])
    assert 'text-anchor="end" x="145.14"' in made  # 4 digits, a point, a blank and a per cent sign in bold


def test_an_edge_outside_makes_the_paper_larger() -> None:
    """By what it needs and a margin."""
    given = (
        '<svg width="100pt" height="50pt"\n viewBox="0.00 0.00 100.00 50.00">'
        '<g transform="scale(1 1) rotate(0) translate(4 46)">'
        '<polygon fill="white" stroke="none" points="-4,4 -4,-46 96,-46 96,4 -4,4"/>'
        '<path d="M0,0C40,0 120,-10 116,-10"/></g></svg>'
    )
    made = markup.inside(given)
    assert size(made)[0] > 120
    assert size(made)[1] == 50
    assert markup.inside(made) == made


def test_a_narrow_picture_has_narrow_boxes_of_what_costs_nothing() -> None:
    """T5's words are looked up for nothing: their box has two lines, the second not indented."""
    t5 = account("t5-small", quantities=["params", "flops"])
    wide, narrow = (drawn(t5, depth=3, narrow=narrow).source.splitlines() for narrow in (False, True))
    (before, *_), (box, *_) = ([line for line in lines if ">embed_tokens<" in line] for lines in (wide, narrow))
    assert "<TABLE" not in before
    assert [*re.findall(r"<TR>.*?<FONT[^>]*>([^<]*)<", box)] == ["embed_tokens", "tied to shared"]


def test_a_picture_from_left_to_right_has_slim_boxes() -> None:
    """A line for each thing, as wide as it is: the text of a Llama is 3.7 points on a slide, and was 2.7."""
    width, height = size(svg(account("llama-3-8b", quantities=["params", "flops"]), orientation="left-right"))
    assert 9 * min(960 / width, 540 / height) > 3.6


@pytest.mark.parametrize("points", [4, 7, 8, 9, 10, 11, 12, 14, 18, 25])
def test_the_legend_fits_its_place_at_each_size_of_text(gpt2: Report, points: int) -> None:
    """What is in a table of a fixed width is no wider: a heat scale that was covered the number beside it."""
    source = draw(gpt2, font_size=points).source
    tables = re.findall(r'<TABLE [^>]*FIXEDSIZE="TRUE" WIDTH="(\d+)"[^>]*>(.*?)</TABLE>', source, re.DOTALL)
    assert len(tables) == 3  # the scale, a residual and a repetition
    for width, cells in tables:
        assert sum(map(int, re.findall(r'WIDTH="(\d+)"', cells))) <= int(width)


def test_a_warning_is_at_the_line_that_asked_for_the_picture(tmp_path: Path) -> None:
    """Of a verb and of a report's method alike, and not inside graphacct."""
    report = graphacct.account("gpt2", seq_len=8, quantities=["flops", "params"])
    path = tmp_path / "x.svg"
    for ask in (lambda: graphacct.draw(report, path, width_cm=2), lambda: report.draw(path, width_cm=2)):
        with pytest.warns(PictureWarning, match="points in print") as warned:
            ask()
        assert {item.filename for item in warned} == {__file__}
