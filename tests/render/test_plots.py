"""Plots of comparisons: what they say, and that the same figures give the same bytes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import sympy

import graphacct
from graphacct.errors import ConfigError, RenderError, UnknownNameError
from graphacct.reports.comparison import Comparison

matplotlib = pytest.importorskip("matplotlib")
DOCS = Path(__file__).parents[2] / "docs"
SIZES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")


@pytest.fixture(scope="module")
def sizes() -> Comparison:
    """The four sizes of GPT-2."""
    return graphacct.compare(*SIZES, by="role")


@pytest.fixture(scope="module")
def lengths() -> Comparison:
    """GPT-2 XL at lengths around the one where attention passes the network."""
    return graphacct.compare("gpt2-xl", over="seq_len=1k:8k:1k", by="role")


def words(found: Comparison, path: Path, against: str | None = None, width_cm: float | None = None) -> list[str]:
    """The texts of a plot."""
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        found.plot(path, against, width_cm)
    return [text.strip() for text in re.findall(r"<text[^>]*>([^<]*)<", path.read_text(encoding="utf-8"))]


def test_bars_say_models_shares_and_totals(sizes: Comparison, tmp_path: Path) -> None:
    """Attention is 33.32 % of gpt2's FLOPs and 38.00 % of gpt2-xl's; what has no bar is named below."""
    texts = words(sizes, tmp_path / "a.svg")
    for text in (
        "gpt2-xl",
        "1.56 B parameters",
        "3.52 TFLOP",
        "attention",
        "mlp",
        "head",
        "33",
        "57",
        "share of FLOPs (%)",
    ):
        assert text in texts
    assert any("below 0.5 % each, left white: norms, other" in text for text in texts)
    assert any("seq_len 1024" in text and "convention exact" in text for text in texts)


def test_lines_mark_the_crossing(lengths: Comparison, tmp_path: Path) -> None:
    """3,124 is what `solve` finds, between two of the sizes."""
    texts = words(lengths, tmp_path / "a.svg")
    assert "attention passes mlp at seq_len 3,124" in texts
    assert {"1,024", "8,192", "seq_len (tokens)", "gpt2-xl: FLOPs by role"} <= set(texts)


def test_each_point_is_named(sizes: Comparison, tmp_path: Path) -> None:
    """Axes have units, and there is one name for each model."""
    texts = words(sizes, tmp_path / "a.svg", "params")
    assert [text for text in texts if text in SIZES] == list(SIZES)
    assert {"FLOPs", "parameters", "1 B", "1 TFLOP"} <= set(texts)


def test_no_name_covers_another(tmp_path: Path) -> None:
    """Two pairs of models lie nearly on one point."""
    from graphacct.render.cost_plot import cost_plot

    models = (*SIZES, "bert-base-uncased", "bert-large-uncased", "llama-3-8b", "qwen3-8b")
    drawn = cost_plot(graphacct.compare(*models), "params")
    renderer = drawn.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in drawn.axes[0].texts]
    assert len(boxes) == len(models)
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


@pytest.mark.parametrize("against", [None, "params"])
def test_a_width_is_that_of_the_file(sizes: Comparison, tmp_path: Path, against: str | None) -> None:
    """8.4 cm are 238 points; text keeps its size, so that what is said below takes more lines."""
    sizes.plot(tmp_path / "column.svg", against, width_cm=8.4)
    picture = (tmp_path / "column.svg").read_text(encoding="utf-8")
    width = re.search(r'<svg [^>]*width="([\d.]+)pt"', picture)
    assert width is not None
    assert float(width[1]) == pytest.approx(8.4 / 2.54 * 72, abs=0.1)
    texts = words(sizes, tmp_path / "column.svg", against, width_cm=8.4)
    assert any(text.startswith("batch 1") and "convention" not in text for text in texts)
    for wrong in (0, True, "wide"):
        with pytest.raises(ConfigError, match="width is 6 to 60 cm, not"):
            sizes.plot(tmp_path / "column.svg", against, width_cm=wrong)  # type: ignore[arg-type]


def test_lines_of_a_narrow_plot_mark_fewer_sizes(lengths: Comparison, tmp_path: Path) -> None:
    """Of eight sizes that would cover each other."""
    said = [words(lengths, tmp_path / "lines.svg"), words(lengths, tmp_path / "narrow.svg", width_cm=8.4)]
    marked = [[text for text in texts if re.fullmatch(r"\d,\d{3}", text)] for texts in said]
    assert len(marked[0]) == 8
    assert marked[1] == ["4,096", "8,192", "3,124"]  # the last is where attention passes the network


def test_the_same_figures_give_the_same_bytes(lengths: Comparison, tmp_path: Path) -> None:
    contents = []
    for name in ("a.svg", "b.svg"):
        lengths.plot(tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert b"<dc:date>" not in contents[0]


def test_long_and_odd_names(tmp_path: Path) -> None:
    """A name is wrapped, and no dollar makes it a formula."""
    path = tmp_path / f"{'a_long_name' * 6}_$x$y.json"
    path.write_text('{"model_type": "gpt2", "n_embd": 24, "n_layer": 1, "n_head": 2, "vocab_size": 60}')
    texts = words(graphacct.compare(str(path), "gpt2", by="role"), tmp_path / "a.svg")
    assert any("$x$y" in text for text in texts)


def test_the_pictures_of_the_documentation(sizes: Comparison, tmp_path: Path) -> None:
    """docs/shares.svg and docs/context.svg say what is drawn now; fonts may differ with matplotlib's version. They are
    what the commands on docs/compare.md write."""
    context = graphacct.compare("gpt2-xl", over="seq_len=1k:16k:512", by="role")
    for name, found in (("shares.svg", sizes), ("context.svg", context)):
        found.plot(tmp_path / name)
        texts = [
            re.findall(r"<!-- (.*?) -->", (folder / name).read_text(encoding="utf-8")) for folder in (tmp_path, DOCS)
        ]
        assert texts[0] == texts[1]
        assert len(texts[0]) > 15


def test_what_cannot_be_plotted(sizes: Comparison, lengths: Comparison, tmp_path: Path) -> None:
    """Each error says the way out, and no file is written."""
    target = tmp_path / "a.png"
    cases: list[tuple[Comparison, dict[str, Any], str]] = [
        (sizes, {"path": tmp_path / "a.jpg"}, "a plot is a .png, .svg or .pdf, not"),
        (sizes, {"against": "parms"}, "unknown quantity 'parms'; did you mean 'params'"),
        (graphacct.compare("gpt2", by="role"), {}, "a plot of 'gpt2' alone compares nothing: name other models"),
        (graphacct.compare(*SIZES), {}, "is by role, not by scope: give by='role'"),
        (graphacct.compare(*SIZES, quantity="arithmetic_intensity"), {}, "has no shares.* plot it against='params'"),
        (graphacct.compare("gpt2", "gpt2", by="role", batch=sympy.Symbol("n", positive=True)), {}, "is no number"),
    ]
    for found, options, message in cases:
        with pytest.raises((RenderError, UnknownNameError, graphacct.ConfigError), match=message):
            found.plot(**{"path": target, **options})
        assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(sizes: Comparison, tmp_path: Path, monkeypatch: Any) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RenderError, match=r"pip install 'graphacct\[plot\]'"):
        sizes.plot(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
