"""The convention of the worksheet that the project grew from (docs/worksheet.md)."""

from graphacct import Convention, Cost, Dim, Node

# Per output element: `2 * seq_len * d_model` for an RMSNorm (x / rms, times the gain), and `3 * seq_len * d_model` for
# a rotary embedding (two products and a sum).
FACTORS = {"rms_norm": 2, "rotary_embedding": 3}


def sheet(node: Node, cost: Cost, ordinal: int) -> Cost:
    """Contractions, plus the first RMSNorm and the first rotary embedding of each body.

    The sheet writes one of each per block although there are two; docs/worksheet.md lists this among its slips.
    """
    factor = FACTORS.get(node.operator, 0) if ordinal == 0 else 0
    return _only(cost, factor * node.outputs[0].spec.elements)


def contractions(node: Node, cost: Cost, ordinal: int) -> Cost:
    """Contractions alone: of the backward pass the sheet says nothing else."""
    return _only(cost, 0)


def _only(cost: Cost, vector_flops: Dim) -> Cost:
    return Cost(cost.matmul_flops, vector_flops, 0, cost.read_bytes, cost.write_bytes, cost.activation_bytes)


WORKSHEET = Convention(
    "worksheet",
    "Contractions, and of each block one RMSNorm (2 per element) and one rotary embedding (3 per element): "
    "the worksheet that the project grew from, slips included.",
    sheet,
    backward=contractions,
)
