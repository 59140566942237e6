"""Writes one picture as Graphviz source: the appearance of a scene, box by box and edge by edge."""

from __future__ import annotations

import html
from collections import Counter
from typing import Any

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.costs.quantities import Quantity
from graphacct.errors import PluginError, brief, failure
from graphacct.graph.paths import last
from graphacct.hooks.manager import Plugins
from graphacct.render.picture import boxes, labels, legend, palette, tooltips
from graphacct.render.picture.amounts import Amounts
from graphacct.render.picture.breaks import breaks
from graphacct.render.picture.bundles import Bundle, bundled
from graphacct.render.picture.lines import DotSource
from graphacct.render.picture.look import TOP_DOWN, Look
from graphacct.render.picture.nesting import nested
from graphacct.render.picture.places import above, after_merge, alike, beside, columns, leftmost, towers
from graphacct.render.picture.scene import STRAIGHT, Box, Chain, Scene
from graphacct.render.picture.styles import EDGE, EDGES, GRAPH, NODE
from graphacct.render.picture.tooltips import Formula
from graphacct.render.picture.turn import WIDER, turn
from graphacct.reports.report import Report

TOO_MANY = 200
"""The number of boxes above which a picture takes long to lay out and is hard to read."""
FEW = 8
"""The number of boxes up to which the caption would be wider than they are."""
MERGED = 3
"""The most weight of an arrow into a box where the values of several inputs meet, which stands below all of them."""

KEPT_ORDER = {"remincross": "false"}
"""Without a second search for fewer crossings over all scopes, which would swap the boxes of a row."""


