"""Sets the scene: from a report to the content of its picture.

A scope that is not open is one box with its rolled-up cost: those deeper than `depth`, or without a depth all but those
where the cost is, the largest opened first while the picture fits a screen. Views that cost nothing fold into the edges
that pass through them. A block appears once: its body between an entry, where the carried value comes in, and the edge
that carries it back. All figures are sums over the repetitions, as in the report's rows, so that the parts of the
picture add up to its total.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping, Set

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.dims import Dim, same
from graphacct.graph.graph import Block, Graph, Node, Parameter
from graphacct.hooks.manager import Plugins
from graphacct.render.opening import Sizes
from graphacct.render.picture.chosen import DEEPEST, MOST, largest_open
from graphacct.render.picture.content import Content, check_depth, path_chain
from graphacct.render.picture.residual import residual
from graphacct.render.picture.scene import Box, Chain, Edge, Figures, Scene, Scope
from graphacct.render.picture.source import Source, Sources
from graphacct.render.picture.views import free_view
from graphacct.render.picture.visits import needs, part_visits
from graphacct.reports.report import Report
from graphacct.tensors import TensorSpec


def scene(
    report: Report,
    plugins: Plugins,
    depth: int | None = None,
    views: bool = False,
    closed: Callable[[str], bool] | None = None,
    kept: Collection[str] = (),
    most: int = MOST,
    tried: MutableMapping[frozenset[Chain], Scene] | None = None,
    content: Content | None = None,
) -> Scene:
    """Returns the content of a report's picture.

    `closed` says of the path of a scope whether it is one box, whatever the depth; `kept` nodes have a box also if they
    are free views. Without `depth` and `closed` the scopes with the largest shares of the work are open, as many as fit
    a screen (`largest_open`), at most `most` boxes. `tried` remembers the scenes that this sets, for another call with
    the same report and views, and `content` is what is the same in all scenes of a report.
    Raises ConfigError when `depth` is below 1.
    """
    check_depth(depth)
    content = content or Content(report)
    if depth is not None or closed is not None:
        return _Stage(report, plugins, content, min(depth or DEEPEST, DEEPEST), views, kept, closed).scene()
    known = {} if tried is None else tried

    def set_(opened: Set[Chain]) -> Scene:
        key = frozenset(opened)
        if key not in known:
            known[key] = _Stage(report, plugins, content, DEEPEST, views, kept, opened=key).scene()
        return known[key]

    return largest_open(content, Sizes(report), set_, most)


def all_open(report: Report, plugins: Plugins, views: bool, kept: Collection[str]) -> Scene:
    """Returns the content of a picture in which every scope is open, without the sums of scopes, which take long where
    figures are formulas."""
    return _Stage(report, plugins, Content(report, summed=False), DEEPEST, views, kept).scene()


class _Stage:
    """The state of setting one scene."""

    def __init__(
        self,
        report: Report,
        plugins: Plugins,
        content: Content,
        depth: int,
        views: bool,
        kept: Collection[str],
        closed: Callable[[str], bool] | None = None,
        opened: Set[Chain] | None = None,
    ) -> None:
        self.report, self.graph = report, report.annotated.graph
        self.operators = plugins.operators
        self.summed = [index for index, item in enumerate(report.quantities) if item.combine == "sum"]
        self.content = content
        self.depth, self.closed, self.opened = depth, closed, opened
        self.views, self.kept = views, kept
        self.boxes: dict[str, Box] = {}
        self.collapsed: dict[Chain, list[str]] = {}
        self.inside: dict[str, list[int]] = {}
        self.into: dict[str, set[str]] = {}
        self.left: set[str] = set()
        self.edges: list[Edge] = []
        self.seen: set[tuple[str, str, str]] = set()
        self.owners: dict[str, str] = {}
        self.uses: list[tuple[str, str]] = []
        self.index = 0

    def scene(self) -> Scene:
        sources: Sources = {}
        for value in self.graph.inputs:
            box = self._new("input", value.name, (), shown=value.spec)
            sources[value.name] = (Source(box, value.name, value.spec),)
        self._visit(self.graph, (), sources)
        part_visits(self.boxes, self.collapsed.values(), self.inside, self.content)
        for value in {value.name: value for value in self.graph.outputs}.values():
            box = self._new("output", value.name, (), shown=value.spec)
            for source in sources[value.name]:
                self._connect(source, box, value.spec, single=True)
        boxes = self._used()
        edges = self._kinds(boxes)
        scopes, depth, paths = self._scopes(boxes), self.depth, None
        if self.opened is not None:
            depth = max(map(len, scopes), default=0) + 1
            paths = frozenset(chain[-1] for chain in self.opened if chain)
        closed = frozenset(box.path for box in boxes if box.kind == "scope")
        joined, levels = (*edges, *self._ties()), self.content.levels
        return Scene(boxes, joined, scopes, depth, levels, paths, closed, work=Sizes(self.report).share)

    def _visit(self, graph: Graph, within: Chain, sources: Sources) -> None:
        for node in graph.nodes:
            if isinstance(node, Block):
                self._block(node, path_chain(node.name, within), sources)
                continue
            chain, record = self.content.chains[self.index], self.content.records[self.index]
            figures = self.content.figures[self.index]
            self.index += 1
            scope = self._around(chain[:-1])
            arriving = [(value, source) for value in node.values for source in sources[value.name]]
            is_shown = self.views or node.name in self.kept
            if arriving and not is_shown and self._is_free(self.index - 1):
                passed = {(source.box, source.name): source for _, source in arriving}.values()
                for value in node.outputs:
                    sources[value.name] = tuple(source.viewed(node.name, value.spec, scope) for source in passed)
                continue
            if scope:
                box = self._scope(scope, [arrived.entering(scope).box for _, arrived in arriving])
                self.inside[box].append(self.index - 1)
            else:
                shown = node.outputs[0].spec if node.outputs else None
                box = self._new("node", node.name, chain[:-1], figures, record, shown, 1, int(record.cost is None))
            for value, arrived in arriving:
                source = arrived.entering(scope)
                spec = source.spec if arrived.views else value.spec
                self._connect(source, box, spec, bool(scope))
            for value in node.outputs:
                sources[value.name] = (Source(box, value.name, value.spec),)
            self._note_parameters(node, record, box)

    def _block(self, block: Block, chain: Chain, sources: Sources) -> None:
        """Adds the body between its entries and the edges that carry values back."""
        open_ = not self._around(chain)
        inner: Sources = {}
        entries: list[str] = []
        count = len(block.carry)
        for value, entering in zip(block.body.inputs, block.entering, strict=True):
            if open_ and len(entries) < count:
                entry = self._new("entry", value.name, chain, shown=value.spec)
                entries.append(entry)
                for outer in entering:
                    for source in sources[outer.name]:
                        self._connect(source, entry, outer.spec)
                inner[value.name] = (Source(entry, value.name, value.spec),)
            else:
                inner[value.name] = tuple(source for outer in entering for source in sources[outer.name])
        self._visit(block.body, chain, inner)
        for index, (values, inside) in enumerate(zip(block.returned, block.body.outputs, strict=True)):
            results = inner[inside.name]
            if index < len(entries) and not same(block.repeat, 1):
                for source in results:
                    if source.box != entries[index]:
                        self.edges.append(Edge(source.box, entries[index], "loop", inside.spec, source.views))
            for value in values:
                sources[value.name] = tuple(attrs.evolve(source, spec=value.spec) for source in results)

    def _around(self, chain: Chain) -> Chain:
        """Returns the outermost collapsed scope of a chain of scopes; empty if all are open."""
        if self.opened is not None:
            return next((chain[:level] for level in range(1, len(chain) + 1) if chain[:level] not in self.opened), ())
        deep = self.depth if len(chain) >= self.depth else 0
        if self.closed is not None:
            levels = range(1, len(chain) + 1)
            deep = next((level for level in levels if level == deep or self.closed(chain[level - 1])), 0)
        return chain[:deep]

    def _is_free(self, index: int) -> bool:
        """Returns whether a node is a view that costs nothing."""
        free = self.content.free
        if index not in free:
            figures = self.content.figures[index]
            summed = [figures[place] for place in self.summed]
            free[index] = free_view(self.operators, self.content.records[index], summed)
        return free[index]

    def _new(
        self,
        kind: str,
        path: str,
        scopes: Chain,
        figures: Figures | None = None,
        record: NodeCost | None = None,
        shown: TensorSpec | None = None,
        members: int = 1,
        uncosted: int = 0,
        repeat: Dim = 1,
    ) -> str:
        name = f"n{len(self.boxes)}"
        figures = self.content.nothing if figures is None else figures
        self.boxes[name] = Box(name, kind, path, scopes, figures, record, shown, members, uncosted, repeat)
        return name

    def _scope(self, chain: Chain, sources: Iterable[str]) -> str:
        """Returns the box of a collapsed scope: a new one where the model left the scope and comes back with what was
        computed in between, which otherwise would look like a circle."""
        visits = self.collapsed.setdefault(chain, [])
        if not visits or (visits[-1] in self.left and needs(visits[-1], sources, self.into)):
            content = self.content
            block = content.blocks.get(chain)
            box = self._new(
                "scope",
                chain[-1],
                chain[:-1],
                content.sums[chain],
                uncosted=content.uncosted[chain],
                repeat=1 if block is None else block.repeat,
            )
            self.inside[box] = []
            visits.append(box)
        return visits[-1]

    def _connect(self, source: Source, box: str, spec: TensorSpec, single: bool = False) -> None:
        """Adds an edge. A value enters a `single` box once, however many of the box's nodes use it."""
        key = (source.box, source.name, box)
        if source.box == box or (single and key in self.seen):
            return
        self.seen.add(key)
        self.into.setdefault(box, set()).add(source.box)
        self.left.add(source.box)
        self.edges.append(Edge(source.box, box, "data", spec, source.views))

    def _note_parameters(self, node: Node, record: NodeCost, box: str) -> None:
        for parameter in record.owned:
            self.owners.setdefault(parameter.name, box)
        for operand in node.inputs:
            if isinstance(operand, Parameter) and not any(operand is item for item in record.owned):
                self.uses.append((operand.tied_to or operand.name, box))

    def _used(self) -> tuple[Box, ...]:
        """Returns the boxes, without entries that nothing leaves."""
        tails = {edge.tail for edge in self.edges}
        unused = {box.id for box in self.boxes.values() if box.kind == "entry" and box.id not in tails}
        self.edges = [edge for edge in self.edges if edge.head not in unused]
        given = {edge.tail: edge.spec for edge in reversed(self.edges) if edge.kind == "data" and not edge.views}
        return tuple(
            attrs.evolve(box, shown=given.get(box.id)) if box.kind == "scope" else box
            for box in self.boxes.values()
            if box.id not in unused
        )

    def _kinds(self, boxes: Iterable[Box]) -> Iterator[Edge]:
        """Yields the edges, with the kinds `residual` and `side` filled in."""
        known = {box.id: box for box in boxes}
        fed = {edge.head for edge in self.edges}
        around = residual(known.values(), self.edges)
        for index, edge in enumerate(self.edges):
            if edge.kind != "data":
                yield edge
            elif index in around:
                yield attrs.evolve(edge, kind="residual")
            elif edge.tail not in fed and known[edge.tail].kind == "node" and known[edge.head].kind != "entry":
                yield attrs.evolve(edge, kind="side")
            else:
                yield edge

    def _ties(self) -> Iterator[Edge]:
        pairs = {(self.owners[name], box): None for name, box in self.uses if name in self.owners}
        for owner, box in pairs:
            if owner != box:
                yield Edge(owner, box, "tied")

    def _scopes(self, boxes: Iterable[Box]) -> dict[Chain, Scope]:
        scopes: dict[Chain, Scope] = {}
        content = self.content
        for box in boxes:
            for level in range(1, len(box.scopes) + 1):
                chain = box.scopes[:level]
                if chain not in scopes:
                    block = content.blocks.get(chain)
                    repeat = 1 if block is None else block.repeat
                    figures = content.sums.get(chain, content.nothing)
                    scopes[chain] = Scope(chain, figures, content.uncosted[chain], repeat)
        return scopes
