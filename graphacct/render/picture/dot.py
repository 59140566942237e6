"""The picture as Graphviz source: the appearance of a scene, box by box and edge by edge.

The same report gives the same bytes. Identifiers are numbered, so that no name from a file becomes one.
"""

from __future__ import annotations

import html
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphacct.costs.annotate import NodeCost
from graphacct.costs.quantities import Quantity
from graphacct.errors import PluginError, RenderError, brief, failure
from graphacct.graph.paths import last
from graphacct.hooks.manager import Plugins, default
from graphacct.render.picture import boxes, labels, legend, palette, tooltips
from graphacct.render.picture.amounts import Amounts
from graphacct.render.picture.chosen import MOST
from graphacct.render.picture.lines import DotSource
from graphacct.render.picture.look import TOP_DOWN, Look
from graphacct.render.picture.part import part
from graphacct.render.picture.places import above, leftmost, towers
from graphacct.render.picture.scene import STRAIGHT, Box, Chain, Edge, Scene
from graphacct.render.picture.stage import scene
from graphacct.render.picture.styles import EDGE, EDGES, GRAPH, NODE
from graphacct.render.picture.tooltips import Formula
from graphacct.reports.report import Report
from graphacct.reports.unrolled import unrolled
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    import graphviz

TOO_MANY = 200
"""The number of boxes above which a picture takes long to lay out and is hard to read."""
FEW = 8
"""The number of boxes up to which the caption would be wider than they are."""
MOST_UNROLLED = 100_000
"""The most operators in an unrolled picture: with more, Graphviz does not finish."""


