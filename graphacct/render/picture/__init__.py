"""The picture as a file: SVG, PNG, PDF or DOT.

Graphviz's `dot` lays it out if it is installed. Otherwise the executable of the package graphviz-pure, which is a
dependency, lays out SVG and PNG.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphacct.errors import RenderError
from graphacct.files import write
from graphacct.reports.report import Report

if TYPE_CHECKING:
    import graphviz

FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
PURE = "graphviz-pure"
PURE_FORMATS = ("svg", "png")
PIXELS_PER_INCH = 150
"""The resolution of PNG: sharp in a slide."""
TIMEOUT = 600
"""The most seconds that laying out may take."""


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
    from graphacct.render.picture.dot import draw

    return str(draw(report, **options).source)


def _laid_out(report: Report, form: str, **options: Any) -> bytes:
    return layout(dot_source(report, **options), form)


def render(report: Report, path: str | os.PathLike[str], **options: Any) -> graphviz.Digraph:
    """Writes the picture to a file, whose suffix gives the format, and returns the picture.

    The file is written whole or not at all. Raises RenderError for an unknown suffix or if the layout fails, WriteError
    if the file cannot be written, and whatever `draw` raises.
    """
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

    Raises RenderError if no layout program is installed (and says what to install), or if it fails or takes too long.
    """
    program = _program(form)
    command = [program, f"-T{form}"]
    if form == "png":
        command.append(f"-Gdpi={PIXELS_PER_INCH}")
    try:
        done = subprocess.run(command, input=source.encode("utf-8"), capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        text = f"laying the picture out took more than {TIMEOUT} s; collapse scopes with depth=1"
        raise RenderError(text) from error
    except OSError as error:
        raise RenderError(f"{program} cannot be run: {error.strerror or error}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = said[-1] if said else f"exit status {done.returncode}"
        raise RenderError(f"{program} cannot draw this picture: {last}; write a .dot file to see its source")
    return done.stdout


def _program(form: str) -> str:
    """Returns the layout program for a format: `dot`, or graphviz-pure beside this interpreter or on the path."""
    dot = shutil.which("dot")
    if dot is not None:
        return dot
    if form not in PURE_FORMATS:
        raise RenderError(
            f"{form.upper()} needs Graphviz's dot, which is not installed: install graphviz (apt-get install graphviz, "
            f"brew install graphviz, winget install graphviz), or write .svg or .png"
        )
    beside = shutil.which(PURE, path=str(Path(sys.executable).parent))
    pure = beside or shutil.which(PURE)
    if pure is None:
        raise RenderError(
            "no program to lay the picture out: install graphviz-pure (pip install graphviz-pure) or Graphviz's dot, "
            "or write a .dot file"
        )
    return pure
