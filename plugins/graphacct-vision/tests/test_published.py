"""The transformers library's ResNet and ConvNeXt, read from a config.json, against what torch measured."""

import importlib
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import graphacct_vision
import pytest

import graphacct
from graphacct import Report, prod
from graphacct.graph.paths import pattern

GOLDENS = Path(__file__).parent / "goldens"
CASES = {
    "resnet-50": "hf-resnet-50",
    "convnext-tiny-224": "convnext-tiny-224",
    "convnextv2-tiny": "convnextv2-tiny-1k-224",
}
"""Measured models, and the preset that is the same."""
TINY: dict[str, dict[str, Any]] = {
    "resnet": {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [16, 32], "depths": [1, 2]},
    "convnext": {"model_type": "convnext", "hidden_sizes": [8, 16], "depths": [1, 2]},
}

BACKBONE = {key: {"architectures": ["ConvNextBackbone"]} for key in ("out_features", "out_indices")}
"""The class that reads a key."""


@cache
def truth(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDENS / case / "truth.json").read_text(encoding="utf-8"))
    return found


@cache
def report(case: str, **options: Any) -> Report:
    return graphacct.account(GOLDENS / case, convention="matmul", **options)


def rows(section: str) -> list[Any]:
    return [
        pytest.param(case, row, id=f"{case}-{row['batch']}x{row.get('size', row.get('image_size'))}")
        for case in CASES
        for row in truth(case)[section]
    ]


@pytest.mark.parametrize("case", CASES)
def test_parameters(case: str) -> None:
    """Names with indices as `*`, elements, number of tensors and shape are those of the real model's parameters."""
    ours: dict[str, dict[str, Any]] = {}
    found = report(case)
    for row in found.by_parameter:
        if not row.parameter.buffer:
            shape = list(row.parameter.spec.shape)
            entry = ours.setdefault(pattern(row.parameter.name), {"params": 0, "tensors": 0, "shape": shape})
            entry["params"] += prod(shape) * row.count
            entry["tensors"] += row.count
            entry["shape"] = shape if entry["shape"] == shape else "varies"
    assert ours == truth(case)["params"]["by_parameter_pattern"]
    assert found.total["params"] == truth(case)["params"]["total"]


@pytest.mark.parametrize(("case", "row"), rows("forward"))
def test_forward_flops_by_module(case: str, row: dict[str, Any]) -> None:
    """The total, and every module with FLOPs; containers of several stages are summed as torch's names are."""
    found = report(case, batch=row["batch"], image_size=row["image_size"])
    assert found.total["matmul_flops"] == row["total"]
    ours: Counter[str] = Counter()
    for record in found.annotated.costs:
        assert record.cost is not None
        parts = pattern(record.node.name).split(".")
        for length in range(1, len(parts) + 1):
            ours[".".join(parts[:length])] += record.times * record.cost.matmul_flops
    modules = {path: flops for path, (flops, _) in row.get("by_module", {}).items() if path != "(root)"}
    assert {path: ours[path] for path in modules} == modules


@pytest.mark.parametrize(("case", "row"), rows("train_step_grouped_conv_corrected"))
def test_a_training_step(case: str, row: dict[str, Any]) -> None:
    """Forward, input gradients and weight gradients. torch's counter sees the weight gradient of a convolution in
    groups as many times over as there are groups; the figure has one cost of the forward convolution for each."""
    found = report(
        case, batch=row["batch"], image_size=row.get("size", row.get("image_size")), phase="train", loss="sum"
    )
    assert found.total["step_matmul_flops"] == row["total"]


def test_resnet_keeps_what_torch_keeps() -> None:
    """Bytes of the storages that autograd keeps of one image, up to the sum of the logits."""
    kept = truth("resnet-50")["activation_saved_full_size_meta"][0]
    assert report("resnet-50", phase="train", loss="sum").total["saved_bytes"] == kept["bytes"]


@pytest.mark.parametrize(("case", "preset"), CASES.items())
def test_a_preset_is_the_published_configuration(case: str, preset: str) -> None:
    """The preset, and an older file of the hub where there is one, say the same."""
    expected = report(case).total
    assert graphacct.account(preset, convention="matmul").total == expected
    if (GOLDENS / case / "hub").exists():
        assert graphacct.account(GOLDENS / case / "hub", convention="matmul").total == expected


