"""Terms: the names of what conventions count differently, the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct.costs.roles import ATTENTION, EMBEDDING, EXPERTS, HEAD, NORMS, ROUTER
from graphacct.dims import Dim
from graphacct.graph.graph import Node
from graphacct.operators.cost import Work

PRODUCTS, CORE, ELEMENTWISE, BIASES, EMBEDDINGS, POSITIONS, MASK = (
    *("products", ATTENTION, "element-wise", "biases", "embeddings", "positions", "mask"),
)
BACKWARD, GRADIENTS, RECOMPUTE = "backward", "gradients", "recompute"
TERMS: Mapping[str, str] = {
    PRODUCTS: "products of activations with weights",
    CORE: "attention's scores and weighted values",
    MASK: "pairs of positions that a mask hides",
    EMBEDDINGS: "tables of embeddings",
    POSITIONS: "tables of learned positions",
    HEAD: "the head",
    EXPERTS: "experts",
    ROUTER: "the router's product",
    NORMS: "normalizations",
    BIASES: "biases",
    ELEMENTWISE: "element-wise arithmetic",
    BACKWARD: "the backward pass",
    GRADIENTS: "gradients that nothing needs",
    RECOMPUTE: "layers that run again",
}
"""Each term and what it is of, in the order in which a reconciliation lists them."""

OF_VECTORS = frozenset((ELEMENTWISE, BIASES, EMBEDDINGS, POSITIONS, NORMS))
"""The terms that are no products."""


def product_term(role: str, in_core: bool) -> str:
    """Returns the term of a product, by the role of its node and whether it is in an attention core."""
    return CORE if in_core else role if role in (HEAD, EXPERTS, ROUTER) else PRODUCTS


def terms_of(work: Work, node: Node, role: str, in_core: bool) -> dict[str, Dim]:
    """Returns a node's work by term: its contractions, and its other arithmetic."""
    if role == NORMS:
        other = NORMS
    elif role == EMBEDDING and node.parameters:
        other = EMBEDDINGS
    else:
        other = BIASES if len(node.parameters) > 1 and not in_core else ELEMENTWISE
    return {product_term(role, in_core): work.matmul_flops, other: work.vector_flops}
