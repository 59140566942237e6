"""Rows and elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, axis, given


def embedding(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("embedding", (a["indices"], a["weight"]))


def gathered(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("gather", (a["self"], a["index"]), {"dim": axis(a["dim"], a["self"])})


def index_selected(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("index_select", (a["self"], a["index"]), {"dim": axis(a["dim"], a["self"])})


def masked(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("masked_fill", (a["self"], a["mask"]))


def chosen(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("where", (a["condition"], a["self"], a["other"]))


def indexed(call: CallRecord, a: Arguments) -> Mapped:
    """Elements at several indices, each of a dimension; None takes a dimension whole."""
    indices, dims, count = places(a["self"], a["indices"], call)
    settings: dict[str, Any] = {"dims": dims} | ({} if count is None else {"count": count})
    return Mapped("index", (a["self"], *indices), settings)


def index_put(call: CallRecord, a: Arguments) -> Mapped:
    indices, dims, count = places(a["self"], a["indices"], call)
    settings: dict[str, Any] = {"dims": dims, "accumulate": bool(a["accumulate"])}
    return Mapped(
        "index_put", (a["self"], a["values"], *indices), settings | ({} if count is None else {"count": count})
    )


def places(x: TensorRecord, indices: Sequence[TensorRecord | None], call: CallRecord) -> tuple[Any, Any, Any]:
    """Returns the tensors among indices, the dimension of each, and how many elements a mask among them sets: as many
    as the result has, or the values that are put there."""
    found, dims, dim, count = [], [], 0, None
    for index in indices:
        if index is None:
            dim += 1
            continue
        found.append(index)
        dims.append(dim)
        masks = index.dtype in ("bool", "uint8")
        if masks:
            made = call.outputs[0] if "put" not in call.name else call.arguments["values"]
            count = made.shape[dim] if len(made.shape) > dim else 1
        dim += len(index.shape) if masks else 1
    return tuple(found), tuple(dims), count


def scattered(call: CallRecord, a: Arguments) -> Mapped:
    source = a["src"] if isinstance(a.get("src"), TensorRecord) else None
    return Mapped("scatter", given(a["self"], a["index"], source), {"dim": axis(a["dim"], a["self"])})