def test_both_names_of_one_model_do_the_same_work() -> None:
    """torchvision's and the transformers library's ResNet-50 differ in names alone."""
    assert graphacct.account("hf-resnet-50").total == graphacct.account("resnet50").total


def test_deferred_families_answer_to_their_names() -> None:
    """What the plugin says before a family's module is imported is what the module has."""
    for item in graphacct_vision.FAMILIES:
        found = item.load()
        assert (item.name, item.model_types, set(item.presets)) == (found.name, found.model_types, set(found.presets))


@pytest.mark.parametrize("phase", ["forward", "train"])
@pytest.mark.parametrize("family", TINY)
def test_folded_equals_unrolled(tmp_path: Path, family: str, phase: str) -> None:
    """Blocks drawn once cost what they cost one by one, in the base class with its pooled output too."""
    (tmp_path / "config.json").write_text(json.dumps(TINY[family]))
    graph = graphacct.build(tmp_path, image_size=64, phase=phase)
    assert graphacct.account(graph.unroll()).total == graphacct.account(graph).total


@pytest.mark.parametrize(
    ("family", "change", "options", "message"),
    [
        ("resnet", {"depths": [1]}, {}, "depths has 1 stages, hidden_sizes 2: one count for each"),
        ("resnet", {"depths": []}, {}, "depths are counts with commas between"),
        ("resnet", {"hidden_sizes": [18, 32]}, {}, "hidden_sizes / 4"),
        ("resnet", {"layer_type": "botleneck"}, {}, "did you mean 'bottleneck'"),
        ("convnext", {"out_features": ["stage3"]}, {}, "the stages are stem to stage2"),
        ("convnext", {"out_indices": [2, 1]}, {}, "indices from 0"),
        ("convnext", {"layer_scale_init_value": "x"}, {}, "layer_scale_init_value is a number, not 'x'"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, family: str, change: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    """The key, the value and the way out."""
    (tmp_path / "config.json").write_text(
        json.dumps({**TINY[family], **change, **BACKBONE.get(next(iter(change)), {})})
    )
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(tmp_path, **options)


@pytest.mark.parametrize("family", TINY)
def test_a_file_says_the_dtype(tmp_path: Path, family: str) -> None:
    """`dtype`, or `torch_dtype` in an older file: half the bytes for the same parameters."""
    (tmp_path / "config.json").write_text(json.dumps(TINY[family]))
    wide = graphacct.account(tmp_path).total["param_bytes"]
    for key in ("dtype", "torch_dtype"):
        (tmp_path / "config.json").write_text(json.dumps({**TINY[family], key: "float16"}))
        assert graphacct.account(tmp_path).total["param_bytes"] * 2 == wide


def test_two_operators_of_one_activation(tmp_path: Path) -> None:
    """relu2 is relu, then a square, wherever the family names its activation."""
    for family in TINY:
        (tmp_path / "config.json").write_text(json.dumps({**TINY[family], "hidden_act": "relu2"}))
        kinds = [record.node.operator for record in graphacct.account(tmp_path).annotated.costs]
        assert "square" in kinds


def test_stages_are_as_many_as_depths(tmp_path: Path) -> None:
    """A ConvNeXt file that says another number of stages describes no model."""
    count = len(TINY["convnext"]["depths"])
    for key in ("num_stages", "num_hidden_layers"):
        (tmp_path / "config.json").write_text(json.dumps({**TINY["convnext"], key: count + 1}))
        with pytest.raises(graphacct.GraphacctError, match=f"{key} is {count + 1}, but depths has {count}"):
            graphacct.account(tmp_path)
        (tmp_path / "config.json").write_text(json.dumps({**TINY["convnext"], key: count}))
        assert graphacct.account(tmp_path).total["params"] > 0


def test_deferred_operators_answer_to_their_names() -> None:
    """The index of operators has what the modules have."""
    for module, names in graphacct_vision.OPERATORS.items():
        items = vars(importlib.import_module(f"graphacct_vision.operators.{module}")).values()
        assert names.split() == [item.name for item in items if isinstance(item, graphacct.Operator)]
