"""The picture as Graphviz source: how the boxes, scopes and edges of a scene look.

The same report gives the same bytes. Identifiers are counted, so that no name from a file is ever one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import graphviz  # type: ignore[import-untyped]

from graphacct.annotate import NodeCost, annotate
from graphacct.dims import Dim, same
from graphacct.errors import OperatorError, unknown
from graphacct.graph import Node
from graphacct.plugins import Plugins, default
from graphacct.quantities import Quantity
from graphacct.render import labels, legend, palette
from graphacct.render.labels import numeric
from graphacct.render.scene import Box, Chain, Edge, Scene, Scope, scene
from graphacct.render.units import human, params, percent
from graphacct.report import Report
from graphacct.rollup import rollup

TOO_MANY = 300
"""Boxes above which a picture takes long to lay out, and nobody reads it."""

MINOR = 0.01
"""The share below which a node takes one line instead of two."""
FONT = "Helvetica"
GRAPH = {
    "rankdir": "TB",
    "fontname": FONT,
    "bgcolor": "white",
    "labelloc": "t",
    "nodesep": "0.3",
    "ranksep": "0.125",
    "pad": "0.1",
    "newrank": "true",
}
NODE = {
    "shape": "box",
    "style": "rounded,filled",
    "fontname": FONT,
    "fontsize": f"{labels.TEXT_SIZE:g}",
    "margin": "0.08,0.03",
    "height": "0.2",
    "penwidth": "0.9",
    "color": palette.LINE,
    "fillcolor": palette.PAPER,
}
EDGE = {
    "fontname": FONT,
    "fontsize": f"{labels.SMALL_SIZE:g}",
    "fontcolor": palette.MUTED,
    "color": palette.LINE,
    "arrowsize": "0.6",
    "penwidth": "1",
}
EDGES: Mapping[str, Mapping[str, str]] = {
    "data": {},
    "side": {"color": palette.FAINT},
    "residual": {
        "color": palette.RESIDUAL,
        "fontcolor": palette.RESIDUAL,
        "penwidth": "2.2",
    },
    "loop": {
        "color": palette.RESIDUAL,
        "fontcolor": palette.RESIDUAL,
        "style": "dotted",
        "penwidth": "1.6",
        "dir": "back",
        "tailport": "e",
        "headport": "e",
    },
    "tied": {
        "style": "dashed",
        "color": palette.TIED,
        "fontcolor": palette.TIED,
        "dir": "none",
        "xlabel": "tied",
    },
}


class PictureWarning(UserWarning):
    """The picture is drawn, but will be hard to lay out or to read; the message says how to make it smaller."""


def draw(
    report: Report,
    *,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    plugins: Plugins | None = None,
    formula: Callable[[NodeCost], str] | None = None,
) -> graphviz.Digraph:
    """The picture of a report.

    Args:
        report: The report; its annotated graph is what is drawn.
        color_by: The quantity that the boxes are coloured by, and whose share they state.
        depth: Levels of scopes that are open; deeper ones become one box with their rolled-up cost. None takes the
            deepest at which the picture fits a laptop's screen.
        unroll: Whether to draw each repetition of a block.
        views: Whether to draw views that cost nothing, which otherwise fold into edges.
        plugins: Whose `graphacct_node_style` and quantities count.
        formula: What the tooltip of a node says about its cost; the operator's own documentation unless given.

    Raises UnknownNameError for an unknown quantity, ConfigError for a depth below 1, GraphError when a block that
    repeats a symbolic number of times is to be unrolled. Warns with PictureWarning above TOO_MANY boxes.
    """
    plugins = plugins or default()
    quantity = next((item for item in report.quantities if item.name == color_by), None)
    if quantity is None:
        raise unknown("quantity", color_by, [item.name for item in report.quantities])
    picture = scene(report, plugins, depth, views)
    if unroll:
        report = _unrolled(report, plugins)
        picture = scene(report, plugins, picture.depth, views)
    if len(picture.boxes) > TOO_MANY:
        _warn(picture, unroll)
    return _Painter(report, quantity, picture, plugins, formula).paint()


def _unrolled(report: Report, plugins: Plugins) -> Report:
    annotated = report.annotated
    return rollup(annotate(annotated.graph.unroll(), annotated.convention, unknown="report", plugins=plugins), plugins)


def _warn(picture: Scene, unroll: bool) -> None:
    ways = [f"collapse scopes with --depth {picture.depth - 1}"] if picture.depth > 1 else []
    ways += ["draw repeated blocks once, without --unroll"] if unroll else []
    way_out = f"; {' or '.join(ways)}" if ways else ""
    warnings.warn(
        f"this picture has {len(picture.boxes)} boxes, and laying out more than {TOO_MANY} takes long{way_out}",
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
        formula: Callable[[NodeCost], str] | None,
    ) -> None:
        self.report = report
        self.quantity = quantity
        self.scene = picture
        self.plugins = plugins
        self.formula = formula or self._documentation
        self.spine = set(picture.spine())
        self._kind_of = {box.id: box.kind for box in picture.boxes}
        self.names = [item.name for item in report.quantities]
        self.column = self.names.index(quantity.name)
        values = [box.figures[self.column] for box in picture.boxes]
        known = [float(value) for value in values if numeric(value)]
        self.largest = max(known) if known and len(known) == len(values) and max(known) > 0 else None

    def paint(self) -> graphviz.Digraph:
        dot = graphviz.Digraph("graphacct", graph_attr=GRAPH, node_attr=NODE, edge_attr=EDGE)
        dot.attr(label=legend.title(self.report, self.quantity))
        dot.attr(tooltip=labels.tooltip([self.report.model]))
        with dot.subgraph(name="cluster_picture") as frame:
            frame.attr(label=legend.caption(self.report, self.quantity, self.scene, self.largest))
            frame.attr(labelloc="b", peripheries="0", margin="4")
            self._scope((), frame)
        weights = self.scene.weights()
        for edge, weight in zip(self.scene.edges, weights, strict=True):
            self._edge(edge, weight, dot)
        for above, below in self._inputs_first():
            dot.edge(above, below, style="invis", weight="0")
        return dot

    def _inputs_first(self) -> list[tuple[str, str]]:
        """Pairs that keep the graph's inputs above all other boxes that nothing flows into."""
        fed = {edge.head for edge in self.scene.edges}
        inputs = [box.id for box in self.scene.boxes if box.kind == "input"]
        others = [box.id for box in self.scene.boxes if box.kind == "node" and box.id not in fed]
        return [(inputs[0], other) for other in others] if inputs else []

    def _scope(self, chain: Chain, into: graphviz.Digraph) -> None:
        """The boxes of a scope and the clusters in it, each where its first box comes."""
        done: set[Chain] = set()
        for box in self.scene.boxes:
            if box.scopes == chain:
                self._box(box, into)
            elif box.scopes[: len(chain)] == chain:
                inner = box.scopes[: len(chain) + 1]
                if inner not in done:
                    done.add(inner)
                    number = list(self.scene.scopes).index(inner)
                    with into.subgraph(name=f"cluster_{number}") as cluster:
                        self._frame(self.scene.scopes[inner], cluster)
                        self._scope(inner, cluster)

    def _frame(self, scope: Scope, cluster: graphviz.Digraph) -> None:
        path = scope.chain[-1]
        repeated = _repeated(scope.repeat)
        head = labels.font(labels.escape(labels.last(path)), labels.NAME_SIZE, palette.INK, bold=True)
        if repeated:
            times = labels.escape(f"  {repeated}")
            head += labels.font(times, labels.NAME_SIZE + 4, palette.RESIDUAL, bold=True)
        head += labels.font(labels.escape(f"   {self._share(scope.figures)}"), labels.TEXT_SIZE, palette.INK)
        figures = labels.escape(self._figures(scope.figures, scope.uncosted), 120)
        rows = [labels.row(labels.cell(head))]
        rows.append(labels.row(labels.cell(labels.font(figures, labels.SMALL_SIZE, palette.MUTED))))
        cluster.attr(
            label=f"<{labels.table(rows)}>",
            labeljust="l",
            labelloc="t",
            style="rounded,filled",
            fillcolor=palette.CLUSTERS[(len(scope.chain) - 1) % len(palette.CLUSTERS)],
            color=palette.LINE if repeated else palette.FAINT,
            penwidth="2" if repeated else "0.9",
            peripheries="1",
            margin="7",
            tooltip=self._tooltip(path, f"scope {repeated}".strip(), scope.figures, scope.uncosted),
        )

    def _box(self, box: Box, into: graphviz.Digraph) -> None:
        column = {"group": "spine"} if box.id in self.spine else {}
        if box.kind in ("input", "output"):
            attributes = self._terminal(box)
        elif box.kind == "entry":
            attributes = self._entry(box)
        else:
            attributes = self._operator(box)
            if box.record is not None:
                attributes.update(self._style(box.record))
        into.node(box.id, **column, **attributes)

    def _terminal(self, box: Box) -> dict[str, Any]:
        """A graph's input, or its output."""
        word = labels.escape(box.path) if box.kind == "input" else "output"
        text = labels.font(word, labels.NAME_SIZE, palette.INK, bold=True)
        if box.shown is not None:
            text += labels.font(labels.escape(f"  {labels.shape(box.shown)}", labels.LONGEST_SHAPE), labels.SMALL_SIZE)
        tip = labels.tooltip([box.path, box.kind, str(box.shown)])
        return {
            "label": f"<{text}>",
            "shape": "box",
            "style": "rounded",
            "color": "none",
            "height": "0.22",
            "tooltip": tip,
        }

    def _entry(self, box: Box) -> dict[str, Any]:
        """Where the carried value enters a block."""
        tip = labels.tooltip([f"{box.scopes[-1]}: carried from one repetition to the next", str(box.shown)])
        return {
            "label": "",
            "shape": "circle",
            "style": "filled",
            "width": "0.09",
            "height": "0.09",
            "fixedsize": "true",
            "fillcolor": palette.RESIDUAL,
            "color": palette.RESIDUAL,
            "tooltip": tip,
        }

    def _operator(self, box: Box) -> dict[str, Any]:
        """A node, or a collapsed scope."""
        record = box.record
        if record is not None:
            operator = record.node.operator
            kind = "" if operator == labels.last(box.path) else labels.escape(operator)
        else:
            kind = labels.escape(" ".join(filter(None, (_repeated(box.repeat), f"{box.members} nodes"))))
        given = labels.shape(box.shown) if box.shown is not None else ""
        name = labels.escape(labels.last(box.path))
        tip = self._tooltip(box.path, kind, box.figures, box.uncosted, record)
        style = {"tooltip": tip}
        if box.uncosted and box.uncosted == box.members:
            text = labels.escape(" · ".join(filter(None, (given, "no cost"))), 100)
            label = labels.box(name, kind, text, "", palette.ALARM)
            return {**style, "label": label, "style": "rounded,dashed", "color": palette.ALARM, "penwidth": "1.4"}
        if self._is_small(box):
            text = labels.font(name, labels.TEXT_SIZE, palette.INK) + labels.font(f"  {kind}", labels.SMALL_SIZE)
            text += labels.font(labels.escape(f"  {given}", labels.LONGEST_SHAPE), labels.SMALL_SIZE, palette.MUTED)
            return {**style, "label": f"<{text}>", "height": "0.16", "color": palette.FAINT, "margin": "0.06,0.01"}
        fill, ink = self._heat(box.figures[self.column])
        figures = " · ".join(filter(None, (given, self._figures(box.figures, box.uncosted))))
        tall = record is None or not self._is_minor(box)
        share = labels.escape(self._share(box.figures))
        label = labels.box(name, kind, labels.escape(figures, 160), share, ink, tall)
        if box.uncosted:
            style.update(style="rounded,filled,dashed", color=palette.ALARM, penwidth="1.4")
        elif record is None:
            style.update(peripheries="2" if _repeated(box.repeat) else "1", penwidth="1.6")
        return {**style, "label": label, "fillcolor": fill}

    def _is_small(self, box: Box) -> bool:
        """Whether a node costs nothing worth a figure: no parameters, no FLOPs, nothing of the chosen quantity."""
        if box.record is None:
            return False
        shown = [box.figures[self.column]]
        shown += [box.figures[self.names.index(name)] for name in ("params", "flops") if name in self.names]
        return all(numeric(value) and value == 0 for value in shown)

    def _is_minor(self, box: Box) -> bool:
        """Whether one line is enough for a node: it has less than MINOR of the chosen quantity."""
        total, value = self.report.total[self.quantity.name], box.figures[self.column]
        return numeric(total) and numeric(value) and value < MINOR * total

    def _figures(self, figures: Sequence[Dim], uncosted: int) -> str:
        """Parameters, FLOPs and the chosen quantity, those that are there."""
        parts = []
        for name in dict.fromkeys(("params", "flops", self.quantity.name)):
            if name not in self.names:
                continue
            value = figures[self.names.index(name)]
            if numeric(value) and value == 0:
                continue
            unit = self.report.quantities[self.names.index(name)].unit
            if name == "params":
                parts.append(f"{params(value)} params")
            else:
                parts.append(human(value, unit) + ("" if name == "flops" else f" {name}"))
        if uncosted:
            parts.append(f"{uncosted} without cost")
        return " · ".join(parts)

    def _share(self, figures: Sequence[Dim]) -> str:
        total, value = self.report.total[self.quantity.name], figures[self.column]
        if not (numeric(total) and numeric(value)) or not total:
            return ""
        return "0 %" if value == 0 else percent(value / total)

    def _heat(self, value: Dim) -> tuple[str, str]:
        if self.largest is None or not numeric(value):
            return palette.PAPER, palette.INK
        fill = palette.heat(float(value) / self.largest)
        return fill, palette.ink(fill)

    def _style(self, record: NodeCost) -> dict[str, str]:
        """What plugins say; the one that was registered last wins."""
        given = self.plugins.manager.hook.graphacct_node_style(
            node=record.node, cost=None if record.cost is None else record
        )
        merged: dict[str, str] = {}
        for item in reversed(given):
            if not isinstance(item, dict) or not all(isinstance(text, str) for text in (*item, *item.values())):
                raise OperatorError(
                    f"node {record.node.name!r}: a graphacct_node_style hook returned {item!r}; "
                    "it returns a dictionary of Graphviz attributes, names and values as text"
                )
            merged.update(item)
        return merged

    def _tooltip(
        self, path: str, kind: str, figures: Sequence[Dim], uncosted: int, record: NodeCost | None = None
    ) -> Any:
        lines = [path, kind]
        if record is not None:
            lines += _tensors(record.node)
            lines.append(self.formula(record) if record.cost is not None else "no cost: its operator is not registered")
        for item, value in zip(self.report.quantities, figures, strict=True):
            if not (numeric(value) and value == 0):
                exact = f"{value:,}" if isinstance(value, int) else human(value, item.unit)
                lines.append(f"{item.name} {exact}")
        share = self._share(figures)
        if share:
            lines.append(f"{share} of {self.quantity.name}")
        if uncosted:
            lines.append(f"{uncosted} of its nodes have no cost" if record is None else "")
        return labels.tooltip(lines)

    def _documentation(self, record: NodeCost) -> str:
        operator = self.plugins.operators.get(record.node.operator)
        return "" if operator is None else str(operator.doc)

    def _edge(self, edge: Edge, weight: int, dot: graphviz.Digraph) -> None:
        attributes: dict[str, Any] = {"weight": str(weight), **EDGES[edge.kind]}
        tip = {"tied": "one weight, used twice", "loop": "into the next repetition"}.get(edge.kind, "")
        attributes["tooltip"] = labels.tooltip(
            [tip, "" if edge.spec is None else str(edge.spec), f"through {', '.join(edge.views)}" if edge.views else ""]
        )
        attributes["labeltooltip"] = attributes["tooltip"]
        tail, head = edge.tail, edge.head
        if edge.kind == "loop":  # drawn from where it arrives, so that it runs down beside the body like any edge
            tail, head = head, tail
        if edge.spec is not None and edge.kind != "loop" and self._says_something(edge):
            text = labels.clean(labels.shape(edge.spec), labels.LONGEST_SHAPE)
            attributes["label"] = graphviz.escape(f" {text}")
        dot.edge(tail, head, **attributes)

    def _says_something(self, edge: Edge) -> bool:
        """Whether the shape on an edge is news: not what its box states, or what entered that box already."""
        return self._kind_of[edge.head] != "output" and (bool(edge.views) or self._changes(edge))

    def _changes(self, edge: Edge) -> bool:
        entering = [item.spec for item in self.scene.edges if item.head == edge.tail and item.kind != "tied"]
        spec = edge.spec
        assert spec is not None
        return bool(entering) and not any(
            item is not None and len(item.shape) == len(spec.shape) and all(map(same, item.shape, spec.shape))
            for item in entering
        )


def _repeated(repeat: Dim) -> str:
    """`×48`; empty for what is there once."""
    return "" if type(repeat) is int and repeat == 1 else labels.clean(f"×{repeat}", 30)


def _tensors(node: Node) -> list[str]:
    """Operands and outputs with their shapes."""
    lines = [f"{item.name} {item.spec}" for item in node.inputs[:12]]
    if len(node.inputs) > 12:
        lines.append(f"and {len(node.inputs) - 12} more operands")
    return lines + [f"gives {value.spec}" for value in node.outputs[:12]]
