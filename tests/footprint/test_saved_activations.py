"""What a training step saves, of every family and in the shapes that change it, against torch on a CPU.

tests/goldens/saved_activations.json was measured by tests/verify/saved_activations.py.
"""

import json

import pytest
import runs

import graphacct
from graphacct.footprint.activations import Activations
from graphacct.hooks.manager import default
from graphacct.training.recompute import find_policy, recompute_plan

SHAPES = json.loads((runs.GOLDENS / "saved_activations.json").read_text())["shapes"]
SIZES = ("batch", "seq_len", "encoder_seq_len", "image_size")
WITHOUT_ATTENTION = ("resnet", "convnext", "mamba", "mamba2")
DEEPSEEK = dict.fromkeys(("bfloat16 eager", "bfloat16 fused"), 2 * 4 * 48 * 4)
"""Since 5.24 the library has the router's weight in float32 itself; before, two layers of experts each save a copy."""
DIFFERENT: dict[str, dict[str, int]] = {
    **dict.fromkeys(("deepseek_v2", "deepseek_v2 groups", "deepseek_v3"), DEEPSEEK),
    "t5 single": {
        f"{dtype} {attention} checkpointed": (2 if dtype == "bfloat16" else 4) * 4 * (12 * 12 + 20 * 20 + 20 * 12)
        for dtype in ("float32", "bfloat16")
        for attention in ("eager", "fused")
    },  # biases by distance of 4 heads, of both stacks and between them: the one layer that reads them makes them again
    "mamba": {"bfloat16 eager": -70464},
    "mamba2": {"float32 eager": -2496, "bfloat16 eager": -32832, "bfloat16 eager checkpointed": 1920},
    "mamba2 whole chunks": {"bfloat16 eager": -27360, "bfloat16 eager checkpointed": 1920},
    "jamba": {
        **dict.fromkeys(("bfloat16 eager", "bfloat16 fused"), -63072),
        **dict.fromkeys(("bfloat16 eager checkpointed", "bfloat16 fused checkpointed"), 3840),
    },
}
"""The runs that are not equal: graphacct's bytes above torch's. Runs may leave this table, and none may come in."""


def saved(name, folder):
    """The bytes that each run of a shape saves, by the golden's names of runs."""
    shape, plugins, found = SHAPES[name], default(), {}
    family = name.split()[0]
    (folder / "config.json").write_text(json.dumps(shape["config"]))
    sizes = {key: shape[key] for key in SIZES if key in shape}
    for label in shape["saved_bytes"]:
        dtype, kind, *again = label.split()
        if not again:
            attention = {} if family in WITHOUT_ATTENTION else {"attention": kind}
            graph = graphacct.build(folder, phase="train", loss="sum", dtype=dtype, **attention, **sizes)
        policy = find_policy("full" if again else "none", plugins.recompute_policies)
        plan = recompute_plan(graph, policy, plugins.operators)
        profile = plugins.profiles["torch-eager-cpu"]
        step = Activations(graph, plugins.operators, profile, lambda parameter: parameter.trainable, plan)
        found[label] = step.saved_bytes
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_every_family_saves_what_torch_saves(name, tmp_path):
    """Up to the sum of the outputs, in float32 and bfloat16, with attention written out and fused, and with each layer
    checkpointed: equal to the byte, but for the runs of the table."""
    truth = SHAPES[name]["saved_bytes"]
    found = {label: size - truth[label] for label, size in saved(name, tmp_path).items()}
    assert {label: size for label, size in found.items() if size} == DIFFERENT.get(name, {})


def test_few_runs_are_not_equal():
    """How many of the runs differ, and that the table names shapes that exist."""
    assert set(DIFFERENT) <= set(SHAPES)
    assert sum(map(len, DIFFERENT.values())) <= 20


def test_every_family_is_measured():
    """Every model_type that the installed architectures read has a shape, but those that no transformers class has."""
    families = {name for found in default().architectures.values() for name in found.model_types}
    older = {"RefinedWeb", "RefinedWebModel", "phi-msft", "mixformer-sequential", "stablelm_epoch"}
    assert families - older - {"transformer-lm", "transformer_lm"} <= {name.split()[0] for name in SHAPES}
