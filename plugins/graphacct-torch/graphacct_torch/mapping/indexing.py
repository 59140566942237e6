"""Rows and elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule, axis, given


def embedding(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("embedding", (a["indices"], a["weight"]), {"sparse": True} if a["sparse"] else {})


def gathered(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("gather", (a["self"], a["index"]), {"dim": axis(a["dim"], a["self"])})


def line(index: TensorRecord) -> TensorRecord | Mapped:
    """An index of slices as a row, which one alone may not be."""
    return index if index.shape else Mapped("reshape", (index,), {"shape": (1,)})


def index_selected(call: CallRecord, a: Arguments) -> Mapped:
    dim = axis(a["dim"], a["self"])
    if not a["self"].shape:  # a number has one slice, itself
        return Mapped("reshape", (a["self"],), {"shape": ()})
    return Mapped("index_select", (a["self"], line(a["index"])), {"dim": dim})


def of_slices(operator: str, **settings: str) -> Rule:
    """Returns the rule of an operator that writes slices at an index; `settings` are attributes that are arguments."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        attributes = {"dim": axis(a["dim"], a["self"])} | {name: a[argument] for name, argument in settings.items()}
        source = a.get("source")
        operands = (a["self"], line(a["index"])) + (() if source is None else (source,))
        return Mapped(operator, operands, attributes)

    return rule


def masked(call: CallRecord, a: Arguments) -> Mapped:
    value = a["value"] if isinstance(a["value"], TensorRecord) else None
    return Mapped("masked_fill", given(a["self"], a["mask"], value))


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


def selected_by_mask(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("masked_select", (a["self"], a["mask"]), {"count": call.outputs[0].shape[0]})


def places_set(call: CallRecord, a: Arguments) -> Mapped:
    """`nonzero`, where the size of its result is known."""
    return Mapped("nonzero", (a["self"],), {"count": call.outputs[0].shape[0]})


def best_place(operator: str) -> Rule:
    """The index of the largest or smallest: along a dimension, or of all elements in a row."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        x = a["self"]
        found = Mapped(operator, (x,), {"dim": None if a["dim"] is None else axis(a["dim"], x)})
        return found if not a["keepdim"] else Mapped("reshape", (found,), {"shape": call.outputs[0].shape})

    return rule


BAGS = ("sum", "mean", "max")


def bags(call: CallRecord, a: Arguments) -> Mapped:
    """Rows of a table, added up by bag."""
    operands = given(a["indices"], a["weight"], a["offsets"], a["per_sample_weights"])
    last = {"include_last_offset": True} if a["include_last_offset"] else {}
    sparse = {"sparse": True} if a["sparse"] else {}
    return Mapped("embedding_bag", operands, {"mode": BAGS[a["mode"]]} | last | sparse)
