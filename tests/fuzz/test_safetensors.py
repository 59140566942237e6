"""Headers of safetensors files with anything in them: the tensors, or an error that names the file."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

from cases import cases, damage_bytes, damage_json

from graphacct.checkpoints.safetensors import tensors

HEADER = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]},
    "c": {"dtype": "F4", "shape": [4], "data_offsets": [16, 18]},
    "d": {"dtype": "I64", "shape": [0, 5], "data_offsets": [18, 18]},
}


def test_damaged_headers(quick: Path) -> None:
    """Whatever stands in the file."""
    file = quick / "damaged.safetensors"
    index = quick / "damaged.safetensors.index.json"

    def read_damaged(rng: random.Random) -> None:
        header = copy.deepcopy(HEADER)
        kind = rng.randrange(8)
        for _ in range(rng.randrange(0 if kind < 3 else 1, 3)):
            header = damage_json(rng, header)
        text = json.dumps(header).encode()
        data = len(text).to_bytes(8, "little") + text + bytes(18)
        if kind < 3:
            data = damage_bytes(rng, data)
        file.write_bytes(data)
        if kind == 7:
            shards = damage_json(rng, {"metadata": {}, "weight_map": {"a": file.name, "b": file.name}})
            index.write_text(json.dumps(shards))
            tensors(index)
        else:
            tensors(file)

    cases("safetensors", read_damaged)
