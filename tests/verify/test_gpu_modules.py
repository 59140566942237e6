"""Captured modules under torch-eager-cuda, beside what an H100 measured of them (tests/goldens/gpu_steps).

What autograd saves, and the most that is alive by storages, in the forward pass and in the step, to the byte.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gpu_expected import loaded_plugins
from gpu_modules import Case, cases, expected

MEASURED = {
    row["case"]: row["measured"]
    for row in json.loads((Path(__file__).parents[1] / "goldens" / "gpu_steps" / "h100_modules.json").read_text())[
        "cases"
    ]
}
FIGURES = ("saved", "forward_storages", "step_storages")
HELD = "q and k are variables of the module's function, and on a CPU, where autograd saves them, nothing shows that"
APART = {
    "gru_cell_loop": (FIGURES, "on a GPU a GRU cell is one kernel, with a workspace"),
    "autocast_inside": (FIGURES, "its code names the CPU's autocast, which casts nothing on a GPU"),
    "bahdanau": (FIGURES, "on a GPU a recurrent layer is cuDNN's, with a workspace"),
    "lstm": (FIGURES, "cuDNN's LSTM keeps a workspace of its own"),
    "attention, heads of 20, bfloat16": (("forward_storages",), HELD),
    "attention, heads of 20, float16": (("forward_storages",), HELD),
    "attention, heads of 18, bfloat16": (("forward_storages",), HELD),
}
"""The figures that differ, with the reason."""


@pytest.mark.parametrize("case", [case for case in cases() if case.title in MEASURED], ids=lambda case: case.title)
def test_a_captured_step_is_the_measured_one(case: Case) -> None:
    figures, measured = expected(case, "cuda", loaded_plugins())[0], MEASURED[case.title]
    differing = tuple(figure for figure in FIGURES if figures[figure] != measured[figure])
    assert differing == APART.get(case.title, ((), ""))[0]
