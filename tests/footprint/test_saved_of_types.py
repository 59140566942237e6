"""What a training step saves of every type's class, with its defaults and few layers, against what torch saves.

tests/goldens/saved_of_types.json was measured by tests/verify/saved_of_types.py. Every fifth is compared here, and all
of them with EXAMPLES=random, as `make fuzz` has it.
"""

import json
import os

import pytest
import runs

import graphacct
from graphacct.footprint.activations import Activations
from graphacct.hooks.manager import default

TYPES = json.loads((runs.GOLDENS / "saved_of_types.json").read_text())["types"]
LARGE = ("afmoe", "clap", "efficientnet", "florence2", "swin2sr")
"""Those that take a second each."""
SOME = [name for name in TYPES if " " in name] + [name for name in list(TYPES)[::5] if name not in LARGE]


@pytest.mark.parametrize("name", TYPES if os.environ.get("EXAMPLES") == "random" else dict.fromkeys(SOME))
def test_a_type_saves_what_torch_saves(name):
    """Up to the sum of the outputs, with attention written out: equal to the byte."""
    row, plugins = TYPES[name], default()
    sizes = {key: tuple(size) if isinstance(size, list) else size for key, size in row["workload"].items()}
    graph = graphacct.build(row["config"], phase="train", loss="sum", **sizes)
    profile = plugins.profiles["torch-eager-cpu"]
    step = Activations(graph, plugins.operators, profile, lambda parameter: parameter.trainable)
    assert step.saved_bytes == row["saved_bytes"]
