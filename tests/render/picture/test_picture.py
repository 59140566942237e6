"""The picture as a file."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import hostile
import pytest

from graphacct import GraphacctError, Report, account
from graphacct.errors import RenderError, WriteError
from graphacct.render.picture import engine, render, svg
from graphacct.render.picture.dot import draw
from graphacct.render.picture.engine import PictureWarning

PURE = engine.PURE
BUNDLED = shutil.which(PURE, path=os.path.dirname(sys.executable))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def gpt2() -> Report:
    return account("gpt2", attention="eager")


@pytest.fixture
def no_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Graphviz: the executable of graphviz-pure beside the interpreter is all there is."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def drawn(report: Report, path: Path) -> Path:
    """The file with the picture, written."""
    render(report, path)
    return path


def line(text: ElementTree.Element) -> str:
    """The words of a line, with plain blanks."""
    return "".join(text.itertext()).replace("\xa0", " ")


def program(folder: Path, name: str, script: str) -> None:
    """An executable that runs a line of shell."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


@pytest.mark.usefixtures("no_dot")
def test_svg_needs_no_graphviz(gpt2: Report, tmp_path: Path) -> None:
    """Where no dot is installed the dependency graphviz-pure draws, and the text is there to be searched."""
    path = drawn(gpt2, tmp_path / "gpt2.svg")
    tree = ElementTree.parse(path)
    lines = {line(text) for text in tree.iter(f"{SVG}text")}
    assert {"gpt2    124 M parameters · 293 GFLOP", "lm_head  linear  tied to wte"} <= lines
    assert any(text.startswith("h.*  ×12   ") for text in lines)


