"""A comparison with a checkpoint as a sheet and as plain values."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct.checkpoints.verify import MTP, QUANTISED, Verification
from graphacct.render.printable import printable
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.units import params

SCHEMA = "graphacct.verification/1"


def sheet(found: Verification, checkpoint: str) -> Sheet:
    """Returns one line for each tensor that differs."""
    size = f"{found.tensors:,} tensors, {params(found.params)} parameters in {printable(checkpoint)}"
    further = sum(item.kind == MTP for item in found.differences)
    count = len(found.differences) - further
    differ = f"{count:,} tensor differs" if count == 1 else f"{count:,} tensors differ"
    packed = ", and bytes of quantised weights," if QUANTISED in found.conversions else ""
    verdict = f"names and shapes{packed} are equal" if found.equal else differ
    lines = [
        Line((printable(item.name), item.kind, item.model or "–", item.checkpoint or "–"), printable(item.name))
        for item in found.differences
    ]
    columns = (Column("Tensor"), Column("Differs", rank=1), Column("Model"), Column("Checkpoint"))
    read = tuple(f"{printable(how)}: {count:,} tensors" for how, count in found.conversions.items())
    if further:
        of = "1 tensor is" if further == 1 else f"{further:,} tensors are"
        read += (f"{of} of multi-token-prediction layers, which the model's class leaves out",)
    return Sheet(
        printable(found.model), size, columns, tuple(lines), notes=(*read, verdict), rest="use the format json"
    )


def to_dict(found: Verification) -> dict[str, Any]:
    """Returns the comparison as plain values: see docs/json.md."""
    return {
        "schema": SCHEMA,
        "model": found.model,
        "equal": found.equal,
        "tensors": found.tensors,
        "params": found.params,
        "conversions": dict(found.conversions),
        "differences": [attrs.asdict(item) for item in found.differences],
    }
