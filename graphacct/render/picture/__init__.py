"""The picture as a file: SVG, PNG, PDF or DOT.

`engine.py` has it laid out, `markup.py` makes the SVG ready, and `paper.py` makes a PDF of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from graphacct.errors import RenderError, warn
from graphacct.files import write
from graphacct.render.picture import markup
from graphacct.reports.report import Report

if TYPE_CHECKING:
    import graphviz

    from graphacct.render.picture.lines import DotSource

FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}
SLIDE, PAGE = (960, 540), (468, 648)
"""Width and height in points of a slide of 16:9 and of the text of a page."""
PRINT = 2 / 3
"""How large text is in print by its size on a slide, where it is legible."""
LARGE = 0.75
"""How much of its size a picture must keep on a slide or a page; otherwise narrower boxes are tried."""
MANY = 200
"""The number of arrows above which a picture is laid out once."""
LEGIBLE, FEWER, KEPT = 0.55, (28, 20), 0.6
"""How much of its size a picture keeps at least if graphacct chooses what is open; the most boxes that are then tried,
and how many of them it keeps."""
SMALL = 4.0
"""The points of text on a page, or by the same measure on a slide, below which nobody reads it."""
LONG, COLUMNS = 2, (2, 3)
"""How much higher than wide a picture is that is broken into columns where it is small; how many are tried."""
HELPS = 1.05
"""How much larger text must become for a way to it to be named."""
SAYS_MUCH = 12
"""The number of boxes from which on a picture shows how a model is built though all its scopes are closed."""


def svg(report: Report, **options: Any) -> str:
    """Returns the picture as SVG text; `options` are those of `graphacct.render.picture.dot.draw`.

    Raises RenderError when no layout program is found, or when it fails.
    """
    return _laid_out(report, "svg", **options).decode("utf-8")


def png(report: Report, **options: Any) -> bytes:
    """Returns the picture as a PNG file; otherwise like `svg`."""
    return _laid_out(report, "png", **options)


def pdf(report: Report, **options: Any) -> bytes:
    """Returns the picture as a PDF file, which needs the extra `pdf`; otherwise like `svg`."""
    return _laid_out(report, "pdf", **options)


def dot_source(report: Report, **options: Any) -> str:
    """Returns the picture's source for Graphviz, its nodes named by their paths, which is what a viewer such as Netron
    shows; a path that several boxes have is numbered."""
    from graphacct.render.picture.dot import drawn

    picture = drawn(report, **options)
    paths = {*picture.paths.values()}
    taken: dict[str, str] = {}
    for name, path in picture.paths.items():
        others = (f"{path} ({place})" for place in count(2))
        free = path if path not in taken else next(other for other in others if other not in paths | {*taken})
        taken[free] = name
    picture.rename({name: path for path, name in taken.items()})
    return picture.source


def _laid_out(report: Report, form: str, **options: Any) -> bytes:
    from graphacct.render.picture.dot import drawn

    options = {**options, "tried": {}}
    return _narrowed(drawn(report, **options), form, report, options)[1]


def _narrowed(picture: DotSource, form: str, report: Report, options: Mapping[str, Any]) -> tuple[DotSource, bytes]:
    """Returns a picture and its file; one that is small on a slide and a page has narrower boxes, if that helps.

    The SVG decides, whatever the format, so that all formats show the same boxes.
    """
    from graphacct.render.picture.dot import drawn

    found = layout(picture.source)
    size, given = _size(found, options), {**options}
    if size < LARGE and picture.source.count(" -> ") < MANY:  # more take seconds to lay out, each time
        narrow = drawn(report, **options, narrow=True)
        other = layout(narrow.source)
        if _size(other, options) > size:
            picture, found = narrow, other
    chosen = all(options.get(name) is None for name in ("depth", "scope", "width_cm"))
    for most in FEWER if chosen and not options.get("unroll") else ():
        size = fitting(*markup.dimensions(found))
        if size >= LEGIBLE:
            break
        fewer = drawn(report, **options, narrow=True, most=most)
        count, before = len(fewer.paths), len(picture.paths)
        if (count >= SAYS_MUCH or _opens(fewer)) and KEPT * before <= count < before:
            other = layout(fewer.source)
            if fitting(*markup.dimensions(other)) > size:
                picture, found, given = fewer, other, {**options, "most": most}
    if options.get("width_cm") is None:
        picture, found = _in_columns(picture, found, report, given)
        _check_fits(found, picture, options)
    else:
        _check_legible(found, picture, report, options)
    return picture, written(picture.source, found, form)


def _in_columns(picture: DotSource, found: str, report: Report, options: Mapping[str, Any]) -> tuple[DotSource, str]:
    """Returns a picture and its SVG; one that is small because it is long is broken into columns, if that helps."""
    from graphacct.render.picture.across import rightwards
    from graphacct.render.picture.dot import drawn
    from graphacct.render.picture.look import TOP_DOWN

    width, height = markup.dimensions(found)
    size = fitting(width, height)
    down = options.get("orientation", TOP_DOWN) == TOP_DOWN
    if not down or size >= LEGIBLE or height < LONG * width or picture.source.count(" -> ") >= MANY:
        return picture, found
    for columns in COLUMNS:
        broken = drawn(report, **options, columns=columns)
        other = layout(broken.source)
        if fitting(*markup.dimensions(other)) > size and rightwards(other):
            picture, found, size = broken, other, fitting(*markup.dimensions(other))
    return picture, found


def _opens(picture: DotSource) -> bool:
    """Returns whether a picture has an open scope."""
    return picture.source.count("subgraph") > 1


def _size(svg: str, options: Mapping[str, Any]) -> float:
    """Returns how large a picture is, by its size: in the asked-for width, or on a slide or a page."""
    return markup.scale(svg) if options.get("width_cm") is not None else fitting(*markup.dimensions(svg))


def _check_legible(svg: str, picture: DotSource, report: Report, options: Mapping[str, Any]) -> None:
    """Warns with PictureWarning of text that is too small in print, with what would make the picture smaller."""
    from graphacct.render.picture.dot import drawn
    from graphacct.render.picture.labels import TEXT_SIZE

    printed: float = options.get("font_size", TEXT_SIZE) * markup.scale(svg)
    if printed < markup.SMALLEST:
        ways, last = [*picture.smaller], "make it wider"
        bare = options.get("bare") or layout(drawn(report, **{**options, "bare": True}, narrow=True).source)
        if bare is not True and markup.scale(bare) > HELPS * markup.scale(svg):
            ways.insert(0, "leave out title and legend with bare=True")
        _warn(
            f"the text of this picture is {printed:.1f} points in print at {options['width_cm']:g} cm: "
            f"{', '.join(ways)}{', or ' if ways else ''}{last}"
        )


def _check_fits(svg: str, picture: DotSource, options: Mapping[str, Any]) -> None:
    """Warns with PictureWarning of a picture that is legible on no page or slide, with what would make it smaller."""
    from graphacct.render.picture.labels import TEXT_SIZE

    printed = options.get("font_size", TEXT_SIZE) * fitting(*markup.dimensions(svg))
    chosen = [] if options.get("depth") is None else ["leave depth= out, which opens what fits"]
    if printed < SMALL and picture.smaller:
        *others, last = [*chosen, *picture.smaller]
        ways = f"{', '.join(others)}, or {last}" if others else last
        _warn(f"the text of this picture is {printed:.1f} points on a page: {ways}")


def _warn(message: str) -> None:
    from graphacct.render.picture.engine import PictureWarning

    warn(message, PictureWarning)


def fitting(width: float, height: float) -> float:
    """Returns how large a picture of a size in points is on a page, or on a slide, whichever is easier to read."""
    return max(least * min(wide / width, tall / height) for (wide, tall), least in ((SLIDE, PRINT), (PAGE, 1)))


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
    from graphacct.render.picture.dot import drawn

    form = FORMATS[suffix]
    options = {**options, "tried": {}}
    picture = drawn(report, **options)
    if form == "dot":
        write(target, picture.source)
        return picture.digraph()
    picture, content = _narrowed(picture, form, report, options)
    write(target, content)
    return picture.digraph()


def layout(source: str) -> str:
    """Returns DOT source laid out, as an SVG in the font that it is laid out for.

    Raises what `graphacct.render.picture.engine.laid_out` raises.
    """
    from graphacct.render.picture.across import redraw
    from graphacct.render.picture.clearance import cleared
    from graphacct.render.picture.engine import laid_out
    from graphacct.render.picture.loops import keep_inside
    from graphacct.render.picture.shapes import Drawing

    drawing = Drawing.of(laid_out(source, "svg").decode("utf-8"))
    redraw(drawing)
    keep_inside(drawing)
    return markup.inside(cleared(drawing))


def written(source: str, svg: str, form: str) -> bytes:
    """Returns the file of DOT source and its layout, as `svg`, `png` or `pdf`.

    The layout program draws a PNG itself, with letters of its own. Raises RenderError for PDF without its libraries.
    """
    if form == "png":
        from graphacct.render.picture.across import placed
        from graphacct.render.picture.engine import PLACED, laid_out
        from graphacct.render.picture.shapes import CLASS, MOVED

        if any(f'class="edge {name}"' in svg for name in (CLASS, MOVED)):  # whose way is not the layout program's
            return laid_out(placed(laid_out(source, "dot").decode("utf-8"), svg), PLACED)
        return laid_out(source, form)
    if form == "pdf":
        from graphacct.render.picture.paper import pdf_of

        return pdf_of(svg)
    return markup.ready(svg).encode("utf-8")
