"""Table lookups."""

from graphacct import TensorSpec, Work, operator


def _rows(ids: TensorSpec, weight: TensorSpec) -> TensorSpec:
    """Returns the rows in the table's dtype, which may be an integer of 8 bits; the ids only select them."""
    return TensorSpec((*ids.shape, weight.shape[-1]), weight.dtype)


@operator(
    "ids: ..., weight: v d -> ... d",
    infer=_rows,
    saves={"ids": "the gradient is scattered to the rows that were read"},
    gradients={"weight": lambda out: Work(vector_flops=out.elements)},
)
def embedding(ids: TensorSpec, out: TensorSpec) -> Work:
    """One row of the table per id. A gather is bytes, not FLOPs: it reads the ids and the rows it needs, once each.

    Backward: 1 per element of g, which is added to the row that was read.
    """
    return Work(read_bytes=ids.bytes + out.bytes)
