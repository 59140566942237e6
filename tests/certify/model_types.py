"""Every model type of the transformers library that has a class, read through graphacct-torch.

`python model_types.py OUT.json` goes on where it stopped; `--part 2/4` does one of four parts, and names do those
alone. Each type's class is built from its default configuration with two layers of each kind, or with all if that is
refused. A row says how far it came (`config`, `build`, `inputs`, `run`, `graph`, `done`), the error, and for one that
is done the parameters and the FLOPs of a forward pass by ours and by torch's counter, with what the counter does not
see: the operators, and their FLOPs by formulas of this folder.

timm, scipy, torchvision and torchaudio, which some classes need, are read from the folder BESIDE in the environment, or
as they are installed. torchvision's compiled operators do not load beside a build of torch that they were not made for,
so their names are defined here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch

sys.path.append(os.environ.get("BESIDE", ""))
OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for operator in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, operator):
        OPERATORS.define(f"{operator}(Tensor boxes, Tensor scores, float threshold) -> Tensor")

from completed import COMPLETED  # noqa: E402  after torchvision's operators
from graphacct_torch.errors import CaptureError  # noqa: E402
from graphacct_torch.measuring.measured import blind_of, counted  # noqa: E402
from graphacct_torch.reading import library  # noqa: E402
from graphacct_torch.reading.inputs import library_inputs  # noqa: E402
from graphacct_torch.reading.read import check_inputs  # noqa: E402
from graphacct_torch.reading.sizes import sizes_of  # noqa: E402
from graphacct_torch.reading.through import dtype_of  # noqa: E402
from graphacct_torch.tracing.graph import traced  # noqa: E402
from shrink import shrunk  # noqa: E402
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES  # noqa: E402
from unseen import unseen  # noqa: E402

import graphacct  # noqa: E402
from graphacct.hooks.manager import default  # noqa: E402

SECONDS = 120
MEMORY = 10 * 2**30
WAYS = (("two", 2), ("all", 2), ("two", 1))
"""The layers of each kind and the inputs at a time that are tried, in turn."""
STAGES = ("config", "build", "inputs", "run", "graph", "done")


def types() -> list[str]:
    """The model types that a class can be made of."""
    return [name for name in CONFIG_MAPPING_NAMES if library.named_by_type(name)]


def row_of(model_type: str) -> dict[str, Any]:
    """What became of one type; with all layers if it is not read with two, and one input if it is not with two. Of
    several that fail, the one that came furthest, and rather that with all layers."""
    rows = []
    for layers, batch in WAYS:
        rows.append(attempt(model_type, layers, batch))
        if rows[-1]["stage"] == "done":
            return rows[-1]
    return max(rows, key=lambda row: (STAGES.index(row["stage"]), row["layers"] == "all"))


def attempt(model_type: str, layers: str, batch: int) -> dict[str, Any]:
    """What became of one type."""
    row: dict[str, Any] = {"stage": "config", "layers": layers, "batch": batch}
    try:
        _read(model_type, row)
    except CaptureError as error:
        row["error"] = str(error).partition(";")[0][:300]
    except Exception as error:  # the library's own, in a configuration
        row["error"] = f"{type(error).__name__}: {error}"[:300]
    return row


def _read(model_type: str, row: dict[str, Any]) -> None:
    config = library.config_of({"model_type": model_type, **COMPLETED.get(model_type, {})})
    config = shrunk(config) if row["layers"] == "two" else config
    row.update(stage="build")
    row["class"] = library.class_of(config).__name__
    try:
        module = library.built(config, "eager")
    except CaptureError:
        module = library.built(config)
    row.update(stage="inputs", params=sum(parameter.numel() for parameter in module.parameters()))
    args, kwargs = library_inputs(module, sizes_of(config, {"batch": row["batch"]}), None)
    check_inputs(module, args, kwargs)
    row["inputs"] = {name: list(v.shape) for name, v in kwargs.items() if isinstance(v, torch.Tensor)}
    row.update(stage="run")
    captured, flops = counted(module, args, kwargs, getattr(torch, dtype_of(config)), training=False)
    row.update(stage="graph", calls=len(captured.calls))
    graph = traced(model_type, captured, default().operators).graph
    report = graphacct.account(graph, convention="matmul", quantities=["matmul_flops", "params"])
    row.update(
        stage="done",
        blind=blind_of(captured),
        ours={"params": int(report.total["params"]), "flops": int(report.total["matmul_flops"])},
        counter=flops.get("", 0),
        unseen=unseen(captured),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--part", default="1/1")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    rows = json.loads(given.out.read_text()) if given.out.exists() else {}
    part, parts = map(int, given.part.split("/"))
    for name in given.names or types()[part - 1 :: parts]:
        if name in rows and not given.names:
            continue
        begun = time.monotonic()
        signal.alarm(SECONDS)
        try:
            rows[name] = row_of(name)
        except TimeoutError:
            rows[name] = {"stage": "build", "error": f"takes more than {SECONDS} seconds"}
        signal.alarm(0)
        rows[name]["seconds"] = round(time.monotonic() - begun, 1)
        print(name, rows[name]["stage"], rows[name].get("error", ""), flush=True)
        given.out.write_text(json.dumps(rows, indent=1))


def _too_long(*_: Any) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
