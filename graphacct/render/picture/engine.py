"""Lays a picture's source out: which program does it, what takes over when one fails or takes long, and what is said.

The executable of the package graphviz-pure, a dependency, goes first: it gives the same picture on every machine.
Graphviz's own `dot` takes over where it is missing, crashes or fails.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from graphacct.errors import RenderError, warn
from graphacct.progress import doing
from graphacct.render.picture.labels import FONT
from graphacct.render.picture.markup import PIXELS_PER_INCH, WIDE

if TYPE_CHECKING:
    import subprocess

PURE = "graphviz-pure"
PLACED = "placed"
WISH = "[style=invis weight=0]"
CAREFULLY, QUICKLY = 10.0, 20.0
"""The most seconds that a layout may take: with care, and then, after a word to the user, in few steps."""
IN_FEW_STEPS = ("-Gnslimit=1", "-Gnslimit1=1", "-Gmclimit=0.1", "-Gsplines=line")
"""Bounds Graphviz's searches for short and uncrossed arrows, and draws them straight."""
MOST_BOXES, MOST_ARROWS = 1_000, 4_000
"""The most that is laid out: twice as many boxes take minutes."""
WAYS_OUT = "collapse scopes with depth=1, draw one scope only, or draw repeated blocks once, without unroll=True"
_PEN = re.compile(r'^\s*n\s+\[_draw_="c \d+ -(#[0-9a-f]{6})', re.MULTILINE)
_BOX, _ARROW = re.compile(r"^\t+n\d+ \[", re.MULTILINE), re.compile(r"^\t+\S+ -> ", re.MULTILINE)


class PictureWarning(UserWarning):
    """The picture is drawn but will be hard to lay out or to read. The message says how to make it smaller."""


def laid_out(source: str, form: str) -> bytes:
    """Returns what a layout program makes of DOT source: `svg`, `png`, `dot` with all places in it, or PLACED, a PNG of
    such a source as it is.

    Each program first lays out with care, then, if that fails or takes long, in few steps; a PictureWarning says what
    happens. Raises RenderError for a picture that is too large, if no program is installed (and says what to install),
    or if all fail or take too long.
    """
    boxes, arrows = len(_BOX.findall(source)), len(_ARROW.findall(source))
    if boxes > MOST_BOXES or arrows > MOST_ARROWS:
        raise RenderError(
            f"this picture has {boxes:,} boxes and {arrows:,} arrows; at most {MOST_BOXES:,} and {MOST_ARROWS:,} are "
            f"laid out: {WAYS_OUT}, or write a .dot file"
        )
    programs = _programs()
    tries = [(program, options) for options in ((), IN_FEW_STEPS) for program in programs]
    while True:
        program, options = tries.pop(0)
        with doing(f"laying out {boxes:,} boxes and {arrows:,} arrows"):
            done = _run(program, source, form, options, QUICKLY if options else CAREFULLY)
        if done is not None and done.returncode and WISH in source:  # some lead graphviz-pure into an error of its own
            done = _run(program, _without_wishes(source), form, options, CAREFULLY)
        if done is not None and done.returncode == 0 and done.stdout:
            return done.stdout
        problem = _problem(program, done, options)
        if done is None:  # what is slow in one program is slow in the other
            tries = [] if options else [other for other in tries if other[1]]
        if not tries:
            see = "" if done is None else "write a .dot file to see its source, or "
            raise RenderError(f"{problem}; {see}{WAYS_OUT}")
        _warn(problem, *tries[0], f"{boxes:,} boxes and {arrows:,} arrows")


def _without_wishes(source: str) -> str:
    """Returns the source without the invisible arrows that say what should stand above what."""
    return "\n".join(line for line in source.split("\n") if WISH not in line)


def rgb(colour: str) -> str:
    """Returns a colour that Graphviz knows by a name as `#rrggbb`; as it is if no program says what it is."""
    import subprocess

    from graphacct.render.picture.lines import Literal, quoted

    try:
        program = _programs()[0]
        source = f'graph {{ n [label="" color={quoted(Literal(colour))}] }}'
        done = subprocess.run([program, "-Txdot"], input=source, capture_output=True, timeout=CAREFULLY, text=True)
    except (RenderError, OSError, subprocess.SubprocessError):
        return colour
    found = _PEN.search(done.stdout)
    return found[1] if found else colour


def _run(
    program: str, source: str, form: str, options: tuple[str, ...], seconds: float
) -> subprocess.CompletedProcess[bytes] | None:
    """Returns what a program says of a picture; None if it takes too long."""
    import subprocess  # a picture's source needs no program

    kind = ["-Knop2", "-Tpng"] if form == PLACED else [f"-T{form}"]
    command = [program, *kind, *options]
    if options:  # ranking all scopes together fails or takes long in a large picture
        source = source.replace(" newrank=true ", " ", 1)
    if form in ("png", PLACED):  # whose letters the program draws, in its own font
        command.append(f"-Gdpi={PIXELS_PER_INCH}")
    else:
        source = source.replace(f"fontname={FONT}", f'fontname="{WIDE}"', 3)  # of graph, nodes and edges
    try:
        return subprocess.run(command, input=source.encode("utf-8"), capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise RenderError(f"{program} cannot be run: {error.strerror or error}") from error


def _problem(program: str, done: subprocess.CompletedProcess[bytes] | None, options: tuple[str, ...]) -> str:
    """Returns in words why there is no picture."""
    name = os.path.basename(program)
    if done is None:
        return f"laying the picture out took more than {QUICKLY if options else CAREFULLY:g} s"
    if done.returncode < 0:
        return f"{name} crashed (signal {-done.returncode})"
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    errors = [line for line in said if not line.startswith("Warning")]
    last = errors[-1].strip() if errors else f"exit status {done.returncode}"
    return f"{name} cannot draw this picture: {last}"


def _warn(problem: str, other: str, options: tuple[str, ...], size: str) -> None:
    how = f"{os.path.basename(other)} draws it"
    if options:
        how += f", {size}, in few steps with straight arrows; to make it smaller: {WAYS_OUT}"
    warn(f"{problem}; {how}", PictureWarning)


def _programs() -> list[str]:
    """Returns the layout programs: graphviz-pure beside this interpreter or on the path, then `dot`."""
    beside = shutil.which(PURE, path=os.path.dirname(sys.executable))
    found = [program for program in (beside or shutil.which(PURE), shutil.which("dot")) if program is not None]
    if not found:
        raise RenderError(
            "no program to lay the picture out: install graphviz-pure (pip install graphviz-pure) or Graphviz's dot, "
            "or write a .dot file"
        )
    return found
