"""What a training step of every type's class saves, measured without data, of the class's defaults with few layers.

`python tests/verify/saved_of_types.py [TYPE...]` measures the types of tests/goldens/saved_of_types.json again, or
those that are named, and writes there what graphacct has to the byte; it prints each with the difference.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from random_keys import defaults, few, stated

import graphacct

GOLDEN = Path(__file__).parents[1] / "goldens" / "saved_of_types.json"


def measured(kind: str, known: dict[str, Any] | None) -> tuple[dict[str, Any], int]:
    """A type's config, its workload and the bytes that its class saves; and graphacct's above those. Those of the
    golden are measured as they stand there."""
    if known is None:
        usual = defaults(kind)
        known = {"config": {"model_type": kind, **stated(few(usual), usual)}, "workload": {"batch": 2}}
    sizes = {key: tuple(size) if isinstance(size, list) else size for key, size in known["workload"].items()}
    found = graphacct.verify_class(known["config"], **sizes)
    saved = next(line for line in found.lines if line.what == "saved_bytes")
    return {**known, "workload": dict(found.workload), "saved_bytes": saved.theirs}, saved.difference


def main(kinds: list[str]) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    types: dict[str, Any] = json.loads(GOLDEN.read_text())["types"]
    for kind in kinds or sorted(types):
        try:
            row, above = measured(kind, types.get(kind))
        except graphacct.GraphacctError as error:
            print(kind, error)
            continue
        print(kind, above, flush=True)
        if not above:
            types[kind] = row
    lines = ",\n".join(f"  {json.dumps(kind)}: {json.dumps(types[kind])}" for kind in sorted(types))
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "device": "fake, as a CPU"}
    GOLDEN.write_text(f'{{{json.dumps(versions)[1:-1]},\n "types": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
