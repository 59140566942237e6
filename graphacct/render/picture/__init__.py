"""The picture as a file: SVG, PNG, PDF or DOT.

Graphviz's `dot` lays it out if it is installed. Otherwise, or if dot crashes, the executable of the package
graphviz-pure, which is a dependency, lays out SVG and PNG.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

from graphacct.errors import RenderError
from graphacct.files import write
from graphacct.reports.report import Report

if TYPE_CHECKING:
    import subprocess

    import graphviz

FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
PURE = "graphviz-pure"
PURE_FORMATS = ("svg", "png")
PIXELS_PER_INCH = 150
"""The resolution of PNG: sharp in a slide."""
TIMEOUT = 30
"""The most seconds that laying out may take: a third of them with care, then in few steps."""
IN_FEW_STEPS = ("-Gnslimit=1", "-Gnslimit1=1", "-Gmclimit=0.1", "-Gsplines=line")
"""Bounds Graphviz's searches for short and uncrossed arrows, and draws them straight."""
MOST_BOXES, MOST_ARROWS = 1_000, 4_000
"""The most that is laid out: twice as many boxes take minutes."""
WAYS_OUT = "collapse scopes with depth=1, or draw repeated blocks once, without unroll=True"
_BOX, _ARROW = re.compile(r"^\t+n\d+ \[", re.MULTILINE), re.compile(r"^\t+\S+ -> ", re.MULTILINE)


def svg(report: Report, **options: Any) -> str:
    """Returns the picture as SVG text; `options` are those of `graphacct.render.picture.dot.draw`.

    Raises RenderError when no layout program is found, or when it fails.
    """
    return _laid_out(report, "svg", **options).decode("utf-8")


def png(report: Report, **options: Any) -> bytes:
    """Returns the picture as a PNG file; otherwise like `svg`."""
    return _laid_out(report, "png", **options)


def pdf(report: Report, **options: Any) -> bytes:
    """Returns the picture as a PDF file, which needs Graphviz's dot; otherwise like `svg`."""
    return _laid_out(report, "pdf", **options)


def dot_source(report: Report, **options: Any) -> str:
    """Returns the picture's source for Graphviz."""
    from graphacct.render.picture.dot import drawn

    return drawn(report, **options).source


def _laid_out(report: Report, form: str, **options: Any) -> bytes:
    return layout(dot_source(report, **options), form)


def render(report: Report, path: str | os.PathLike[str], **options: Any) -> graphviz.Digraph:
    """Writes the picture to a file, whose suffix gives the format, and returns the picture.

    The file is written whole or not at all. Raises RenderError for an unknown suffix or if the layout fails, WriteError
    if the file cannot be written, and whatever `draw` raises.
    """
    from pathlib import Path

    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        said = f"{suffix!r} is not known" if suffix else "there is none"
        raise RenderError(f"{str(target)!r}: the suffix says the format, and {said}; known: {', '.join(FORMATS)}")
    from graphacct.render.picture.dot import draw

    form = FORMATS[suffix]
    picture = draw(report, **options)
    write(target, picture.source if form == "dot" else layout(picture.source, form))
    return picture


def layout(source: str, form: str) -> bytes:
    """Returns DOT source laid out and drawn as `svg`, `png` or `pdf`.

    If Graphviz's dot crashes, graphviz-pure draws, with a PictureWarning. Raises RenderError for a picture that is too
    large, if no layout program is installed (and says what to install), or if it fails or takes too long.
    """
    boxes, arrows = len(_BOX.findall(source)), len(_ARROW.findall(source))
    if boxes > MOST_BOXES or arrows > MOST_ARROWS:
        raise RenderError(
            f"this picture has {boxes:,} boxes and {arrows:,} arrows; at most {MOST_BOXES:,} and {MOST_ARROWS:,} are "
            f"laid out: {WAYS_OUT}, or write a .dot file"
        )
    first, *others = _programs(form)
    done = _run(first, source, form)
    for other in others:
        if done.returncode < 0:
            _warn_of(first, -done.returncode, other)
            first, done = other, _run(other, source, form)
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = said[-1] if said else f"exit status {done.returncode}"
        raise RenderError(f"{first} cannot draw this picture: {last}; write a .dot file to see its source")
    return done.stdout


def _run(program: str, source: str, form: str) -> subprocess.CompletedProcess[bytes]:
    """Returns what a layout program says of a picture: laid out with care or, if that takes long, in a few steps."""
    import subprocess  # a picture's source needs no program

    command = [program, f"-T{form}"]
    if form == "png":
        command.append(f"-Gdpi={PIXELS_PER_INCH}")
    for options, seconds in (((), TIMEOUT / 3), (IN_FEW_STEPS, 2 * TIMEOUT / 3)):
        try:
            return subprocess.run(
                [*command, *options], input=source.encode("utf-8"), capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            continue
        except OSError as error:
            raise RenderError(f"{program} cannot be run: {error.strerror or error}") from error
    raise RenderError(f"laying the picture out took more than {TIMEOUT:g} s; {WAYS_OUT}")


def _warn_of(crashed: str, signal: int, other: str) -> None:
    from graphacct.render.picture.dot import PictureWarning

    warnings.warn(f"{crashed} crashed (signal {signal}); {other} draws the picture", PictureWarning, stacklevel=3)


def _programs(form: str) -> list[str]:
    """Returns the layout programs for a format: `dot`, then graphviz-pure beside this interpreter or on the path."""
    import shutil

    dot = shutil.which("dot")
    found = [dot] if dot is not None else []
    if form in PURE_FORMATS:
        beside = shutil.which(PURE, path=os.path.dirname(sys.executable))
        pure = beside or shutil.which(PURE)
        found += [pure] if pure is not None else []
    if found:
        return found
    if form not in PURE_FORMATS:
        raise RenderError(
            f"{form.upper()} needs Graphviz's dot, which is not installed: install graphviz (apt-get install graphviz, "
            f"brew install graphviz, winget install graphviz), or write .svg or .png"
        )
    raise RenderError(
        "no program to lay the picture out: install graphviz-pure (pip install graphviz-pure) or Graphviz's dot, "
        "or write a .dot file"
    )
