"""The picture as Graphviz source, from a report and the options of a picture.

The same report gives the same bytes. Identifiers are numbered, so that no name from a file becomes one.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.errors import RenderError, warn
from graphacct.hooks.manager import Plugins, default
from graphacct.render.picture import labels, tooltips
from graphacct.render.picture.chosen import MOST
from graphacct.render.picture.engine import PictureWarning
from graphacct.render.picture.lines import DotSource
from graphacct.render.picture.look import TOP_DOWN, Look
from graphacct.render.picture.painter import TOO_MANY, Painter
from graphacct.render.picture.part import of_one_repetition, part
from graphacct.render.picture.reentered import parted
from graphacct.render.picture.scene import Chain, Scene
from graphacct.render.picture.stage import scene
from graphacct.render.picture.tooltips import Formula
from graphacct.reports.report import Report
from graphacct.reports.rows import adder
from graphacct.reports.unrolled import unrolled

if TYPE_CHECKING:
    import graphviz

MOST_UNROLLED = 100_000
"""The most operators in an unrolled picture: with more, Graphviz does not finish."""


def draw(report: Report, **options: Any) -> graphviz.Digraph:
    """Returns the picture of a report as the graph of the graphviz package; `options` are those of `drawn`."""
    return drawn(report, **options).digraph()


def drawn(
    report: Report,
    *,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    plugins: Plugins | None = None,
    formula: Formula | None = None,
    orientation: str = TOP_DOWN,
    font_size: int = labels.TEXT_SIZE,
    grey: bool = False,
    fields: Sequence[str] | None = None,
    scope: str | None = None,
    width_cm: float | None = None,
    bare: bool = False,
    narrow: bool = False,
    columns: int = 1,
    most: int = MOST,
    tried: MutableMapping[frozenset[Chain], Scene] | None = None,
) -> DotSource:
    """Returns the picture of a report.

    Args:
        report: The report; its annotated graph is what is drawn.
        color_by: The quantity or ratio that the boxes are coloured by, and whose share they state.
        depth: Levels of scopes that are open; a deeper scope becomes one box with its rolled-up cost. None opens the
            scopes with the largest costs, as many as fit a screen.
        unroll: Whether to draw each repetition of a block.
        views: Whether to draw views that cost nothing, which otherwise fold into edges.
        plugins: The plugins whose `graphacct_node_style`, operators and quantities are used.
        formula: Returns the lines of a node's tooltip that say where its figures come from; the operator's own formula
            unless given.
        orientation: `top-down`, or `left-right`, for a wide place.
        font_size: The size in points of the text in the boxes.
        grey: Whether greys stand for the colours.
        fields: The quantities in the boxes; parameters, FLOPs and `color_by` unless given.
        scope: The only scope that is drawn: its path, or a glob of it, such as `model.layers.*`, with its repetitions
            summed; an index, as in `layers.0`, is one repetition with its own figures.
        width_cm: The width of the picture.
        bare: Whether the title, the legend and the caption are left out.
        narrow: Whether boxes have more lines, and are narrower.
        columns: In how many columns a long picture is, if there are places where it can be broken.
        most: The most boxes without a `depth`.
        tried: What remembers scenes from one call to the next, of the same report and views.

    Raises UnknownNameError for an unknown quantity, ConfigError for one of another phase and for a depth below 1,
    GraphError if a block to unroll repeats a symbolic number of times, RenderError if the unrolled graph is too large
    to draw, PluginError if a style hook fails or does not return attributes.
    Warns with PictureWarning above TOO_MANY boxes.
    """
    report.check_one_step("a picture")
    plugins = plugins or default()
    quantity = report.quantity(color_by)
    look = Look(orientation, font_size, grey, fields, width_cm, bare, narrow, columns)
    for name in fields or ():
        report.quantity(name)
    if scope is not None:
        if unroll or of_one_repetition(report, scope):
            _check_unrolled(report)
            report = unrolled(report, plugins)
        picture = part(report, plugins, scope, depth, views)
    else:
        picture = scene(report, plugins, depth, views, most=most, tried=tried)
        if unroll:
            _check_unrolled(report)
            report = unrolled(report, plugins)
            picture = scene(report, plugins, depth, views, picture.closed)
    picture = parted(picture, adder(report.quantities))
    if len(picture.boxes) > TOO_MANY:
        _warn(picture, unroll)
    formula = formula or tooltips.formulas_of(plugins, report)
    dot = Painter(report, quantity, picture, plugins, formula, look, scope).paint()
    dot.smaller = smaller(picture, scope, unroll)
    return dot


def smaller(picture: Scene, scope: str | None, unroll: bool) -> tuple[str, ...]:
    """Returns in words what would make a picture smaller and is not done yet."""
    frames = len(picture.scopes) > 0 if scope is None else any(len(chain) > 1 for chain in picture.scopes)
    ways = ["open fewer scopes with depth=1"] if frames else []
    if scope is None:
        ways.append("draw one scope only")
    elif frames or any(box.kind == "scope" for box in picture.boxes):
        ways.append(f"draw a scope inside {scope}")
    return (*ways, *(["draw repeated blocks once, without unroll=True"] if unroll else []))


def _check_unrolled(report: Report) -> None:
    """Raises RenderError if there are more operators than can be drawn."""
    count = sum(record.times for record in report.annotated.costs)
    if isinstance(count, int) and count > MOST_UNROLLED:
        raise RenderError(
            f"{report.model} unrolled has {count:,} operators, and at most {MOST_UNROLLED:,} are drawn; "
            "draw repeated blocks once, without unroll=True"
        )


def _warn(picture: Scene, unroll: bool) -> None:
    ways = [f"collapse scopes with depth={picture.depth - 1}"] if picture.depth > 1 else []
    ways += ["draw repeated blocks once, without unroll=True"] if unroll else []
    way_out = f"; {', or '.join(ways)}" if ways else ""
    warn(
        f"this picture has {len(picture.boxes):,} boxes, and laying out more than {TOO_MANY} takes long{way_out}",
        PictureWarning,
    )
