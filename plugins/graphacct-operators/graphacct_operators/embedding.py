"""Table lookups."""

from graphacct import TensorSpec, Work, operator


@operator("ids: ..., weight: v d -> ... d", saves={"ids": "the gradient is scattered to the rows that were read"})
def embedding(ids: TensorSpec, out: TensorSpec) -> Work:
    """One row of the table per id. A gather is bytes, not FLOPs: it reads the ids and the rows it needs, once each."""
    return Work(read_bytes=ids.bytes + out.bytes)