@pytest.mark.usefixtures("no_dot")
def test_png_needs_no_graphviz(gpt2: Report, tmp_path: Path) -> None:
    """A PNG has its signature."""
    assert drawn(gpt2, tmp_path / "gpt2.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.usefixtures("no_dot")
def test_pdf_needs_no_graphviz(gpt2: Report, tmp_path: Path) -> None:
    """svglib writes it, with its fonts in the file, as publishers ask."""
    pytest.importorskip("svglib")
    content = drawn(gpt2, tmp_path / "gpt2.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/FontFile2" in content
    assert b"/BaseFont /Helvetica" not in content  # reportlab's first font, which is in no file


def test_a_width_gives_one_layout_in_every_format(gpt2: Report, tmp_path: Path) -> None:
    """The narrower boxes of a small picture too, and the word about its text."""
    formats = ["svg", "png", "pdf"] if importlib.util.find_spec("svglib") else ["svg", "png"]
    shown: list[str] = []
    said: set[str] = set()
    for form in formats:
        with pytest.warns(PictureWarning) as warned:
            shown.append(render(gpt2, tmp_path / f"a.{form}", depth=1, width_cm=4).source)
        said.update(str(one.message) for one in warned)
    assert shown == shown[:1] * len(formats)
    assert shown[0] == draw(gpt2, depth=1, width_cm=4, narrow=True).source
    assert len(said) == 1
    png = (tmp_path / "a.png").read_bytes()
    assert int.from_bytes(png[16:20]) == pytest.approx(4 / 2.54 * 150, abs=2)


def test_pdf_without_its_libraries_says_what_to_install(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the command, and nothing is left behind."""
    monkeypatch.setitem(sys.modules, "svglib.svglib", None)
    with pytest.raises(RenderError, match=r"PDF needs svglib.*pip install 'graphacct\[pdf\]'.*\.svg or \.png"):
        render(gpt2, tmp_path / "gpt2.pdf")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_graphviz_draws_where_the_bundled_program_is_missing(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, start: bytes
) -> None:
    """Graphviz's own dot takes the same source."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", os.path.dirname(shutil.which("dot") or ""))
    assert drawn(gpt2, tmp_path / f"gpt2{suffix}").read_bytes().startswith(start)


def test_an_installed_graphviz_changes_nothing(gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same model gives the same picture everywhere: a dot on the path is not asked."""
    program(tmp_path / "bin", "dot", "echo drawn by dot")
    before = svg(gpt2)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    assert svg(gpt2) == before


@pytest.mark.parametrize("suffix", [".dot", ".gv", ".GV"])
def test_the_source_needs_no_layout(gpt2: Report, tmp_path: Path, suffix: str) -> None:
    """DOT is written as it is: the source of the Digraph that one gets."""
    source = render(gpt2, tmp_path / f"gpt2{suffix}").source
    assert source.startswith("digraph graphacct {")
    assert (tmp_path / f"gpt2{suffix}").read_text(encoding="utf-8") == source


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.svgz", "'.svgz' is not known; known: .svg, .png, .pdf, .dot, .gv"),
        ("a.jpeg", "'.jpeg' is not known; known: .svg, .png, .pdf, .dot, .gv"),
        ("a", "the suffix says the format, and there is none; known: .svg, .png, .pdf, .dot, .gv"),
    ],
)
def test_an_unknown_suffix_is_an_error_that_lists_the_known_ones(gpt2: Report, name: str, said: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(RenderError, match=re.escape(said)):
        render(gpt2, name)


@pytest.mark.usefixtures("no_dot")
def test_no_program_at_all_says_what_to_install(gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither dot nor graphviz-pure."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "empty" / "python"))
    with pytest.raises(RenderError, match=r"install graphviz-pure .* or write a \.dot file"):
        svg(gpt2)


@pytest.mark.parametrize(
    ("script", "said"), [("echo boom >&2; exit 1", "boom"), ("exit 3", "exit status 3"), ("true", "exit status 0")]
)
def test_a_failed_layout_leaves_no_file(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    """The message has the program's last line; what stood at the path stays as it was."""
    only(tmp_path, monkeypatch, {PURE: f"cat >/dev/null; {script}"})
    target = tmp_path / "gpt2.svg"
    target.write_text("before", encoding="utf-8")
    with pytest.warns(PictureWarning, match="in few steps"), pytest.raises(RenderError, match=said):
        render(gpt2, target)
    assert target.read_text(encoding="utf-8") == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "gpt2.svg"]


def only(folder: Path, monkeypatch: pytest.MonkeyPatch, scripts: dict[str, str]) -> None:
    """A machine with these layout programs alone."""
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        program(folder / "bin", name, script)
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}/bin")
    monkeypatch.setattr(engine.shutil, "which", lambda name, path=None: shutil_which(name, folder / "bin"))


def shutil_which(name: str, folder: Path) -> str | None:
    """The program of a name in one folder."""
    return str(folder / name) if (folder / name).exists() else None


def test_a_layout_that_takes_too_long_says_so_and_is_given_up(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 20 s are over the user knows what happens and how to make the picture smaller."""
    assert engine.CAREFULLY < 20
    only(tmp_path, monkeypatch, {PURE: "exec sleep 20"})
    monkeypatch.setattr(engine, "CAREFULLY", 0.1)
    monkeypatch.setattr(engine, "QUICKLY", 0.2)
    with (
        pytest.warns(PictureWarning, match=r"more than 0.1 s; .* \d+ boxes .* to make it smaller: collapse scopes"),
        pytest.raises(RenderError, match=r"took more than 0.2 s; collapse scopes with depth=1"),
    ):
        svg(gpt2)


def test_when_the_bundled_program_crashes_graphviz_draws(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warning says who drew instead; if both crash, with how little is tried again."""
    only(tmp_path, monkeypatch, {PURE: "kill -SEGV $$", "dot": f'exec {BUNDLED} "$@"'})
    with pytest.warns(PictureWarning, match=r"graphviz-pure crashed \(signal 11\); dot draws it"):
        assert ElementTree.fromstring(svg(gpt2)).tag == f"{SVG}svg"
    only(tmp_path / "dot alone", monkeypatch, {"dot": "kill -SEGV $$"})
    with (
        pytest.warns(PictureWarning, match="in few steps with straight arrows"),
        pytest.raises(RenderError, match=r"dot crashed \(signal 11\); write a \.dot file"),
    ):
        svg(gpt2)


def test_what_takes_long_is_laid_out_in_few_steps(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the careful layout Graphviz is told to search less."""
    script = f'case "$*" in *mclimit*) exec {BUNDLED} "$@";; *) exec sleep 20;; esac'
    only(tmp_path, monkeypatch, {PURE: script})
    monkeypatch.setattr(engine, "CAREFULLY", 0.2)
    with pytest.warns(PictureWarning, match="graphviz-pure draws it, .* in few steps"):
        assert ElementTree.fromstring(svg(gpt2)).tag == f"{SVG}svg"


def test_a_picture_of_too_many_boxes_or_arrows_is_refused_before_it_is_laid_out(
    gpt2: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is written all the same."""
    monkeypatch.setattr(engine, "MOST_BOXES", 10)
    with pytest.raises(
        RenderError,
        match=r"this picture has \d\d boxes and \d\d arrows; at most 10 and 4,000 are laid out: collapse scopes with "
        r"depth=1, draw one scope only, or draw repeated blocks once, without unroll=True, or write a \.dot file",
    ):
        svg(gpt2)
    assert drawn(gpt2, tmp_path / "gpt2.dot").exists()


def test_an_unwritable_output_is_an_error_and_leaves_nothing(gpt2: Report, tmp_path: Path) -> None:
    """A folder that does not exist, and a folder in the file's place."""
    with pytest.raises(WriteError, match=r"cannot write .*missing"):
        render(gpt2, tmp_path / "missing" / "gpt2.svg")
    (tmp_path / "taken.dot").mkdir()
    with pytest.raises(WriteError, match="is a folder"):
        render(gpt2, tmp_path / "taken.dot")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.dot"]


def test_a_graph_shows_as_its_picture_in_a_notebook(gpt2: Report) -> None:
    """`_repr_svg_` is the default picture."""
    assert ElementTree.fromstring(gpt2.annotated.graph._repr_svg_()).tag == f"{SVG}svg"


@pytest.mark.parametrize("options", [{}, {"depth": 1}, {"views": True, "color_by": "read_bytes"}])
@pytest.mark.parametrize("layout", ["dot", "graphviz-pure"])
def test_hostile_names_do_no_harm(
    layout: str, options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags, quotes, backslashes and control characters in names come out as text: no element, no link, no attribute."""
    if layout == "graphviz-pure":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    tree = ElementTree.fromstring(svg(hostile.report(), **options))
    allowed = {"svg", "g", "title", "polygon", "polyline", "path", "text", "tspan", "a", "ellipse"}
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= allowed
    for element in tree.iter():
        assert not [name for name in element.attrib if name.startswith("on") or name.endswith("href")]
    words = "".join(map(line, tree.iter(f"{SVG}text")))
    assert "alert(" in words
    titles = [value for element in tree.iter() for name, value in element.attrib.items() if name.endswith("title")]
    assert any("<script>alert(\"x\")</script> & 'q' | [red]no[/red] \\x1b[31m\\n`*_#" in t for t in titles)


@pytest.mark.usefixtures("no_dot")
@pytest.mark.parametrize(
    "name",
    [
        "<",
        "&amp;",
        "&",
        '"',
        "'",
        "|{x}|",
        "\\",
        "\\N",
        "\\n",
        "a\\",
        "<b>",
        "<<B>x</B>>",
        "]]>",
        "-->",
        "\x00\x1b",
        "×é漢",
    ],
)
def test_each_name_comes_out_as_it_went_in(name: str) -> None:
    """In the label and in the tooltip; characters that XML cannot hold are written as code points."""
    from graphacct import Builder
    from graphacct.hooks.manager import default

    builder = Builder(name, default().operators)
    out = builder.apply("relu", builder.input("x", (4,)), name=name)
    tree = ElementTree.fromstring(svg(account(builder.graph(out))))
    shown = "\\x00\\x1b" if name == "\x00\x1b" else name
    assert shown in {(text.text or "").replace("\xa0", " ") for text in tree.iter(f"{SVG}text")}
    titles = [value for item in tree.iter() for key, value in item.attrib.items() if key.endswith("title")]
    assert any(title.split("\n")[0] == shown for title in titles)


def test_a_long_name_is_shortened_in_the_middle() -> None:
    """A label stays readable; the tooltip has the name in full, up to a limit."""
    from graphacct import Builder
    from graphacct.hooks.manager import default

    name = "a" * 300 + "z" * 300
    builder = Builder("long", default().operators)
    tree = ElementTree.fromstring(
        svg(account(builder.graph(builder.apply("relu", builder.input("x", (4,)), name=name))))
    )
    texts = [text.text or "" for text in tree.iter(f"{SVG}text")]
    assert "a" * 21 + "…" + "z" * 21 in texts
    titles = [value for item in tree.iter() for key, value in item.attrib.items() if key.endswith("title")]
    assert any(name in title for title in titles)


def test_the_picture_in_the_documentation_is_the_one_that_is_drawn(
    gpt2: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/gpt2.svg is what `graphacct draw gpt2 --attention eager -o docs/gpt2.svg` writes with graphviz-pure."""
    file = Path(__file__).parents[3] / "docs" / "gpt2.svg"
    monkeypatch.setenv("PATH", "")
    assert file.read_text(encoding="utf-8") == svg(gpt2)


def test_errors_of_the_picture_are_errors_of_the_program(gpt2: Report) -> None:
    """The command line prints them in a line."""
    with pytest.raises(GraphacctError):
        render(gpt2, "x.bmp")


@pytest.mark.usefixtures("no_dot")
def test_what_the_engine_cannot_place_is_placed_without_wishes(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """graphviz-pure fails on what should stand above what in this picture; dot, which would take over, is not there."""
    drawn(account("whisper-tiny", phase="prefill"), tmp_path / "whisper.svg")
    assert [*recwarn] == []