class PictureWarning(UserWarning):
    """The picture is drawn but will be hard to lay out or to read. The message says how to make it smaller."""


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
    narrow: bool = False,
    most: int = MOST,
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
        scope: The only scope that is drawn: its path, or a glob of it, such as `model.layers.*`.
        width_cm: The width of the picture.
        narrow: Whether boxes have more lines, and are narrower.
        most: The most boxes without a `depth`.

    Raises UnknownNameError for an unknown quantity, ConfigError for one of another phase and for a depth below 1,
    GraphError if a block to unroll repeats a symbolic number of times, RenderError if the unrolled graph is too large
    to draw, PluginError if a style hook fails or does not return attributes.
    Warns with PictureWarning above TOO_MANY boxes.
    """
    report.check_one_step("a picture")
    plugins = plugins or default()
    quantity = report.quantity(color_by)
    look = Look(orientation, font_size, grey, fields, width_cm, narrow)
    for name in fields or ():
        report.quantity(name)
    if scope is not None:
        if unroll:
            _check_unrolled(report)
            report = unrolled(report, plugins)
        picture = part(report, plugins, scope, depth, views)
    else:
        picture = scene(report, plugins, depth, views, most=most)
        if unroll:
            _check_unrolled(report)
            report = unrolled(report, plugins)
            picture = scene(report, plugins, depth, views, picture.closed)
    if len(picture.boxes) > TOO_MANY:
        _warn(picture, unroll)
    formula = formula or tooltips.formulas_of(plugins, report)
    return _Painter(report, quantity, picture, plugins, formula, look, scope).paint()


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
    warnings.warn(
        f"this picture has {len(picture.boxes):,} boxes, and laying out more than {TOO_MANY} takes long{way_out}",
        PictureWarning,
        stacklevel=3,
    )


class _Painter:
    """The state of writing one picture."""

    def __init__(
        self,
        report: Report,
        quantity: Quantity,
        picture: Scene,
        plugins: Plugins,
        formula: Formula,
        look: Look,
        scope: str | None,
    ) -> None:
        self.scope, self.labelled = scope, False
        self.look, self.narrow = look, look.narrow
        self.report = report
        self.scene = picture
        self.plugins = plugins
        self.formula = formula
        self.amounts = Amounts(report, quantity, picture, look.fields)
        self.spine = set(picture.spine())
        self.clusters = {chain: f"cluster_{index}" for index, chain in enumerate(picture.scopes)}
        self.known = {box.id: box for box in picture.boxes}
        self.rows = {name: row for row in picture.fans() for name in row}
        self.arrows = Counter(edge.head for edge in picture.edges if edge.kind not in ("loop", "tied"))
        self.tied: dict[str, list[str]] = {}
        paths = {box.id: box.path for box in picture.boxes}
        for edge in picture.edges:
            if edge.kind == "tied":
                self.tied.setdefault(edge.tail, []).append(paths[edge.head])
                self.tied.setdefault(edge.head, []).append(paths[edge.tail])

    def paint(self) -> DotSource:
        # Ranked together, scopes are more compact, but it takes long.
        together = {"newrank": "true"} if len(self.scene.boxes) <= TOO_MANY or not self.rows else {}
        dot = DotSource("graphacct", {**GRAPH, **together, **self.look.graph()}, NODE, EDGE)
        dot.attr(
            label=legend.title(self.report, self.amounts.quantity, self.scope),
            tooltip=labels.tooltip([self.report.model]),
        )
        longest = legend.NARROW_LINE if self.narrow and len(self.scene.boxes) <= FEW else legend.LONGEST_LINE
        with dot.subgraph(name="cluster_picture") as frame:
            frame.attr(label=legend.caption(self.report, self.amounts, self.scene, longest))
            frame.attr(labelloc="b", peripheries="0", margin="4")
            self._fill(frame)
        beside = towers(self.scene)
        for index, (edge, weight) in enumerate(zip(self.scene.edges, self.scene.weights(), strict=True)):
            if edge.kind != "tied":  # the boxes say it: a line around the picture would be a third of it
                self._edge(edge, weight, dot, index in beside)
        for upper, lower in above(self.scene):
            dot.edge(upper, lower, style="invis", weight="0")
        if not self.labelled:
            dot.defaults["graph"] |= self.look.apart()
        self.look.dress(dot)
        dot.paths = {box.id: box.path for box in self.scene.boxes}
        return dot

    def _fill(self, frame: DotSource) -> None:
        """Adds the boxes, each in the cluster of its scope. A cluster is added with its first box."""
        content: dict[Chain, list[Box | Chain]] = {(): []}
        for box in self.scene.boxes:
            for level in range(1, len(box.scopes) + 1):
                chain = box.scopes[:level]
                if chain not in content:
                    content[chain] = []
                    content[chain[:-1]].append(chain)
            content[box.scopes].append(box)

        def fill(chain: Chain, into: DotSource) -> None:
            for item in content[chain]:
                if isinstance(item, Box):
                    into.node(item.id, **self._box(item))
                    continue
                with into.subgraph(name=self.clusters[item]) as cluster:
                    cluster.attr(**boxes.frame(self.scene.scopes[item], self.report, self.amounts))
                    fill(item, cluster)
            for row in dict.fromkeys(self.rows.values()):
                if self.known[row[0]].scopes == chain:
                    into.row(row)

        for name in leftmost(self.scene):
            frame.first(name)
        fill((), frame)
        inputs = [box.id for box in self.scene.boxes if box.kind == "input"]
        if len(inputs) > 1:
            frame.row(inputs, ordered=False)

    def _box(self, box: Box) -> dict[str, Any]:
        column = {"group": "spine"} if box.id in self.spine and not self.rows else {}
        if box.kind in ("input", "output"):
            return {**column, **boxes.terminal(box)}
        if box.kind == "entry":
            return {**column, **boxes.entry(box)}
        share = self.amounts.share(box.figures)
        if box.record is None:
            words = " ".join(filter(None, (boxes.repeated(box.repeat), f"{box.members} nodes")))
            tip = tooltips.scope(self.report, box.path, words, box.figures, share, box.uncosted)
            return {**column, **boxes.collapsed(box, self.amounts, tip, self._tied(box), self.narrow)}
        tip = tooltips.node(self.report, box.record, box.figures, share, self.formula)
        row = self.rows.get(box.id, (box.id,))  # whose boxes look alike
        tall = not all(self.amounts.minor(self.known[name].figures) for name in row)
        label = boxes.node(box, self.amounts, tip, self._tied(box), tall, self.narrow)
        return {**column, **label, **self._style(box.record)}

    def _tied(self, box: Box) -> str:
        """Returns the words that say with which boxes a box shares a weight; empty if with none."""
        others = self.tied.get(box.id, [])
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return f"tied to {last(others[0])}{more}" if others else ""

    def _style(self, record: NodeCost) -> dict[str, str]:
        """Returns the attributes from plugins; the plugin that was registered last wins."""
        try:
            given = self.plugins.manager.hook.graphacct_node_style(
                node=record.node, cost=None if record.cost is None else record
            )
        except Exception as error:
            culprit = self.plugins.raised_by("graphacct_node_style", error)
            who = f"node {record.node.name!r}: graphacct_node_style of plugin {culprit}"
            raise PluginError(failure(who, error)) from error
        merged: dict[str, str] = {}
        for item in reversed(given if isinstance(given, list) else [given]):
            if not isinstance(item, dict) or not all(isinstance(text, str) for text in (*item, *item.values())):
                culprits = self.plugins.who_has("graphacct_node_style")
                raise PluginError(
                    f"node {record.node.name!r}: graphacct_node_style returned {brief(item)} (of {culprits}); "
                    "it returns a dictionary of Graphviz attributes, names and values as text"
                )
            merged.update(item)
        return merged

    def _edge(self, edge: Edge, weight: int, dot: DotSource, beside: bool) -> None:
        attributes: dict[str, Any] = {"weight": str(weight), **EDGES[edge.kind]}
        if beside:
            attributes |= {"constraint": "false", **self.look.beside()}
        attributes["tooltip"] = attributes["labeltooltip"] = tooltips.edge(edge)
        if edge.spec is not None and self._is_news(edge, edge.spec):
            text = labels.clean(labels.shape(edge.spec), labels.LONGEST_SHAPE)
            run = labels.font(
                f" &#160;{html.escape(text)} ", labels.TEXT_SIZE, EDGES[edge.kind].get("fontcolor", palette.MUTED)
            )
            attributes["label"] = f"<{run}>"
            self.labelled = True
            if weight == STRAIGHT and self.arrows[edge.head] == 1:
                attributes["labelfloat"] = "true"  # otherwise the label would bend the column; nothing else is near
        ends = (edge.tail, edge.head)
        if edge.kind == "loop":  # drawn from its head, so that it runs down beside the body like any edge
            ends = (edge.head, edge.tail)
            attributes |= self.look.loop()
        dot.edge(*ends, **attributes)

    def _is_news(self, edge: Edge, spec: TensorSpec) -> bool:
        """Returns whether the shape on an edge is another than its box shows: another value, or one that is viewed."""
        tail = self.known[edge.tail]
        if edge.kind == "loop" or tail.kind == "entry" or self.known[edge.head].kind == "output":
            return False
        return tail.shown is None or labels.shape(spec) != labels.shape(tail.shown)
