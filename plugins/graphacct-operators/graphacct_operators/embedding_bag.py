"""Table lookups that are added up, bag by bag."""

from typing import Any

from graphacct import OperatorError, Saved, ShapeError, TensorSpec, Work, operator
from graphacct_operators.embedding import check_dense

MODES = ("sum", "mean", "max")


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise OperatorError(f"mode is 'sum', 'mean' or 'max', not {mode!r}")
    return mode


def _bags(ids: TensorSpec, offsets: TensorSpec | None, include_last_offset: bool) -> Any:
    """Returns how many bags there are: rows of ids, or where they begin, the last of which may be an end."""
    if len(ids.shape) == 2 and offsets is None:
        return ids.shape[0]
    if len(ids.shape) == 1 and offsets is not None:
        return offsets.shape[0] - (1 if include_last_offset else 0)
    given = "with" if offsets else "without"
    raise ShapeError(f"ids {list(ids.shape)} {given} offsets: bags are rows of ids, or a list of ids and offsets")


def _summed(
    ids: TensorSpec,
    weight: TensorSpec,
    offsets: TensorSpec | None,
    *,
    mode: str = "mean",
    include_last_offset: bool = False,
) -> TensorSpec:
    _mode(mode)
    return TensorSpec((_bags(ids, offsets, include_last_offset), weight.shape[-1]), weight.dtype)


def _of_weight(
    ids: TensorSpec,
    weight: TensorSpec,
    per_sample_weights: TensorSpec | None,
    out: TensorSpec,
    *,
    mode: str = "mean",
    sparse: bool = False,
) -> Work:
    check_dense(sparse)
    if mode == "max":
        return Work(vector_flops=out.elements)
    scaled = mode == "mean" or per_sample_weights is not None
    return Work(vector_flops=(2 if scaled else 1) * ids.elements * weight.shape[-1])


def _own_offsets(ids: TensorSpec, offsets: TensorSpec | None) -> list[tuple[Any, ...]]:
    return [] if offsets else [(ids.shape[0],)]


def _one_per_bag(ids: TensorSpec, offsets: TensorSpec | None) -> tuple[Any, ...]:
    """Returns one for each bag, and for the last offset, which torch has a place for."""
    return (_bags(ids, offsets, False),)


def _largest(out: TensorSpec, *, mode: str = "mean") -> list[tuple[Any, ...]]:
    return [out.shape] if mode == "max" else []


@operator(
    "ids: *each, weight: v d, offsets?: b, per_sample_weights?: *each -> bags d",
    infer=_summed,
    saves=(
        Saved("ids", "the gradient is scattered to the rows that were read"),
        Saved("weight", "the gradient of a weight multiplies by its row", needed_for="per_sample_weights"),
        Saved("offsets", "where each bag begins"),
        Saved("own_offsets", "where each bag begins, if bags are rows", _own_offsets, "int64"),
        Saved("bag_of", "the bag of each id", lambda ids: (ids.elements,), "int64"),
        Saved("bag_sizes", "the mean's gradient is divided by them", _one_per_bag, "int64"),
        Saved("largest", "the gradient goes to the largest", _largest, "int64"),
        Saved("per_sample_weights", "the gradient is scaled by them"),
    ),
    gradients={
        "weight": _of_weight,
        "per_sample_weights": lambda ids, d: Work(vector_flops=2 * ids.elements * d),
    },
    role="embedding",
)
def embedding_bag(
    ids: TensorSpec,
    d: Any,
    offsets: TensorSpec | None,
    per_sample_weights: TensorSpec | None,
    out: TensorSpec,
    *,
    mode: str = "mean",
    include_last_offset: bool = False,
    sparse: bool = False,
) -> Work:
    """The sum, mean or largest of the rows of a table that each bag names (torch.nn.EmbeddingBag); the rows themselves
    are not written. With `include_last_offset` the last of the offsets is where the last bag ends.

    1 addition or comparison per element of a row that is read, 1 more for its weight; 1 division per output element for
    the mean. Reads the ids and the rows, once each.

    Backward: 1 per element of a row that was read, which is added to the table's; 1 more for the mean or a weight. For
    the largest 1 per output element. 2 per element of a row for its weight: times g, summed. A `sparse` gradient is
    refused.
    """
    rows = ids.elements * d
    flops = rows * (2 if per_sample_weights else 1) + (out.elements if mode == "mean" else 0)
    operands = (ids, offsets, per_sample_weights)
    read = sum(spec.bytes for spec in operands if spec) + TensorSpec((ids.elements, d), out.dtype).bytes
    return Work(vector_flops=flops, read_bytes=read)


def _bag_of_on_cpu(ids: TensorSpec, *, mode: str = "mean") -> list[tuple[Any, ...]]:
    """Returns one more than the ids, which the kernel counts with, and none for a sum."""
    return [] if mode == "sum" else [(ids.elements + 1,)]


def _largest_on_cpu(out: TensorSpec, *, mode: str = "mean") -> tuple[Any, ...]:
    return out.shape if mode == "max" else out.shape[:1]


CPU_SAVES = tuple(
    {
        "bag_of": Saved("bag_of", "the bag of each id, counted up", _bag_of_on_cpu, "int64"),
        "largest": Saved("largest", "the largest's rows; as many as bags for other modes", _largest_on_cpu, "int64"),
    }.get(item.name, item)
    for item in embedding_bag.saves
)
"""What torch's kernel for a CPU keeps (torch 2.13)."""
