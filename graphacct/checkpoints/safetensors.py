"""The header of a safetensors file: names, dtypes and shapes of a checkpoint's tensors, without its data. A file whose
header does not agree with its length is refused.

A file begins with the header's length, 8 bytes little-endian, and the header, a JSON object of the
tensors by name. A sharded checkpoint has an index that says in which file each tensor is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from graphacct.dims import MAX_DIM
from graphacct.errors import ReadError, brief, suggest
from graphacct.files import read_json
from graphacct.tensors import DTYPE_BITS, TensorSpec

MOST_BYTES = 100 * 2**20
"""The longest header that is read, in bytes: the limit of the format's own reader."""
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F4": "float4_e2m1fn",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


def tensors(path: str | os.PathLike[str]) -> dict[str, TensorSpec]:
    """Returns the tensors of a checkpoint by name: of one file, of the files that an index names, or of a folder with
    either.

    Raises ReadError, which names the file, for a file that is not safetensors, and for a missing shard.
    """
    file = Path(path)
    if os.path.isdir(file):
        found = [file / name for name in (INDEX, SINGLE) if os.path.isfile(file / name)]
        if not found:
            raise ReadError(f"{file}: has neither {INDEX} nor {SINGLE}")
        file = found[0]
    if os.path.exists(file) and not os.path.isfile(file):
        raise ReadError(f"{file}: is no file")
    if file.suffix != ".json":
        return _header(file)
    try:
        index = read_json(file, MOST_BYTES, pairs=_once)
    except Twice as error:
        raise ReadError(f"{file}: has {brief(error.args[0])} twice") from error
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise ReadError(f"{file}: is no index of a sharded checkpoint: it has no weight_map from names to files")
    headers = {name: _header(_shard(file, name)) for name in dict.fromkeys(shards.values())}
    missing = [name for name, shard in shards.items() if name not in headers[shard]]
    if missing:
        raise ReadError(f"{file}: {missing[0]!r} is not in {shards[missing[0]]}")
    return {name: headers[shard][name] for name, shard in shards.items()}


def _shard(index: Path, name: str) -> Path:
    """Returns the file that an index names and that lies in the index's folder or below it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ReadError(f"{index}: {brief(name)} is no file in the index's folder")
    return index.parent / path


def _header(file: Path) -> dict[str, TensorSpec]:
    if os.path.exists(file) and not os.path.isfile(file):
        raise ReadError(f"{file}: is no file")
    try:
        size = os.path.getsize(file)
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > min(MOST_BYTES, size - 8):
                raise ReadError(f"{file}: is no safetensors file: it says that its header has {length:,} bytes")
            text = stream.read(length)
    except OSError as error:
        raise ReadError(f"{file}: cannot be read: {error.strerror or error}") from error
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except Twice as error:
        raise ReadError(f"{file}: is no safetensors file: its header has {brief(error.args[0])} twice") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{file}: is no safetensors file: its header is no JSON") from error
    if not isinstance(content, dict):
        raise ReadError(f"{file}: is no safetensors file: its header is {brief(content)}")
    if not text.startswith(b"{"):
        raise ReadError(f"{file}: is no safetensors file: its header begins with {brief(text[:8])}, not with a brace")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ReadError(f"{file}: its __metadata__ is {brief(metadata)}, not a mapping of texts")
    specs = {name: _spec(file, name, item) for name, item in content.items()}
    _check_places(file, specs, {name: item.get("data_offsets") for name, item in content.items()}, size - 8 - length)
    return specs


class Twice(Exception):
    """A key that a JSON object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Twice(name)
            seen.add(name)
    return found


def _check_places(file: Path, specs: Mapping[str, TensorSpec], places: Mapping[str, Any], size: int) -> None:
    """Raises ReadError unless the tensors lie one behind the other in the `size` bytes of data: each as long as its
    shape says, none over another, nothing between them or behind them. The format's own reader asks for the same."""
    for name, place in places.items():
        if not (isinstance(place, list) and len(place) == 2 and all(type(at) is int and at >= 0 for at in place)):
            raise ReadError(f"{file}: tensor {brief(name)} has the data_offsets {brief(place)}, not a begin and an end")
    start = 0
    for name, (begin, end) in sorted(places.items(), key=lambda item: item[1]):
        if begin != start:
            what = "overlaps the tensor before it" if begin < start else "leaves bytes before it that are no tensor's"
            raise ReadError(f"{file}: tensor {brief(name)} begins at {begin:,} and not at {start:,}: it {what}")
        bits = specs[name].elements * DTYPE_BITS[specs[name].dtype]
        if bits % 8 or end - begin != bits // 8:
            own = f"{bits:,} bits, no whole number of bytes," if bits % 8 else f"{bits // 8:,}"
            shown = f"{end - begin:,} bytes by its data_offsets and {own} by its shape and dtype"
            raise ReadError(f"{file}: tensor {brief(name)} has {shown}")
        start = end
    if start != size:
        what = "is cut off" if size < start else "has data that are no tensor's"
        raise ReadError(f"{file}: {what}: its tensors have {start:,} bytes, and {size:,} follow the header")


def _spec(file: Path, name: str, item: Any) -> TensorSpec:
    shape, dtype = (item.get("shape"), item.get("dtype")) if isinstance(item, Mapping) else (None, None)
    whole = isinstance(shape, list) and all(type(size) is int and 0 <= size <= MAX_DIM for size in shape)
    if isinstance(dtype, str) and whole and dtype not in DTYPES:
        raise ReadError(f"{file}: tensor {name!r} has the dtype {brief(dtype)}{suggest(dtype, DTYPES)}")
    if shape is None or not whole or not isinstance(dtype, str):
        raise ReadError(f"{file}: tensor {name!r} is {brief(item)}, not a dtype and a shape")
    return TensorSpec(tuple(shape), DTYPES[dtype])
