"""The picture of a diff: both models' boxes in one graph, added, removed and changed ones in colours, borders and signs
of their own, with their figures before and after."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from graphacct.dims import same
from graphacct.errors import RenderError
from graphacct.files import write
from graphacct.graph.paths import last, pattern
from graphacct.hooks.manager import Plugins, default
from graphacct.render.diff import difference_text, relative
from graphacct.render.notes import terms, workload_text
from graphacct.render.picture import FORMATS, boxes, labels, layout, palette, tooltips, written
from graphacct.render.picture.difference import SAME, Arrow, Difference, Pair, difference
from graphacct.render.picture.lines import DotSource
from graphacct.render.picture.look import Look
from graphacct.render.picture.nesting import nested
from graphacct.render.picture.painter import KEPT_ORDER
from graphacct.render.picture.places import above, beside, leftmost
from graphacct.render.picture.scene import Box, Chain, Scope
from graphacct.render.picture.styles import EDGE, EDGES, GRAPH, NODE
from graphacct.render.units import human
from graphacct.reports.diff import ADDED, CHANGED, REMOVED, Change, Diff

if TYPE_CHECKING:
    import graphviz

SIGNS = {ADDED: "+", REMOVED: "−", CHANGED: "±", SAME: ""}
INKS = {ADDED: palette.ADDED, REMOVED: palette.REMOVED, CHANGED: palette.CHANGED, SAME: palette.MUTED}
BOXES: Mapping[str, Mapping[str, str]] = {
    ADDED: {"fillcolor": palette.ADDED_FILL, "color": palette.ADDED, "penwidth": "2.4"},
    REMOVED: {
        "fillcolor": palette.REMOVED_FILL,
        "color": palette.REMOVED,
        "penwidth": "1.4",
        "style": "rounded,filled,dashed",
    },
    CHANGED: {"fillcolor": palette.CHANGED_FILL, "color": palette.CHANGED, "penwidth": "1.4", "peripheries": "2"},
    SAME: {"color": palette.FAINT, "margin": "0.06,0.01"},
}
"""How boxes look: of what is added the border is thick, of what is removed dashed, of what is changed double."""
ARROWS: Mapping[str, Mapping[str, str]] = {
    ADDED: {"color": palette.ADDED, "penwidth": "2"},
    REMOVED: {"color": palette.REMOVED, "style": "dashed"},
    SAME: {},
}
TIES = {SAME: "", ADDED: " in B", REMOVED: " in A"}
"""In which model a weight is shared."""
WORDS = {
    ADDED: "only in B: thick border",
    REMOVED: "only in A: dashed border",
    CHANGED: "differs: double border",
}
_Both: TypeAlias = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]


def draw_diff(
    found: Diff, path: str | os.PathLike[str] | None = None, depth: int | None = None, plugins: Plugins | None = None
) -> graphviz.Digraph:
    """Returns the picture of a diff, written to a .svg, .png, .pdf or .dot too if a path is given.

    `depth` None opens as many levels of scopes as are readable. Raises ConfigError for a depth below 1, RenderError for
    another ending or if the layout fails, WriteError if the file cannot be written.
    """
    plugins = plugins or default()
    if path is None:
        return _Painter(found, difference(found, plugins, depth)).paint().digraph()
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise RenderError(f"{os.fspath(path)!r}: a picture's suffix says its format; known: {known}")
    picture = draw_diff(found, None, depth, plugins)
    form = FORMATS[suffix]
    source = picture.source
    write(path, source if form == "dot" else written(source, "" if form == "png" else layout(source), form))
    return picture


class _Painter:
    """The state of writing one picture."""

    def __init__(self, found: Diff, shown: Difference) -> None:
        self.found, self.shown = found, shown
        self.changes: dict[str, Change] = {change.path: change for change in found.changes}
        self.quantities = [found.first.quantity(found.quantity)]
        if found.quantity != "params" and "params" in found.first.total:
            self.quantities.insert(0, found.first.quantity("params"))
        chains = dict.fromkeys(chain for side in shown.scopes for chain in side)
        self.clusters = {chain: f"cluster_{place}" for place, chain in enumerate(chains)}
        self.scene = shown.scene()
        self.rows = self.scene.fans()
        self.tied: dict[str, list[str]] = {}
        paths = {pair.id: pair.path for pair in shown.pairs}
        for arrow in shown.arrows:
            if arrow.edge.kind == "tied":
                for one, other in ((arrow.edge.tail, arrow.edge.head), (arrow.edge.head, arrow.edge.tail)):
                    self.tied.setdefault(one, []).append(f"{last(paths[other])}{TIES[arrow.state]}")

    def paint(self) -> DotSource:
        order = KEPT_ORDER if self.rows else {}
        given = {**GRAPH, "newrank": "true", **order, **Look().graph(), **Look().apart()}
        dot = DotSource("graphacct", given, NODE, EDGE)
        dot.attr(label=self._title(), tooltip=labels.tooltip([self.found.first.model, self.found.other.model]))
        with dot.subgraph(name="cluster_picture") as frame:
            frame.attr(label=self._caption(), labelloc="b", peripheries="0", margin="4")
            self._fill(frame)
        for arrow, weight in zip(self.shown.arrows, self.scene.weights(), strict=True):
            if arrow.edge.kind != "tied":
                self._arrow(arrow, weight, dot)
        for upper, lower in above(self.scene):
            dot.edge(upper, lower, style="invis", weight="0")
        return dot

    def _fill(self, frame: DotSource) -> None:
        """Adds the boxes, each in the cluster of its scope. A cluster is added with its first box."""
        content = nested(self.shown.pairs)

        def fill(chain: Chain, into: DotSource) -> None:
            for item in content[chain]:
                if isinstance(item, Pair):
                    into.node(item.id, **self._box(item))
                    continue
                with into.subgraph(name=self.clusters[item]) as cluster:
                    cluster.attr(**self._frame(item))
                    fill(item, cluster)
            for row in [*self.rows, *beside(self.scene)]:
                if scopes[row[0]] == chain:
                    into.row(row)

        scopes = {pair.id: pair.scopes for pair in self.shown.pairs}
        for name in leftmost(self.scene):
            frame.first(name)
        fill((), frame)
        inputs = [box.id for box in self.scene.boxes if box.kind == "input"]
        if len(inputs) > 1:
            frame.row(inputs, ordered=False)

    def _box(self, pair: Pair) -> dict[str, Any]:
        box = pair.other or pair.first
        assert box is not None
        if pair.kind in ("input", "output"):
            return boxes.terminal(box)
        if pair.kind == "entry":
            return boxes.entry(box)
        ink = INKS[pair.state]
        sign = SIGNS[pair.state]
        name = labels.escape(f"{sign} {last(pair.path)}" if sign else last(pair.path))
        tied = [f"tied to {', '.join(self.tied[pair.id])}"] if pair.id in self.tied else []
        kind = labels.escape("  ".join(filter(None, [self._kind(pair), *tied])), 80)
        tip = self._tooltip(pair)
        if pair.state == SAME:
            text = labels.font(name, labels.TEXT_SIZE, ink) + labels.font(f"  {kind}", labels.TEXT_SIZE, ink)
            return {"label": f"<{text}>", "tooltip": tip, **BOXES[SAME]}
        figures = [*self._shapes(pair), *self._figures(*self._both(pair.first, pair.other))]
        share = self._share(pair)
        label = labels.box(name, kind, "", labels.escape(" · ".join(figures), 160), labels.escape(share), palette.INK)
        return {"label": label, "tooltip": tip, **BOXES[pair.state]}

    def _kind(self, pair: Pair) -> str:
        """Returns a node's operator, or both, and its repeats if they differ; of a collapsed scope what is in it."""
        if pair.kind == "scope":
            if pair.counts:
                return ", ".join(f"{count} {kind}" for kind, count in pair.counts.items())
            box = pair.other or pair.first
            return "" if box is None else f"{box.members} nodes" if box.members > 1 else "1 node"
        operators = [side.record.node.operator for side in (pair.first, pair.other) if side and side.record]
        change = self.changes.get(pattern(pair.path))
        if change is not None and change.first and change.other:
            operators = [change.first.operator, change.other.operator]
        text = " → ".join(dict.fromkeys(operators))
        return "" if text == last(pair.path) else text

    def _shapes(self, pair: Pair) -> list[str]:
        """Returns the shape that leaves a box, or both if they differ."""
        shapes = [labels.shape(side.shown) for side in (pair.first, pair.other) if side and side.shown is not None]
        return [" → ".join(dict.fromkeys(shapes))] if shapes else []

    def _figures(self, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[str]:
        """Returns the quantities of a part before and after, without those that are 0 in both."""
        texts = []
        for quantity in self.quantities:
            values = [None if side is None else side[quantity.name] for side in (one, other)]
            if all(value is None or same(value, 0) for value in values):
                continue
            shown = [human(value, quantity.unit) for value in values if value is not None]
            texts.append(" → ".join(dict.fromkeys(shown)) + (" params" if quantity.name == "params" else ""))
        return texts

    def _share(self, pair: Pair) -> str:
        """Returns the change of the chosen quantity in per cent, of what both models have."""
        one, other = self._both(pair.first, pair.other)
        return "" if one is None or other is None else relative(one[self.found.quantity], other[self.found.quantity])

    def _both(self, first: Box | Scope | None, other: Box | Scope | None) -> _Both:
        """Returns the quantities of a part in both models, by name; None of one that does not have it."""
        one = None if first is None else dict(zip(self.found.first.total, first.figures, strict=True))
        return one, None if other is None else dict(zip(self.found.other.total, other.figures, strict=True))

    def _frame(self, chain: Chain) -> dict[str, Any]:
        """Returns the attributes of an open scope's cluster, with both models' figures."""
        sides = [scopes.get(chain) for scopes in self.shown.scopes]
        one, other = self._both(*sides)
        state = REMOVED if other is None else ADDED if one is None else SAME
        times = " → ".join(dict.fromkeys(text for side in sides if side and (text := boxes.repeated(side.repeat))))
        name = f"{SIGNS[state]} {last(chain[-1])}".strip()
        head = labels.font(labels.escape(name), labels.NAME_SIZE, palette.INK, bold=True)
        if times:
            head += labels.font(labels.escape(f"  {times}"), labels.NAME_SIZE + 4, palette.RESIDUAL, bold=True)
        if one is not None and other is not None:
            share = relative(one[self.found.quantity], other[self.found.quantity])
            head += labels.font(labels.escape(f"   {share}"), labels.TEXT_SIZE, palette.INK)
        figures = " · ".join(self._figures(one, other))
        lines = [head + labels.font(" ")]
        lines += [labels.font(labels.escape(figures, 120), labels.TEXT_SIZE, palette.MUTED)] if figures else []
        line = INKS[state] if state != SAME else palette.LINE if times else palette.FAINT
        return {
            "label": f"<{labels.table(labels.row(labels.cell(line)) for line in lines)}>",
            "labeljust": "l",
            "labelloc": "t",
            "style": "rounded,filled,dashed" if state == REMOVED else "rounded,filled",
            "fillcolor": palette.CLUSTERS[(len(chain) - 1) % len(palette.CLUSTERS)],
            "color": line,
            "penwidth": "2" if times or state == ADDED else "0.9",
            "peripheries": "1",
            "margin": "7",
            "tooltip": labels.tooltip([chain[-1], *self._exact(one, other)]),
        }

    def _tooltip(self, pair: Pair) -> Any:
        one, other = self._both(pair.first, pair.other)
        change = self.changes.get(pattern(pair.path))
        differs = f"differs in {', '.join(change.differs)}" if change is not None and change.differs else ""
        return labels.tooltip([pair.path, pair.state, self._kind(pair), differs, *self._exact(one, other)])

    def _exact(self, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[str]:
        lines = []
        for name in self.found.first.total:
            values = [None if side is None else side[name] for side in (one, other)]
            if not all(value is None or same(value, 0) for value in values):
                lines.append(f"{name} {' → '.join(dict.fromkeys(map(_digits, values)))}")
        return lines

    def _arrow(self, arrow: Arrow, weight: int, dot: DotSource) -> None:
        edge = arrow.edge
        attributes: dict[str, Any] = {"weight": str(weight), **EDGES[edge.kind], **ARROWS[arrow.state]}
        attributes["tooltip"] = attributes["labeltooltip"] = tooltips.edges([edge])
        ends = (edge.head, edge.tail) if edge.kind == "loop" else (edge.tail, edge.head)
        attributes |= Look().loop() if edge.kind == "loop" else {}
        dot.edge(*ends, **attributes)

    def _title(self) -> str:
        """Returns both names and the totals before and after."""
        found = self.found
        names = f"{labels.clean(found.first.model, 60)} (A) → {labels.clean(found.other.model, 60)} (B)"
        parts = []
        for quantity in self.quantities:
            one, other = found.total[quantity.name]
            texts = [human(one, quantity.unit), human(other, quantity.unit)]
            word = "parameters" if quantity.name == "params" else "" if quantity.name == "flops" else quantity.name
            text = f"{' → '.join(dict.fromkeys(texts))} {word}".strip()
            parts.append(f"{text}{difference_text(one, other)}")
        name = labels.font(labels.escape(names, 140), 16, palette.INK, bold=True)
        line = labels.font(labels.escape(" · ".join(parts), 400), labels.TEXT_SIZE + 2, palette.INK)
        rows = [labels.row(labels.cell(name, "")), labels.row(labels.cell(line, ""))]
        return f"<{labels.table(rows)}>"

    def _caption(self) -> str:
        """Returns the legend, and the terms of both reports."""
        found = self.found
        cells = []
        for kind in (ADDED, REMOVED, CHANGED):
            count = len(found.of_kind(kind))
            text = labels.escape(f" {SIGNS[kind]} {count} {kind} ({WORDS[kind]}) ", 80)
            cells += [labels.cell(labels.font(text, labels.TEXT_SIZE, INKS[kind], bold=True), "")] if count else []
        text = labels.escape(f" {found.unchanged} unchanged; views are in the arrows ", 80)
        cells.append(labels.cell(labels.font(text, labels.TEXT_SIZE, palette.MUTED), ""))
        one, other = (f"{workload_text(report)} · {terms(report)}" for report in (found.first, found.other))
        texts = [labels.escape(line, 300) for line in ([one] if one == other else [f"A: {one}", f"B: {other}"])]
        rows = [labels.row(labels.cell(labels.table([labels.row(*cells)]), ""))]
        rows += [labels.row(labels.cell(labels.font(text, labels.TEXT_SIZE, palette.MUTED), "")) for text in texts]
        return f"<{labels.table(rows)}>"


def _digits(value: Any) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
