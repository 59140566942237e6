"""The parts of a report that are the same at every depth of its picture: each node's place, and sums by scope."""

from __future__ import annotations

from graphacct.errors import ConfigError
from graphacct.graph.graph import Block, Graph
from graphacct.graph.paths import outward
from graphacct.render.picture.scene import Chain, Figures
from graphacct.reports.report import Report
from graphacct.reports.rows import adder


def path_chain(name: str, within: Chain = ()) -> Chain:
    """Returns the chain of a name inside the scopes `within`: an index belongs to the name before it."""
    return within + tuple(path for path in (*outward(name),)[::-1] if path not in within or path == name)


def check_depth(depth: int | None) -> None:
    """Raises ConfigError for a depth below 1."""
    if depth is not None and depth < 1:
        raise ConfigError(f"the depth of a picture is at least 1 (top-level scopes), not {depth}")


class Content:
    """The place of each node in a report, and the sums by scope.

    Attributes:
        records: The nodes and their costs, in the order in which they run.
        chains: The chain of each.
        figures: The quantities of each, repeats included; zeros for a node without a cost.
        nothing: A row of zeros.
        add: Adds the quantities of two nodes.
        blocks: The blocks by chain.
        levels: The length of the longest chain: at this depth nothing is collapsed.
        sums: The quantities of each scope; empty unless they are `summed`.
        uncosted: The number of nodes in each scope without a cost.
        free: Of nodes that a scene has asked for: whether they are views that cost nothing.
    """

    def __init__(self, report: Report, summed: bool = True) -> None:
        self.records = report.annotated.costs
        nothing: Figures = (0,) * len(report.quantities)
        values = iter(report.values)
        self.figures = [nothing if record.cost is None else next(values) for record in self.records]
        self.nothing = nothing
        add = self.add = adder(report.quantities)
        self.chains: list[Chain] = []
        self.blocks: dict[Chain, Block] = {}
        self._walk(report.annotated.graph, ())
        inner = {chain[:level] for chain in self.chains for level in range(1, len(chain))}
        # A node may have the name of a scope (a file may have `a` and `a.b`). It is then inside the scope.
        self.chains = [(*chain, chain[-1]) if chain in inner else chain for chain in self.chains]
        self.levels = max((len(chain) for chain in self.chains), default=1)
        self.sums: dict[Chain, Figures] = {}
        self.uncosted: dict[Chain, int] = {}
        self.free: dict[int, bool] = {}
        for chain, record, figures in zip(self.chains, self.records, self.figures, strict=True):
            for level in range(1, len(chain)):
                scope = chain[:level]
                if summed:
                    known = self.sums.get(scope)
                    self.sums[scope] = figures if known is None else add(known, figures)
                self.uncosted[scope] = self.uncosted.get(scope, 0) + (record.cost is None)

    def _walk(self, graph: Graph, within: Chain) -> None:
        for node in graph.nodes:
            chain = path_chain(node.name, within)
            if isinstance(node, Block):
                self.blocks[chain] = node
                self._walk(node.body, chain)
            else:
                self.chains.append(chain)
