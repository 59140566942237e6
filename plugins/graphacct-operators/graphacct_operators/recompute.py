"""Recomputation by operator."""

from graphacct import Node, Operator, RecomputePolicy

PRODUCTS = ("linear", "linear_in_out")


def op_selective(node: Node, operator: Operator | None, ordinal: int) -> str:
    """Returns `save` for the outputs of a layer that torchtitan's selective activation checkpointing by operator saves
    (`apply_ac`, its save list and its count of `aten.mm`): that of fused attention, and of every second product with a
    matrix, from the first on. A product of two activations (`aten.bmm`) is not on its list. There a product with a bias
    (`addmm`) is not either; here it is a product like any other."""
    attention = operator is not None and operator.attention == "whole"
    if attention or (node.operator in PRODUCTS and ordinal % 2 == 0):
        return "save"
    return "recompute"


OP_SELECTIVE = RecomputePolicy(
    "op-selective",
    "Layers are run again but for attention and every second product with a matrix, whose outputs are kept "
    "(torchtitan's selective activation checkpointing).",
    of_node=op_selective,
)
