"""Table lookups."""

from graphacct import TensorSpec, Work, operator


@operator(
    "ids: ..., weight: v d -> ... d",
    saves={"ids": "the gradient is scattered to the rows that were read"},
    gradients={"weight": lambda out: Work(vector_flops=out.elements)},
)
def embedding(ids: TensorSpec, out: TensorSpec) -> Work:
    """One row of the table per id. A gather is bytes, not FLOPs: it reads the ids and the rows it needs, once each.

    Backward: 1 per element of g, which is added to the row that was read.
    """
    return Work(read_bytes=ids.bytes + out.bytes)
