"""Safetensors files for tests: a header that agrees with the file, whose data are a hole."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

BYTES = {"F32": 4, "BF16": 2, "F16": 2, "U16": 2, "U8": 1, "I8": 1, "F8_E4M3": 1, "I32": 4, "I64": 8}


def placed(entries: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The entries with their places, one behind the other, and the bytes of all."""
    found: dict[str, Any] = {}
    end = 0
    for name, entry in entries.items():
        if name == "__metadata__":
            found[name] = entry
            continue
        start, end = end, end + BYTES[entry["dtype"]] * math.prod(entry["shape"])
        found[name] = {**entry, "data_offsets": [start, end]}
    return found, end


def save(path: Path, entries: dict[str, Any]) -> Path:
    """Writes a file with these tensors."""
    header, size = placed(entries)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)
    return path
