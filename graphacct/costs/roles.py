"""Roles: what each node is for, in the same words for every family.

An operator declares its role if it is always for the same (`Operator.role`, `Operator.attention`). What else a node is
for follows from where it stands: the projections around an attention core are attention, a product of a layer that is
not is the layer's network, and a product after the last layer is the head. Names decide nothing, so a plugin's family
and a captured module have roles too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphacct.dims import Dim, same
from graphacct.graph.attention_core import attention_core
from graphacct.graph.graph import Graph, Node
from graphacct.graph.paths import is_index
from graphacct.graph.places import nodes
from graphacct.operators.operator import Operator

EMBEDDING, ATTENTION, MLP, EXPERTS, ROUTER, NORMS, HEAD, LOSS, OTHER = (
    *("embedding", "attention", "mlp", "experts", "router", "norms", "head", "loss", "other"),
)
ROLES = (EMBEDDING, ATTENTION, MLP, EXPERTS, ROUTER, NORMS, HEAD, LOSS, OTHER)
"""All roles, in the order in which a model runs."""


def roles(graph: Graph, operators: Mapping[str, Operator]) -> dict[str, str]:
    """Returns the role of each node by its name.

    Of a decoder: `embed_tokens` is embedding, `q_proj`, the scores and `o_proj` attention, `gate_proj` and the
    activation mlp, `input_layernorm` norms, `lm_head` head, the residual sums other.
    """
    return _Roles(graph, operators).found


class _Roles:
    """The roles of one graph, found from what is known to what follows from it."""

    def __init__(self, graph: Graph, operators: Mapping[str, Operator]) -> None:
        self.operators = operators
        self.nodes = [node for node, _ in nodes(graph)]
        self.layered = [bool(place.repeats) or in_layer(node.name) for node, place in nodes(graph)]
        self.found: dict[str, str] = {}
        self.core = attention_core(graph, operators)
        self._declared()
        self._gains()
        self._scopes(self.core, ATTENTION)
        self._scopes([node.name for node in self.nodes if self.found.get(node.name) == EXPERTS], EXPERTS)
        self._projections()
        self._router()
        self._products()
        self._beside()

    def _declared(self) -> None:
        for node in self.nodes:
            rule = self.operators.get(node.operator)
            if node.name in self.core:
                self.found[node.name] = ATTENTION
            elif rule is not None and rule.role:
                self.found[node.name] = rule.role

    def _gains(self) -> None:
        """Gives a norm's role to what makes its gain of a parameter alone, such as the weight plus 1."""
        made: dict[str, Node] = {}
        users: dict[str, set[str]] = {}
        for node in self.nodes:
            for value in node.values:
                users.setdefault(value.name, set()).add(node.name)
            if all(value.name in made for value in node.values) and (node.parameters or node.values):
                made |= {value.name: node for value in node.outputs}
        for node in reversed(list(made.values())):
            using = {name for value in node.outputs for name in users.get(value.name, ())}
            if node.name not in self.found and using and all(self.found.get(name) == NORMS for name in using):
                self.found[node.name] = NORMS

    def _scopes(self, names: Iterable[str], role: str) -> None:
        """Gives a role to the nodes that share a module with one that has it. A whole layer is no such module."""
        scopes = {scope for scope in (name.rpartition(".")[0] for name in names) if scope and not _is_layer(scope)}
        for node in self.nodes:
            if node.name not in self.found and any(scope in scopes for scope in _around(node.name)):
                self.found[node.name] = role

    def _projections(self) -> None:
        """Gives attention's role to the products with a weight whose output goes straight into a core, and to the one
        that takes what comes straight out of it: other products, norms and sums end the way."""
        makers = {value.name: node for node in self.nodes for value in node.outputs}
        users: dict[str, list[Node]] = {}
        for node in self.nodes:
            for value in node.values:
                users.setdefault(value.name, []).append(node)
        core = [node for node in self.nodes if node.name in self.core]
        self._along(core, lambda node: [makers[v.name] for v in node.values if v.name in makers])
        self._along(core, lambda node: [user for v in node.outputs for user in users.get(v.name, ())])

    def _along(self, start: Iterable[Node], following: object) -> None:
        left, seen = list(start), set()
        while left:
            for node in following(left.pop()):  # type: ignore[operator]
                if node.name in seen or node.name in self.core or len(node.values) > 1:
                    continue
                seen.add(node.name)
                known = self.found.get(node.name)
                if known is None and node.parameters and self._contracts(node):
                    self.found[node.name] = ATTENTION
                elif known in (None, ATTENTION) and not node.parameters:
                    left.append(node)

    def _router(self) -> None:
        """Gives the router's role to the products that choose experts: those beside experts with as many outputs as
        there are."""
        owned = [node for node in self.nodes if self.found.get(node.name) == EXPERTS and node.parameters]
        counts = [node.parameters[0].spec.shape[0] for node in owned]
        scopes = {scope for node in owned for scope in list(_around(node.name))[:2] if not _is_layer(scope)}
        copied = {  # a weight in another dtype is a value, made from the parameter alone
            value.name: node.parameters[0]
            for node in self.nodes
            if len(node.parameters) == 1 and not node.values
            for value in node.outputs
        }
        widths: dict[str, Dim] = {}  # of each product with a weight, how many outputs it has
        for node in self.nodes:
            weights = [*node.parameters, *(copied[value.name] for value in node.values if value.name in copied)]
            if weights and node not in owned and any(s in scopes for s in _around(node.name)) and self._contracts(node):
                widths[node.name] = weights[0].spec.shape[0]
        for name, width in widths.items():
            if self.found.get(name) in (None, EXPERTS) and any(same(width, count) for count in counts):
                module = name.rpartition(".")[0]  # a shared expert may be as wide, but has a product back too
                beside = [] if module in scopes else [other for other in widths if other.startswith(f"{module}.")]
                if all(same(widths[other], width) for other in beside):
                    self.found[name] = ROUTER

    def _products(self) -> None:
        """Gives a role to the products left: within layers the network's, before the first layer the embedding's,
        after the last one the head's."""
        last = max((i for i, layered in enumerate(self.layered) if layered), default=-1)
        first = next((i for i, layered in enumerate(self.layered) if layered), len(self.nodes))
        for i, node in enumerate(self.nodes):
            if node.name not in self.found and self._contracts(node):
                place = MLP if self.layered[i] else EMBEDDING if i < first else HEAD if i > last else OTHER
                self.found[node.name] = place

    def _beside(self) -> None:
        """Gives what is left the role of the module that it stands in, if all products there have one; what follows the
        last product of the whole model is the loss's if there is one."""
        inside: dict[str, set[str]] = {}
        for node in self.nodes:
            role = self.found.get(node.name)
            if role not in (None, NORMS, EMBEDDING, LOSS):
                for scope in _around(node.name):
                    if not _is_layer(scope):
                        inside.setdefault(scope, set()).add(str(role))
        for node in self.nodes:
            if node.name not in self.found:
                known = [inside[scope] for scope in _around(node.name) if scope in inside]
                alone = bool(known) and len(known[0]) == 1
                self.found[node.name] = next(iter(known[0])) if alone else OTHER
        if LOSS in self.found.values():
            for node in reversed(self.nodes):
                if self.found[node.name] not in (OTHER, LOSS):
                    break
                self.found[node.name] = LOSS

    def _contracts(self, node: Node) -> bool:
        rule = self.operators.get(node.operator)
        if rule is None:
            return False
        made = node.application or rule.apply([operand.spec for operand in node.inputs], node.attributes)
        return not same(made.cost.matmul_flops, 0)


def _around(name: str) -> Iterator[str]:
    """Yields the scopes around a node, the innermost first."""
    scope = name.rpartition(".")[0]
    while scope:
        yield scope
        scope = scope.rpartition(".")[0]


def _is_layer(scope: str) -> bool:
    return is_index(scope.rpartition(".")[2])


def in_layer(name: str) -> bool:
    """Returns whether a node stands in one of several layers, by its name: an index before its last part."""
    return any(is_index(part) for part in name.split(".")[:-1])
