"""Table lookups."""

from graphacct import OperatorError, TensorSpec, Work, operator
from graphacct_operators.gradient import nothing
from graphacct_operators.norms import norm_work


def _rows(ids: TensorSpec, weight: TensorSpec) -> TensorSpec:
    """Returns the rows in the table's dtype, which may be an integer of 8 bits; the ids only select them."""
    return TensorSpec((*ids.shape, weight.shape[-1]), weight.dtype)


def check_dense(sparse: bool) -> None:
    """Raises OperatorError for a table whose gradient is sparse: rows and their numbers, as many as the batch has ids,
    until they are added up, which data decides; gradients of later steps make it longer."""
    if sparse:
        raise OperatorError(
            "the gradient of its weight is sparse, as large as the batch has ids and not as the table: a training step "
            "is counted with sparse=False in its module (torch.nn.Embedding, EmbeddingBag), or the table frozen"
        )


def _of_weight(out: TensorSpec, *, sparse: bool = False) -> Work:
    check_dense(sparse)
    return Work(vector_flops=out.elements)


@operator(
    "ids: ..., weight: v d -> ... d",
    infer=_rows,
    saves={"ids": "the gradient is scattered to the rows that were read"},
    gradients={"weight": _of_weight},
    role="embedding",
)
def embedding(ids: TensorSpec, out: TensorSpec, *, sparse: bool = False) -> Work:
    """One row of the table per id. A gather is bytes, not FLOPs: it reads the ids and the rows it needs, once each.

    Backward: 1 per element of g, which is added to the row that was read. A `sparse` gradient is refused.
    """
    return Work(read_bytes=ids.bytes + out.bytes)


@operator(
    "weight: v d, ids: *at -> v d",
    infer=lambda weight, ids, *, ord=2.0: TensorSpec(weight.shape, weight.dtype),
    gradients={"weight": nothing},
)
def embedding_renorm(weight: TensorSpec, ids: TensorSpec, *, ord: float = 2.0) -> Work:
    """A table whose rows that ids name are scaled down if their norm of order `ord` is above a limit, as torch does in
    place before a lookup with `max_norm`.

    Counted for each id as if no other had its row and the row were too long, which data decides: the norm as
    vector_norm's, 2 for the scale (plus eps, divide), 1 per element times it, 1 comparison with the limit. Reads the
    ids and their rows, and writes the rows.

    Backward: g itself: torch scales under no_grad.
    """
    rows = TensorSpec((ids.elements, weight.shape[-1]), weight.dtype)
    work = norm_work(rows.elements, ids.elements, ord)
    return Work(
        vector_flops=work.vector_flops + rows.elements + 3 * ids.elements,
        transcendentals=work.transcendentals,
        read_bytes=ids.bytes + rows.bytes,
        write_bytes=rows.bytes,
    )
