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
from graphacct.render.diff import relative
from graphacct.render.picture import (
    FEWER,
    FORMATS,
    LEGIBLE,
    boxes,
    diff_legend,
    fitting,
    labels,
    layout,
    markup,
    palette,
    tooltips,
    written,
)
from graphacct.render.picture.bundles import bundled
from graphacct.render.picture.chosen import MOST
from graphacct.render.picture.diff_styles import ARROWS, BOXES, INKS, SIGNS, TIES
from graphacct.render.picture.difference import SAME, Arrow, Difference, Pair, difference
from graphacct.render.picture.lines import DotSource
from graphacct.render.picture.look import Look
from graphacct.render.picture.nesting import nested
from graphacct.render.picture.painter import KEPT_ORDER, TOO_MANY
from graphacct.render.picture.places import above, beside, columns, leftmost, towers
from graphacct.render.picture.scene import Box, Chain, Scope
from graphacct.render.picture.styles import EDGE, EDGES, GRAPH, NODE
from graphacct.render.picture.turn import WIDER, turn
from graphacct.render.units import human
from graphacct.reports.diff import ADDED, REMOVED, Change, Diff

if TYPE_CHECKING:
    import graphviz

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
    form = FORMATS[suffix]
    if form == "dot":
        picture = draw_diff(found, None, depth, plugins)
        write(path, picture.source)
        return picture
    dot, content = _legible(found, depth, plugins)
    write(path, written(dot.source, content, form))
    return dot.digraph()


def _legible(found: Diff, depth: int | None, plugins: Plugins) -> tuple[DotSource, str]:
    """Returns a picture and its SVG: without a depth the one with the most boxes that is legible, or the largest."""
    best: tuple[float, DotSource, str] | None = None
    count = 0
    for most in (MOST, *FEWER) if depth is None else (MOST,):
        shown = difference(found, plugins, depth, most)
        if len(shown.pairs) == count:
            continue
        count = len(shown.pairs)
        dot = _Painter(found, shown).paint()
        picture = layout(dot.source)
        size = fitting(*markup.dimensions(picture))
        if best is None or size > best[0]:
            best = (size, dot, picture)
        if size >= LEGIBLE:
            break
    assert best is not None
    return best[1:]


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
        self.spine = set(self.scene.spine())
        drawn, self.said = bundled(self.scene)
        self.drawn = {arrow.index for arrow in drawn}
        self.turn = turn(self.scene, drawn) if len(shown.pairs) <= TOO_MANY else None
        self.tied: dict[str, list[str]] = {}
        paths = {pair.id: pair.path for pair in shown.pairs}
        self.names = {name: last(path) for name, path in paths.items()}
        for arrow in shown.arrows:
            if arrow.edge.kind == "tied":
                for one, other in ((arrow.edge.tail, arrow.edge.head), (arrow.edge.head, arrow.edge.tail)):
                    self.tied.setdefault(one, []).append(f"{last(paths[other])}{TIES[arrow.state]}")

    def paint(self) -> DotSource:
        order = KEPT_ORDER if self.rows else {}
        wider = WIDER if self.turn else {}
        given = {**GRAPH, "newrank": "true", **order, **wider, **Look().graph(), **Look().apart()}
        dot = DotSource("graphacct", given, NODE, EDGE)
        dot.attr(
            label=diff_legend.title(self.found, self.quantities),
            tooltip=labels.tooltip([self.found.first.model, self.found.other.model]),
        )
        with dot.subgraph(name="cluster_picture") as frame:
            frame.attr(label=diff_legend.caption(self.found), labelloc="b", peripheries="0", margin="4")
            self._fill(frame)
        across = self.turn.across if self.turn else towers(self.scene)
        straight = columns(self.scene, across) if across and not self.turn else {}
        for index, (arrow, weight) in enumerate(zip(self.shown.arrows, self.scene.weights(), strict=True)):
            if arrow.edge.kind != "tied" and (index in self.drawn or arrow.state != SAME):
                weight = max(weight, straight.get((arrow.edge.tail, arrow.edge.head), 0))
                self._arrow(arrow, weight, dot, index in across)
        for upper, lower in self.turn.apart(above(self.scene)) if self.turn else above(self.scene):
            dot.edge(upper, lower, style="invis", weight="0")
        return dot

    def _fill(self, frame: DotSource) -> None:
        """Adds the boxes, each in the cluster of its scope. A cluster is added with its first box."""
        content = nested(self.shown.pairs)

        def fill(chain: Chain, into: DotSource) -> None:
            for item in content[chain]:
                if isinstance(item, Pair):
                    into.node(item.id, **self._column(item.id), **self._box(item))
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
        for pair in self.turn.rows if self.turn else ():
            frame.row(pair)

    def _column(self, name: str) -> dict[str, str]:
        """Returns the attribute of the column that a box is in, so that it is straight."""
        rises = self.turn is not None and name in self.turn.rising
        return {"group": "rising" if rises else "spine"} if name in self.spine and not self.rows else {}

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
        used = ", ".join(self.names[tail] for tail in self.said.get(pair.id, ()))
        tip = self._tooltip(pair)
        if pair.state == SAME:
            text = labels.font(name, labels.TEXT_SIZE, ink) + labels.font(
                f"  {kind}{f'  with {labels.escape(used)}' if used else ''}", labels.TEXT_SIZE, ink
            )
            return {"label": f"<{text}>", "tooltip": tip, **BOXES[SAME]}
        shape = "".join(labels.escape(text, 80) for text in self._shapes(pair))
        figures = self._figures(*self._both(pair.first, pair.other))
        share = self._share(pair)
        text = labels.escape(" · ".join(figures), 160) if figures else ""
        said = labels.escape(f"with {used}", 80) if used else ""
        label = labels.box(name, kind, shape, text, labels.escape(share), palette.INK, narrow=1, said=said)
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

    def _arrow(self, arrow: Arrow, weight: int, dot: DotSource, across: bool) -> None:
        edge = arrow.edge
        attributes: dict[str, Any] = {"weight": str(weight), **EDGES[edge.kind], **ARROWS[arrow.state]}
        attributes["tooltip"] = attributes["labeltooltip"] = tooltips.edges([edge])
        ends = (edge.head, edge.tail) if edge.kind == "loop" else (edge.tail, edge.head)
        attributes |= Look().loop() if edge.kind == "loop" else {}
        attributes |= {"constraint": "false", "weight": "0", **Look().beside()} if across else {}
        rising = self.turn.upwards(edge) if self.turn and not across else {}
        dot.edge(*(ends[::-1] if rising else ends), **{**attributes, **rising})


def _digits(value: Any) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
