"""Random small models that read or make sounds: the real ones and graphacct agree to the unit.

`EXAMPLES=random` draws others each time; a failure names the seed and prints the file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import randrange

import pytest
from comparison import accounted, same_parameters
from sounds import CASES, decoding_step, drawn, model_of, modules_of, step

SEEDS = [randrange(2**32) for _ in range(3)] if os.environ.get("EXAMPLES") == "random" else range(2, 4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", CASES)
def test_a_random_configuration(family: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs forward by module, of a training step and of decoding steps; fused attention."""
    case = drawn(family, seed)
    print(json.dumps(case.content))
    (tmp_path / "config.json").write_text(json.dumps(case.content))
    model = model_of(case.content)
    found = accounted(tmp_path, **case.eager, **case.workload)
    same_parameters(found, model)
    given = case.inputs(model)
    measured = modules_of(model, given)
    ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in found.by_scope}
    for path, (flops, _) in tuple(ours.items()):  # a Sequential, whose parts are one row here
        ours.setdefault(path.removesuffix(".*"), [flops, 1])
    ours["(root)"] = [found.total["matmul_flops"], 1]
    for path, row in measured["by_module"].items():
        if len(row) == 3 and ours.get(path) == [row[0], row[2]]:  # modules without products have a row here too
            row[1:] = row[2:]
    assert {path: ours.get(path) for path in measured["by_module"]} == {
        path: row[:2] for path, row in measured["by_module"].items()
    }
    if case.trains:
        trained = accounted(tmp_path, **case.eager, **case.workload, phase="train", loss="sum")
        assert trained.total["step_matmul_flops"] == step(model, given)
    if case.attends and case.fuses:
        fused = accounted(tmp_path, attention="fused", **case.workload)
        assert fused.total["matmul_flops"] == found.total["matmul_flops"]
    if case.cached is not None:
        frames = {key: case.workload[key] for key in ("frames", "samples", "encoder_seq_len") if key in case.workload}
        decoding = accounted(tmp_path, **case.eager, phase="decode", cache_len=case.cached, **frames)
        assert decoding.total["matmul_flops"] == decoding_step(model.eval(), case.cached, given)
