"""How graph JSON says how a parameter is stored: the bytes of each tensor's blocks, so that no format need be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct.dims import check_dim
from graphacct.errors import ConfigError, GraphError, ReadError, brief, suggest
from graphacct.graph.weight_format import StoredTensor, StoredWeight, WeightFormat

KEYS = ("format", "tensors", "rows", "columns", "matrices", "lookup", "dtype", "direct_rows", "keeps_input")
TENSOR_KEYS = ("name", "bytes", "rows", "columns", "flat", "padded")


def to_dict(stored: StoredWeight, where: str) -> dict[str, Any]:
    """Returns how a parameter is stored as plain values. Raises GraphError for a size that is no number."""
    sizes = {"rows": stored.rows, "columns": stored.columns, "matrices": stored.matrices}
    for name, size in sizes.items():
        if type(size) is not int:
            raise GraphError(
                f"{where!r} has {name} {size}, which is no number: build the model with numbers to save it"
            )
    format_ = stored.format
    tensors = [
        {
            "name": tensor.name,
            "bytes": tensor.bytes,
            "rows": tensor.rows,
            "columns": tensor.columns,
            **({"flat": True} if tensor.flat else {}),
            **({"padded": True} if tensor.padded else {}),
        }
        for tensor in format_.tensors
    ]
    return {
        "format": format_.name,
        "tensors": tensors,
        **sizes,
        **({"lookup": True} if stored.lookup else {}),
        **({"dtype": format_.dtype} if format_.dtype else {}),
        **({} if format_.direct_rows is None else {"direct_rows": format_.direct_rows}),
        **({"keeps_input": True} if format_.keeps_input else {}),
    }


def from_dict(content: Any, where: str, elements: Any) -> StoredWeight | None:
    """Returns how a parameter of so many `elements` is stored; None if the file says nothing.

    Raises ReadError, which names the parameter and the key, for what is no such description.
    """
    if content is None:
        return None
    item = _object(content, KEYS, where)
    tensors = item.get("tensors")
    if not isinstance(item.get("format"), str) or not isinstance(tensors, list) or not tensors:
        raise ReadError(f"{where}: 'weights' has a format, a text, and tensors, a list that is not empty")
    made = []
    for entry in tensors:
        tensor = _object(entry, TENSOR_KEYS, f"{where}: a tensor of 'weights'")
        if not isinstance(tensor.get("name"), str):
            raise ReadError(f"{where}: a tensor of 'weights' has a name, a text, not {brief(tensor.get('name'))}")
        size, rows, columns = (_size(tensor, key, where, key == "bytes") for key in ("bytes", "rows", "columns"))
        flat, padded = bool(tensor.get("flat")), bool(tensor.get("padded"))
        made.append(StoredTensor(tensor["name"], size, rows, columns, flat, padded))
    direct = None if item.get("direct_rows") is None else _size(item, "direct_rows", where, 0)
    format_ = WeightFormat(
        item["format"], tuple(made), str(item.get("dtype") or ""), direct, False, bool(item.get("keeps_input"))
    )
    rows, columns, matrices = (_size(item, key, where, 1) for key in ("rows", "columns", "matrices"))
    stored = StoredWeight(format_, rows, columns, matrices, bool(item.get("lookup")))
    if stored.elements != elements:
        raise ReadError(f"{where}: 'weights' has {stored.elements:,} elements, and its shape {elements:,}")
    try:
        return stored.check(where)
    except ConfigError as error:
        raise ReadError(str(error)) from error


def _object(content: Any, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise ReadError(f"{where}: {brief(content)} is no object of 'weights'")
    strange = next((key for key in content if key not in keys), None)
    if strange is not None:
        raise ReadError(f"{where}: 'weights' has an unknown key {strange!r}{suggest(strange, keys)}")
    return content


def _size(item: Mapping[str, Any], key: str, where: str, least: int) -> int:
    value = item.get(key)
    if type(value) is not int:
        raise ReadError(f"{where}: {key!r} of 'weights' is an integer, not {brief(value)}")
    try:
        return int(check_dim(value, f"{where}: {key!r} of 'weights'", least))
    except ConfigError as error:
        raise ReadError(str(error)) from error