class Painter:
    """The state of writing one picture as Graphviz source."""

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
        self.look, self.narrow = look, look.narrowness
        self.report = report
        self.scene = picture
        self.plugins = plugins
        self.formula = formula
        self.amounts = Amounts(report, quantity, picture, look.fields)
        self.clusters = {chain: f"cluster_{index}" for index, chain in enumerate(picture.scopes)}
        self.known = {box.id: box for box in picture.boxes}
        self.rows = {name: row for row in picture.fans() for name in row}
        self.arrows, self.said = bundled(picture)
        turns = look.orientation == TOP_DOWN and len(picture.boxes) <= TOO_MANY
        self.turn = turn(picture, self.arrows) if turns else None
        flow = [arrow.edges[0] for arrow in self.arrows if arrow.edges[0].kind != "loop"]
        self.arriving = Counter(edge.head for edge in flow)
        self.leaving = Counter(edge.tail for edge in flow)
        self.across = self.turn.across if self.turn else towers(picture)
        column = picture.spine() if self.across else after_merge(picture)
        self.spine = set(column)
        self.merge = column[0] if column and column[0] not in picture.spine()[:1] else ""
        self.tied: dict[str, list[str]] = {}
        paths = {box.id: box.path for box in picture.boxes}
        for edge in picture.edges:
            if edge.kind == "tied":
                self.tied.setdefault(edge.tail, []).append(paths[edge.head])
                self.tied.setdefault(edge.head, []).append(paths[edge.tail])

    def paint(self) -> DotSource:
        # Ranked together, scopes are more compact, but it takes long.
        few = len(self.scene.boxes) <= TOO_MANY
        together = {"newrank": "true"} if few or not self.rows else {}
        order = KEPT_ORDER if few and self.rows else {}
        apart = WIDER if self.turn else {}
        dot = DotSource("graphacct", {**GRAPH, **together, **order, **apart, **self.look.graph()}, NODE, EDGE)
        title = (
            {}
            if self.look.bare
            else {"label": legend.title(self.report, self.amounts.quantity, self.scope, self.scene.part)}
        )
        dot.attr(**title, tooltip=labels.tooltip([self.report.model]))
        longest = legend.NARROW_LINE if self.narrow and len(self.scene.boxes) <= FEW else legend.LONGEST_LINE
        with dot.subgraph(name="cluster_picture") as frame:
            if not self.look.bare:
                frame.attr(label=legend.caption(self.report, self.amounts, self.scene, longest))
            frame.attr(labelloc="b", peripheries="0", margin="4")
            self._fill(frame)
        across = self.across
        straight = columns(self.scene, across) if across and not self.turn else {}
        broken = breaks(self.scene, self.arrows, self.look.columns) if self.look.columns > 1 and not self.turn else {}
        for arrow in self.arrows:
            most = MERGED if arrow.ends[1] == self.merge else arrow.weight
            arrow = attrs.evolve(arrow, weight=max(min(arrow.weight, most), straight.get(arrow.ends, 0)))
            self._arrow(arrow, dot, arrow.index in across or arrow.index in broken)
            if arrow.index in broken:
                dot.edge(broken[arrow.index], arrow.ends[1], style="invis")  # the next column begins at the top
        for upper, lower in self.turn.apart(above(self.scene)) if self.turn else above(self.scene):
            dot.edge(upper, lower, style="invis", weight="0")
        if not self.labelled:
            dot.defaults["graph"] |= self.look.apart()
        self.look.dress(dot)
        dot.paths = {box.id: box.path for box in self.scene.boxes}
        return dot

    def _fill(self, frame: DotSource) -> None:
        """Adds the boxes, each in the cluster of its scope. A cluster is added with its first box."""
        content = nested(self.scene.boxes)

        def fill(chain: Chain, into: DotSource) -> None:
            for item in content[chain]:
                if isinstance(item, Box):
                    into.node(item.id, **self._box(item))
                    continue
                with into.subgraph(name=self.clusters[item]) as cluster:
                    cluster.attr(**boxes.frame(self.scene.scopes[item], self.report, self.amounts))
                    fill(item, cluster)
            for row in dict.fromkeys([*self.rows.values(), *beside(self.scene), *alike(self.scene)]):
                if self.known[row[0]].scopes == chain:
                    into.row(row)

        for name in leftmost(self.scene):
            frame.first(name)
        fill((), frame)
        inputs = [box.id for box in self.scene.boxes if box.kind == "input"]
        if len(inputs) > 1:
            frame.row(inputs, ordered=False)
        for row in self.turn.rows if self.turn else ():
            frame.row(row)

    def _box(self, box: Box) -> dict[str, Any]:
        half = "rising" if self.turn and box.id in self.turn.rising else "spine"
        column = {"group": half} if box.id in self.spine and not self.rows else {}
        if box.kind in ("input", "output"):
            return {**column, **boxes.terminal(box)}
        if box.kind == "entry":
            return {**column, **boxes.entry(box)}
        share = self.amounts.share(box.figures)
        if box.record is None:
            words = " ".join(filter(None, (boxes.repeated(box.repeat), f"{box.members} nodes")))
            tip = tooltips.scope(self.report, box.path, words, box.figures, share, box.uncosted)
            label = boxes.collapsed(box, self.amounts, tip, self._tied(box), self._said(box), self.narrow)
            return {**column, **label}
        tip = tooltips.node(self.report, box.record, box.figures, share, self.formula)
        row = self.rows.get(box.id, (box.id,))  # whose boxes look alike
        tall = not all(self.amounts.minor(self.known[name].figures) for name in row)
        label = boxes.node(box, self.amounts, tip, self._tied(box), self._said(box), tall, self.narrow)
        return {**column, **label, **self._style(box.record)}

    def _tied(self, box: Box) -> str:
        """Returns the words that say with which boxes a box shares a weight; empty if with none."""
        others = self.tied.get(box.id, [])
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return f"tied to {last(others[0])}{more}" if others else ""

    def _said(self, box: Box) -> str:
        """Returns the words that say which values a box uses that have no arrow to it; empty if none."""
        names = [self.known[name].name for name in self.said.get(box.id, ())]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return f"with {', '.join(names[:2])}{more}" if names else ""

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
        return self.look.styled(merged)

    def _arrow(self, arrow: Bundle, dot: DotSource, across: bool) -> None:
        edge = arrow.edges[0]
        attributes: dict[str, Any] = {"weight": str(arrow.weight), **EDGES[edge.kind]}
        if across:
            attributes |= {"constraint": "false", "weight": "0", **self.look.beside()}
        attributes["tooltip"] = attributes["labeltooltip"] = tooltips.edges(arrow.edges)
        text = self._news(arrow)
        if text:
            run = labels.font(
                f" &#160;{html.escape(text)} ", labels.TEXT_SIZE, EDGES[edge.kind].get("fontcolor", palette.MUTED)
            )
            attributes["label"] = f"<{run}>"
            self.labelled = True
            if arrow.weight == STRAIGHT and self.arriving[edge.head] == self.leaving[edge.tail] == 1:
                attributes["labelfloat"] = "true"  # otherwise the label would bend the column; nothing else is near
        ends = (edge.tail, edge.head)
        if edge.kind == "loop":  # drawn from its head, so that it runs down beside the body like any edge
            ends = (edge.head, edge.tail)
            attributes |= self.look.loop()
        rising = self.turn.upwards(edge) if self.turn and not across else {}
        dot.edge(*(ends[::-1] if rising else ends), **{**attributes, **rising})

    def _news(self, arrow: Bundle) -> str:
        """Returns the shapes on an arrow that its box does not show: other values, or values that are viewed."""
        edge = arrow.edges[0]
        tail = self.known[edge.tail]
        if edge.kind == "loop" or tail.kind == "entry" or self.known[edge.head].kind == "output":
            return ""
        shapes = [labels.shape(one.spec) for one in arrow.edges if one.spec is not None]
        known = "" if tail.shown is None else labels.shape(tail.shown)
        news = [*dict.fromkeys(shape for shape in shapes if shape != known)]
        if not news:
            return ""
        count = f"{len(shapes)} × " if len(shapes) > 1 and len({*shapes}) == 1 else ""
        more = f" and {len(shapes) - 1} more" if len({*shapes}) > 1 else ""
        return labels.clean(f"{count}{news[0]}{more}", labels.LONGEST_SHAPE)
