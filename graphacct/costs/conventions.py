"""Conventions: what is counted. Every report states the one it used.

A convention adjusts the exact cost of one node. It is told the node's ordinal, its position among the nodes of the
same operator in the same repetition, because published conventions count some things "once per layer". A repetition
is told by the path up to its last index (`layers.*`, or `layers.3` in an unrolled graph).

A published formula, such as 6 N D, counts parameters and tokens instead of operations. Such a convention gives a
`formula` (`counted_node.py`): what of the formula's figure is each node's, so that the parts still sum to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from graphacct.dims import Dim
from graphacct.errors import ConfigError, OperatorError, PluginError, brief, failure, unknown
from graphacct.graph.graph import Node
from graphacct.operators.cost import Cost, are_counts, sound
from graphacct.operators.mask import FULL, counted_pairs

if TYPE_CHECKING:
    from graphacct.costs.counted_node import CountedNode


@attrs.frozen(eq=False, repr=False)
class Convention:
    """What is counted.

    Attributes:
        name: What reports call it.
        doc: One sentence: what it counts, and whose it is.
        adjust: `adjust(node, cost, ordinal) -> Cost`; None leaves every cost as it is.
        backward: The same for the work that training adds to a node: each of its gradients, what is computed again
            for them, the optimizer's update of its parameters. None adjusts them as the forward cost.
        replaces: Whether it takes the place of a convention of this name from another plugin.
        formula: In place of `adjust`: `formula(counted_node) -> {term: FLOPs}`, the part of a published figure of the
            forward pass that is one run of the node's, by term (`graphacct.costs.terms`). A training step counts it
            three times, once forward and twice backward, as all of these formulas do.
        layers_again: Whether such a step runs its layers forward a second time.
        mask: Which of attention's pairs it counts unless it is told: `full`, `causal`, `half` or `window`
            (`graphacct.operators.mask`).
        asked: Whether it was told to count them, in place of those that it counts by itself.
    """

    name: str
    doc: str
    adjust: Callable[[Node, Cost, int], Cost] | None = None
    backward: Callable[[Node, Cost, int], Cost] | None = None
    replaces: bool = False
    formula: Callable[[CountedNode], Mapping[str, Dim]] | None = None
    layers_again: bool = False
    mask: str = FULL
    asked: bool = False

    def __repr__(self) -> str:
        return f"<Convention {self.label}>"

    @property
    def label(self) -> str:
        """Its name, and its mask if that is not its own: `matmul:causal`."""
        return f"{self.name}:{self.mask}" if self.asked else self.name


def find_convention(
    convention: str | Convention, known: Mapping[str, Convention], mask: str | None = None
) -> Convention:
    """Returns the convention of a name with a mask of attention's pairs: the one behind the name's colon
    (`matmul:causal`), or else `mask`, or else its own.

    Raises UnknownNameError, which suggests the closest name, and ConfigError for another mask.
    """
    if isinstance(convention, Convention):
        rule = convention
    else:
        name, colon, own = convention.partition(":")
        found = known.get(name)
        if found is None:
            raise unknown("convention", name, known, "graphacct list conventions shows all")
        rule, mask = found, own if colon else mask
    if mask is None or counted_pairs(mask) == rule.mask:
        return rule
    return attrs.evolve(rule, mask=mask, asked=True)


def adjusted(convention: Convention, node: Node, cost: Cost, ordinal: int, backward: bool = False) -> Cost:
    """Returns the cost of one node that a convention counts; `backward` says that it is work of the backward pass.

    Raises PluginError, which names the convention and the node, if its function fails or gives no cost.
    """
    adjust = (convention.backward or convention.adjust) if backward else convention.adjust
    if adjust is None:
        return cost
    try:
        result: object = adjust(node, cost, ordinal)
    except Exception as error:
        raise PluginError(failure(_who(convention, node), error)) from error
    if not isinstance(result, Cost):
        raise PluginError(f"{_who(convention, node)} returned {brief(result)}, which is no Cost")
    if are_counts(result):
        return result
    return checked_cost(node, result, f"{_who(convention, node)} returned a Cost with")


def by_formula(convention: Convention, counted: CountedNode) -> Mapping[str, Dim]:
    """Returns what a published formula states for one forward run of a node, by term.

    Raises PluginError, which names the convention and the node, if the formula fails or gives no mapping.
    """
    assert convention.formula is not None
    node = counted.node
    who = _who(convention, node)
    try:
        terms: object = convention.formula(counted)
    except ConfigError:
        raise
    except Exception as error:
        raise PluginError(failure(who, error)) from error
    if not isinstance(terms, Mapping):
        raise PluginError(f"{who} returned {brief(terms)}, which is no mapping from terms to FLOPs")
    return terms


def _who(convention: Convention, node: Node) -> str:
    return f"convention {convention.name!r} on node {node.name!r}, operator {node.operator!r},"


def checked_cost(node: Node, cost: Cost, who: str) -> Cost:
    """Returns a cost that a plugin made, with each figure a count; PluginError begins with `who`."""
    try:
        return sound(cost, (item.spec for item in (*node.inputs, *node.outputs)), who)
    except OperatorError as error:
        raise PluginError(str(error)) from error


def matmul_only(node: Node, cost: Cost, ordinal: int) -> Cost:
    """Contractions only, as torch.utils.flop_counter counts: no vector work, no transcendentals."""
    return Cost(cost.matmul_flops, 0, 0, cost.read_bytes, cost.write_bytes, cost.activation_bytes)


EXACT = Convention("exact", "Everything counted: contractions and all other arithmetic, at the documented factors.")
MATMUL = Convention(
    "matmul", "Contractions only, 2 FLOPs per multiply-add: equal to torch's FLOP counter.", matmul_only
)
