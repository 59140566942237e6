"""GGUF files for tests: headers, whose tensors' data are a hole or left out."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from graphacct.readers.ggml_types import GGML_TYPES

NUMBERS = {kind.name: number for number, kind in GGML_TYPES.items()}


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(item: Any) -> bytes:
    """A value, with its type in front."""
    if isinstance(item, bool):
        return struct.pack("<IB", 7, item)
    if isinstance(item, int):
        return struct.pack("<II", 4, item) if item >= 0 else struct.pack("<Ii", 5, item)
    if isinstance(item, float):
        return struct.pack("<If", 6, item)
    if isinstance(item, str):
        return struct.pack("<I", 8) + text(item)
    kind = 8 if item and isinstance(item[0], str) else 4
    values = b"".join(text(each) if kind == 8 else struct.pack("<I", each) for each in item)
    return struct.pack("<IIQ", 9, kind, len(item)) + values


def written(metadata: Mapping[str, Any], tensors: Mapping[str, tuple[Sequence[int], str]], version: int = 3) -> bytes:
    """A header: `tensors` has sizes, the innermost first, and ggml's type by name."""
    parts = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(metadata))]
    parts += [text(key) + value(item) for key, item in metadata.items()]
    end = 0
    for name, (sizes, kind) in tensors.items():
        found = GGML_TYPES[NUMBERS[kind]]
        place = -(-end // 32) * 32
        parts.append(text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, NUMBERS[kind], place))
        end = place + prod(sizes) // found.block * found.bytes
    return b"".join(parts)


def save(path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, tuple[Sequence[int], str]]) -> Path:
    """Writes a header alone."""
    path.write_bytes(written(metadata, tensors))
    return path
