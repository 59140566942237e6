"""Equal to the unit with what torch measured on the real models (goldens/README.md says how)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from each import each

import graphacct
from graphacct.hooks.manager import default
from graphacct.models.find import preset, presets

GOLDENS = Path(__file__).parents[3] / "tests" / "goldens"
CASES = {
    "gpt2": "gpt2",
    "gpt2-medium": "gpt2-medium",
    "gpt2-large": "gpt2-large",
    "gpt2-xl": "gpt2-xl",
    "transformer-lm-small-dff6400": "transformer-lm-small",
    "transformer-lm-medium-dff6400": "transformer-lm-medium",
    "transformer-lm-medium-dff4d": "",
    "transformer-lm-large-dff6400": "transformer-lm-large",
    "transformer-lm-xl-dff6400": "transformer-lm-xl",
}
"""Each measured model, and the preset that is the same; one configuration has none."""

ATEN = {"linear_in_out": "aten.addmm", "linear": "aten.mm", "matmul": "aten.bmm"}
"""The kernel that each operator of these models runs as: Conv1D has a bias (addmm), the other linear layers none."""


@cache
def truth(case: str) -> dict[str, Any]:
    return json.loads((GOLDENS / case / "truth.json").read_text())


def sizes(case: str) -> dict[str, Any]:
    """The keys of the case's config.json that the architecture knows, under the file's own spelling."""
    config = json.loads((GOLDENS / case / "config.json").read_text())
    architecture = default().architectures[config["model_type"]].load()
    keys = {field.name for field in attrs.fields(architecture.config)}
    return {key: value for key, value in config.items() if architecture.aliases.get(key, key) in keys}


def model(case: str) -> str:
    """The architecture that the case's config.json names."""
    return json.loads((GOLDENS / case / "config.json").read_text())["model_type"]


@cache
def report(case: str, batch: int, seq: int, attention: str = "eager") -> graphacct.Report:
    options: dict[str, Any] = {"batch": batch, "seq_len": seq, "attention": attention, "set": sizes(case)}
    return graphacct.account(model(case), convention="matmul", **options)


def forwards() -> list[Any]:
    return [
        pytest.param(case, row, id=f"{case}-{row['batch']}x{row['seq']}")
        for case in CASES
        for row in truth(case)["forward"]
    ]


def test_every_case_is_in_the_table() -> None:
    """A measured model that no test reads would be dead weight: the table names every folder that has a truth."""
    measured = {path.parent.name for path in GOLDENS.glob("*/truth.json")}
    # the tests of saved storages, inference, lora, quantised bases and latent attention have those
    elsewhere = ("act-", "open_clip", "peft", "sentences", "timm", "inference-", "lora-", "qlora-", "absorbed")
    assert {name for name in measured if not name.startswith(elsewhere)} == set(CASES)


@each("case", [case for case, name in CASES.items() if name])
def test_a_preset_is_the_published_configuration(case: str) -> None:
    """A preset's configuration is what the published config.json says, key by key."""
    found = preset(CASES[case], default())
    assert found is not None
    architecture, config = found
    assert architecture.configure(architecture.config(), sizes(case)) == config


def test_every_preset_is_measured() -> None:
    """No preset of these two families stands without a measured model behind it."""
    families = ("gpt2", "transformer-lm")
    named = {name for name, architecture in presets().items() if architecture.name in families}
    assert named - {"transformer-lm"} == set(CASES.values()) - {""}


@each("case", CASES)
def test_parameters(case: str) -> None:
    """The checkpoint's tensors: every name, shape and count, tied ones once in the total and marked by name."""
    expected = truth(case)["params"]
    rows = report(case, 1, 128).by_parameter
    own = [row for row in rows if not row.parameter.tied_to and not row.parameter.buffer]
    ours: dict[str, dict[str, Any]] = {
        row.parameter.name: {
            "params": row.parameter.spec.elements * row.count,
            "tensors": row.count,
            "shape": list(row.parameter.spec.shape),
        }
        for row in own
    }
    assert ours == expected["by_parameter_pattern"]
    assert report(case, 1, 128).total["params"] == expected["total"] == sum(row["params"] for row in ours.values())
    assert not any(row.parameter.buffer for row in rows), "the tables of these models are constants, no saved buffers"
    everything = sum(row.parameter.spec.elements * row.count for row in rows)
    assert everything == expected["total_without_dedup"]
    assert sorted(row.parameter.name for row in rows if row.parameter.tied_to) == expected["tied_names"]
    assert report(case, 1, 128).total["param_bytes"] == 4 * expected["total"], "4 bytes a parameter in float32"


