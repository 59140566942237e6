"""Stacks of layers that are not all alike, checkpointed by the transformers library and measured: what is kept, and the
most that is alive.

`python tests/verify/checkpointing.py [NAME...]` measures the models of tests/goldens/checkpointing, each in a folder
with its config.json, and writes truth.json beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from activations import SIZES, inputs, kept, logits, model_of, peaks

FOLDERS = Path(__file__).parents[1] / "goldens" / "checkpointing"
EAGER_ONLY = ("gemma2", "gpt_neo", "gpt_oss")
"""Models for which the library has no fused attention on a CPU."""


def runs(folder: Path) -> Iterator[dict[str, Any]]:
    """The runs of a model, without what is measured."""
    for dtype in ("float32", "bfloat16"):
        for attention in ("eager",) if folder.name in EAGER_ONLY else ("eager", "fused"):
            for batch, size in SIZES:
                sizes = {"batch": batch, "size": size}
                yield {"dtype": dtype, "attention": attention, "dropout": 0.0, "checkpointing": True, **sizes}


def measure(folder: Path, run: dict[str, Any]) -> dict[str, int]:
    """What a run keeps up to the logits, and its peaks with their sum as the loss."""
    model = model_of(folder, run)
    given = inputs(model, run)
    model(**given)  # what is imported at the first call is none of the model's
    rows = kept(model, given, logits)
    forward, step = peaks(model, given, lambda output: logits(output).sum())
    return {"kept": sum(size for size, *_ in rows), "forward_peak": forward, "step_peak": step}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or sorted(path.name for path in FOLDERS.iterdir()):
        measured = [{**run, **measure(FOLDERS / name, run)} for run in runs(FOLDERS / name)]
        versions = {"torch": torch.__version__, "transformers": transformers.__version__, "device": "cpu"}
        lines = ",\n".join(f"  {json.dumps(run)}" for run in measured)
        head = json.dumps(versions)[1:-1]
        (FOLDERS / name / "truth.json").write_text(f'{{{head},\n "runs": [\n{lines}\n]}}\n')
