"""What a published formula is told of a node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import attrs

from graphacct.costs.roles import EMBEDDING, EXPERTS, HEAD, roles
from graphacct.costs.terms import product_term
from graphacct.dims import Dim, exact_div, prod
from graphacct.errors import ConfigError
from graphacct.graph.attention_core import WEIGHTS, WHOLE, attention_core
from graphacct.graph.attention_masks import attention_masks
from graphacct.graph.graph import Graph, Node, Parameter, Value
from graphacct.graph.places import nodes
from graphacct.operators.cost import Cost
from graphacct.operators.mask import Mask
from graphacct.operators.operator import Operator
from graphacct.phases import DECODE, TRAIN


@attrs.frozen(eq=False, repr=False)
class CountedNode:
    """A node as a published formula sees it.

    Attributes:
        node: The node.
        cost: The exact cost of one pass through it.
        role: What it is for (`graphacct.costs.roles`).
        in_core: Whether it is in an attention core.
        scores: The scores of attention that it turns into weights; 0 if it makes none.
        matrices: The parameters whose storage is attributed to it and that it multiplies by or looks up, each once per
            storage: elements, for one of its runs.
        vectors: The other parameters attributed to it: biases, of each expert too, and gains.
        tokens: The tokens that the model is given: batch · seq_len; in a decoding step batch.
        table: Whether it looks up a table of embeddings.
        by_position: Whether it does so by position alone.
        shared: Whether a head multiplies by that table.
        training: Whether a training step is counted.
        mask: Which keys each query sees in the attention core that it is in; None if all, or if it is in none.
        owned: The parameters attributed to it, buffers left out.
    """

    node: Node
    cost: Cost
    role: str
    in_core: bool
    scores: Dim
    matrices: Dim
    vectors: Dim
    tokens: Dim
    table: bool
    by_position: bool
    shared: bool
    training: bool
    mask: Mask | None = None
    owned: tuple[Parameter, ...] = ()

    def __repr__(self) -> str:
        return f"<CountedNode {self.node.name}: {self.role}>"

    def adds(self, parameter: Parameter) -> bool:
        """Returns whether the node adds one of its parameters, or scales by it: a bias, a gain."""
        return is_vector(parameter, self.node, self.role)

    @property
    def product_term(self) -> str:
        """The term of its products."""
        return HEAD if self.shared else product_term(self.role, self.in_core)


class CountedGraph:
    """What formulas are told of the nodes of one graph: roles, cores and tables, found when they are first needed."""

    def __init__(self, graph: Graph, operators: Mapping[str, Operator], convention: str) -> None:
        self.graph, self.operators = graph, operators
        workload = graph.workload
        lacking = [name for name in ("batch", "seq_len") if name not in workload]
        if lacking:
            raise ConfigError(
                f"convention {convention!r} counts tokens, batch · seq_len, and {graph.name!r} has no "
                f"{' or '.join(lacking)}: it is for models of text"
            )
        self.training = workload.get("phase") == TRAIN
        self.tokens = workload["batch"] * (1 if workload.get("phase") == DECODE else workload["seq_len"])

    @cached_property
    def roles(self) -> Mapping[str, str]:
        return roles(self.graph, self.operators)

    @cached_property
    def core(self) -> frozenset[str]:
        return attention_core(self.graph, self.operators)

    @cached_property
    def masks(self) -> Mapping[str, Mask]:
        return attention_masks(self.graph, self.operators)

    @cached_property
    def shared(self) -> frozenset[str]:
        """The parameters that others are tied to."""
        return frozenset(
            parameter.tied_to for node, _ in nodes(self.graph) for parameter in node.parameters if parameter.tied_to
        )

    @cached_property
    def by_position(self) -> frozenset[str]:
        """The nodes that depend on no input of the graph."""
        return frozenset(_without_inputs(self.graph, frozenset(value.name for value in self.graph.inputs)))

    def counted(self, node: Node, cost: Cost, owned: tuple[Parameter, ...], repeats: tuple[Dim, ...]) -> CountedNode:
        """Returns a node as formulas see it; `owned` are the parameters attributed to it, `repeats` how often each
        block around it repeats."""
        role, in_core = self.roles[node.name], node.name in self.core
        matrices: Dim = 0
        vectors: Dim = 0
        owned = tuple(parameter for parameter in owned if not parameter.buffer)
        for parameter in owned:
            elements = _each_run(parameter, node, repeats)
            if is_vector(parameter, node, role):
                vectors = vectors + elements
            else:
                matrices = matrices + elements
        rule = self.operators.get(node.operator)
        table = rule is not None and rule.role == EMBEDDING
        ids = node.values[0].name if table and node.values else ""
        return CountedNode(
            node,
            cost,
            role,
            in_core,
            self._scores(node),
            matrices,
            vectors,
            self.tokens,
            table,
            by_position=bool(ids) and ids.partition(":")[0] in self.by_position,
            shared=table and any(parameter.name in self.shared for parameter in owned),
            training=self.training,
            mask=self.masks.get(node.name) if in_core else None,
            owned=owned,
        )

    def _scores(self, node: Node) -> Dim:
        rule = self.operators.get(node.operator)
        if rule is None or node.name not in self.core:
            return 0
        scores: Dim = 0
        if rule.attention == WEIGHTS:
            scores = node.outputs[0].spec.elements
        elif rule.attention == WHOLE:  # queries (…, s, d) and keys (…, t, d)
            scores = prod(node.inputs[0].spec.shape[:-1]) * node.inputs[1].spec.shape[-2]
        share = None if node.application is None else node.application.share
        return scores if share is None else share.part(scores)


def is_vector(parameter: Parameter, node: Node, role: str) -> bool:
    """Returns whether a node adds a parameter, or scales by it, and does not multiply by it as a matrix. Experts have a
    row of biases each."""
    rank = len(parameter.spec.shape)
    return rank < 2 or (role == EXPERTS and rank < max(len(each.spec.shape) for each in node.parameters))


def _each_run(parameter: Parameter, node: Node, repeats: tuple[Dim, ...]) -> Dim:
    """Returns a parameter's elements for one run of its node: its part of them where several runs share it, because
    formulas count it once."""
    shared = prod(repeats[parameter.name.count("*") :])
    who = (
        f"node {node.name!r}: its parameter {parameter.name!r} is counted once, and the node runs {shared} times with "
        f"it: {parameter.spec.elements} elements for each run"
    )
    return exact_div(parameter.spec.elements, shared, who)


def _without_inputs(graph: Graph, given: frozenset[str]) -> Iterator[str]:
    """Yields the nodes outside blocks that depend on no input."""
    tainted = set(given)
    for node in graph.nodes:
        values: tuple[Value, ...] = node.values
        if any(value.name in tainted for value in values) or not isinstance(node, Node):
            tainted.update(value.name for value in node.outputs)
        else:
            yield node.name