@each("case, row", forwards())
def test_forward_flops(case: str, row: dict[str, Any]) -> None:
    """The total is what torch's counter measured, with attention written out and fused alike."""
    eager = report(case, row["batch"], row["seq"])
    fused = report(case, row["batch"], row["seq"], "fused")
    assert eager.total["matmul_flops"] == eager.total["flops"] == row["total"]
    assert fused.total["matmul_flops"] == row["total"]
    assert eager.coverage.costed == eager.coverage.total


@pytest.mark.parametrize(("case", "row"), [param for param in forwards() if "by_module" in param.values[1]])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_forward_flops_by_module(case: str, row: dict[str, Any], attention: str) -> None:
    """Every module has its measured FLOPs, and no module that the counter saw nothing in has any."""
    ours = report(case, row["batch"], row["seq"], attention)
    by_path = {scope.path: [scope.values["matmul_flops"], scope.repeat] for scope in ours.by_scope}
    by_path["(root)"] = [ours.total["matmul_flops"], 1]
    measured = row["by_module"]
    assert {path: by_path[path] for path in measured} == measured
    # What a module does without a module of its own (the two products of attention) has a path that torch has not.
    functions = {scope.path for scope in ours.by_scope if scope.operator in ("matmul", "scaled_dot_product_attention")}
    others = {path: figures for path, (figures, _) in by_path.items() if path not in measured and figures}
    assert set(others) == functions


@each("case, row", forwards())
def test_forward_flops_by_operator(case: str, row: dict[str, Any]) -> None:
    """The operators have the FLOPs of the kernels that they run as."""
    ours = report(case, row["batch"], row["seq"])
    flops = {ATEN[line.path]: line.values["flops"] for line in ours.by_operator if line.values["flops"]}
    assert flops == row["by_op"]


@each("case, row", forwards())
def test_logits_shape(case: str, row: dict[str, Any]) -> None:
    """The graph's output has the shape of the measured logits."""
    graph = report(case, row["batch"], row["seq"]).annotated.graph
    outputs = row["outputs"]
    measured = outputs["logits"][0] if isinstance(outputs, dict) else outputs[0]
    assert [list(value.spec.shape) for value in graph.outputs] == [measured]


@pytest.mark.parametrize("case", [case for case in CASES if "prefill_last_logit" in truth(case)])
@pytest.mark.parametrize("phase", ["forward", "prefill"])
def test_logits_of_the_last_position_alone(case: str, phase: str) -> None:
    """The head sees one position of each sequence."""
    row = truth(case)["prefill_last_logit"]
    sizes_ = {"batch": row["batch"], "seq_len": row["seq"], "attention": "eager", "set": sizes(case)}
    found = graphacct.account(model(case), convention="matmul", phase=phase, logits="last", **sizes_)
    assert found.total["matmul_flops"] == row["total"]
    assert list(found.annotated.graph.outputs[0].spec.shape) == row["logits"]


def test_nanogpt_sizing() -> None:
    """nanoGPT's notebook prints the same figures for GPT-2 124M at 1,024 tokens, component by component."""
    published = json.loads((GOLDENS / "published" / "nanogpt_gpt2_sizing.json").read_text())
    ours = graphacct.account("gpt2", attention="eager", convention="matmul", seq_len=1024)
    paths = {
        "attention_kqv": "attn.c_attn",
        "attention_scores": "attn.scores",
        "attention_reduce": "attn.values",
        "attention_proj": "attn.c_proj",
        "attention": "attn",
        "mlp_ffw1": "mlp.c_fc",
        "mlp_ffw2": "mlp.c_proj",
        "mlp": "mlp",
    }
    flops = published["flops"]
    layers = 12  # the notebook prints one layer, a row of ours is all twelve
    for key, path in paths.items():
        assert ours[f"transformer.h.*.{path}"].values["flops"] == layers * flops[key], key
    assert ours["transformer.h.*"].values["flops"] == layers * flops["block"] == flops["transformer"]
    assert ours["lm_head"].values["flops"] == flops["dense"]
    assert ours.total["flops"] == flops["forward_total"]
    weights = [row for row in ours.by_parameter if not row.parameter.name.endswith(".bias")]
    own = sum(row.parameter.spec.elements * row.count for row in weights if not row.parameter.tied_to)
    assert own == published["params"]["total"], "the notebook's model has no biases"
