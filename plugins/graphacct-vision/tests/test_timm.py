"""Models of timm's: its own config.json, the library's wrapper, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from each import each
from graphacct_vision.timm.families import FAMILIES, kind
from graphacct_vision.timm.tables import settings

import graphacct

NAMES = {name: module for module in FAMILIES for name in settings(module)}
VIT = {"architecture": "vit_base_patch16_224", "num_classes": 1000, "pretrained_cfg": {"input_size": [3, 224, 224]}}


GOLDENS = Path(__file__).parents[3] / "tests" / "goldens" / "timm"
CASES = json.loads((GOLDENS / "truth.json").read_text())["cases"]
PARAMETERS = json.loads((GOLDENS / "parameters.json").read_text())["parameters"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["architecture"])
def test_what_timm_measures(case: dict[str, Any], tmp_path: Path) -> None:
    """Tensors and their elements by name, and the FLOPs of a forward pass."""
    content = {"architecture": case["architecture"], "num_classes": case["num_classes"], "pretrained_cfg": {}}
    options = {"attention": "eager"} if "vit" in case["architecture"] or "deit" in case["architecture"] else {}
    found = read(tmp_path, content, image_size=tuple(case["image_size"]), convention="matmul", **options)
    assert (found.total["params"], found.total["matmul_flops"]) == (case["params"], case["forward"])
    tensors: dict[str, list[int]] = {}
    for row in found.by_parameter:
        if not row.parameter.buffer:
            alike = tensors.setdefault(re.sub(r"(?<=\.)\d+(?=\.|$)", "*", row.parameter.name), [0, 0])
            alike[0] += row.count
            alike[1] += row.count * row.parameter.spec.elements
    assert tensors == case["tensors"]


def test_every_name_is_measured() -> None:
    """Those of the tables are those that timm's totals are known of, and each stands for something; no two tables have
    one."""
    assert PARAMETERS.keys() == NAMES.keys()
    assert sorted(NAMES) == sorted(name for module in FAMILIES for name in settings(module))
    assert all(kind(name) is not None for name in NAMES)


@each("name", [name for place, name in enumerate(sorted(PARAMETERS)) if place % 12 == 7])
def test_as_many_parameters_as_timms(name: str) -> None:
    """Some of the names; tests/verify/timm_names.py compares all of them, by name and shape."""
    content = {"model_type": "timm_wrapper", "architectures": ["timm"], "architecture": name}
    assert graphacct.account(content, quantities=("params",)).total["params"] == PARAMETERS[name]


@pytest.mark.parametrize(
    "change",
    [{"model_args": {"img_size": 384}}, {"pretrained_cfg": {"input_size": [3, 384, 384], "fixed_input_size": True}}],
)
def test_positions_are_for_the_images_that_a_file_fixes(change: dict[str, Any], tmp_path: Path) -> None:
    """380 places more than of 224 x 224: as many parameters as vit_base_patch16_384."""
    found = read(tmp_path, {**VIT, **change}, quantities=("params",))
    assert found.total["params"] == 86_567_656 + 380 * 768
    assert found.workload["image_size"] == (384, 384)


@pytest.mark.parametrize(
    ("backbone", "places", "parameters", "shapes"),
    [
        ("efficientnet_b0", [1, 3], 3_595_388, [(24, 56, 56), (112, 14, 14)]),
        ("mobilenetv3_small_100", [0, 2], 927_008, [(16, 112, 112), (24, 28, 28)]),
        ("regnetx_002", [1, 3], 241_744, [(24, 56, 56), (152, 14, 14)]),
        ("convnext_tiny", [0, 2], 12_348_000, [(96, 56, 56), (384, 14, 14)]),
        ("swin_tiny_patch4_window7_224", [1, 2], 12_151_242, [(28, 28, 192), (14, 14, 384)]),
    ],
)
def test_the_maps_of_a_backbone(
    backbone: str, places: list[int], parameters: int, shapes: list[tuple[int, int, int]]
) -> None:
    """As timm.create_model(backbone, features_only=True, out_indices=places) gives them; what comes after the last is
    not there, but for EfficientNets, whose stages all run."""
    content = {"model_type": "timm_backbone", "backbone": backbone, "out_indices": places}
    assert graphacct.account(content, quantities=("params",)).total["params"] == parameters
    assert [tuple(value.spec.shape[1:]) for value in graphacct.build(content).outputs] == shapes


def test_the_channels_of_an_image(tmp_path: Path) -> None:
    """One channel in place of three: 2 * 64 * 49 weights less."""
    found = read(tmp_path, {"architecture": "resnet18", "pretrained_cfg": {}, "model_args": {"in_chans": 1}})
    assert found.total["params"] == PARAMETERS["resnet18"] - 2 * 64 * 49


def read(folder: Path, content: dict[str, Any], **options: Any) -> graphacct.Report:
    (folder / "config.json").write_text(json.dumps(content))
    return graphacct.account(folder, **options)


def test_timms_own_file_is_read_under_its_names(tmp_path: Path) -> None:
    """86,567,656 parameters, as timm.create_model('vit_base_patch16_224') has."""
    found = read(tmp_path, VIT)
    assert found.total["params"] == 86_567_656
    names = {row.parameter.name for row in found.by_parameter}
    assert {"cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.*.attn.qkv.weight", "head.bias"} <= names


def test_what_its_pretrained_cfg_says(tmp_path: Path) -> None:
    """The classes, where the file has no number of its own, and the size of images."""
    cfg = {"num_classes": 7, "input_size": [3, 64, 96]}
    found = read(tmp_path, {"architecture": "resnext50_32x4d", "pretrained_cfg": cfg})
    assert found.workload["image_size"] == (64, 96)
    assert found.total["params"] == 23_000_394 - 3 * 2049


def test_the_librarys_wrapper_has_a_scope(tmp_path: Path) -> None:
    """TimmWrapperForImageClassification calls the same model timm_model; resnet50 has 25,557,032 parameters."""
    content = {"model_type": "timm_wrapper", "architecture": "resnet50.a1_in1k", "num_classes": 1000}
    content["architectures"] = ["TimmWrapperForImageClassification"]
    found = read(tmp_path, content)
    assert found.total["params"] == 25_557_032
    assert all(row.parameter.name.startswith("timm_model.") for row in found.by_parameter)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**VIT, "architecture": "xception41"}, "architecture 'xception41' is timm's, which is not modelled: read are"),
        ({**VIT, "architecture": "efficientnet_b1_pruned"}, "which is not modelled: .*; did you mean 'efficientnet"),
        ({**VIT, "architecture": "vit_base_patch16_xp_224"}, "architecture 'vit_base_patch16_xp_224' is timm's"),
        ({**VIT, "architecture": 3}, "architecture is the name of a model of timm's, not 3"),
        ({**VIT, "pretrained_cfg": 3}, "pretrained_cfg is an object of settings, not 3"),
        ({**VIT, "pretrained_cfg": {"fixed_input_size": 1}}, "fixed_input_size 1, not true or false"),
        ({**VIT, "pretrained_cfg": {"input_size": [224, 224]}}, "input_size .*: 3 channels, a height and a width"),
        (
            {**VIT, "model_args": {"embed_dim": 448}},
            "has 'embed_dim', which is not modelled: img_size and in",
        ),
        ({**VIT, "model_args": {"img_size": [1, 2, 3]}}, "model_args has img_size .*: a side or two"),
        ({**VIT, "model_args": {"in_chans": "3"}}, "model_args has in_chans '3', not a number of channels"),
        ({**VIT, "model_args": 3}, "model_args is an object of arguments, not 3"),
        (
            {"model_type": "timm_wrapper", "architecture": "mobilenetv3_small_100", "do_pooling": False},
            "has weights that pool: it is read with true",
        ),
        ({"model_type": "timm_backbone", "backbone": "swin_tiny"}, "backbone 'swin_tiny' is timm's, which is not"),
        ({"model_type": "timm_backbone", "backbone": "resnet18", "out_indices": [7]}, "are indices of the 5 maps"),
        ({"model_type": "timm_backbone", "backbone": "vit_base_patch16_224"}, "is a ViT of timm's, whose maps are not"),
        (
            {"model_type": "timm_backbone", "backbone": "vgg16"},
            "'vgg16' is timm's, whose maps are not modelled",
        ),
        (
            {"model_type": "timm_backbone", "backbone": "regnetx_002", "output_stride": 8},
            "output_stride is 8, which is modelled of ResNets alone: 'regnetx_002' is read with 32",
        ),
        ({"model_type": "timm_backbone", "backbone": "resnet18", "output_stride": 4}, "output_stride is 8, 16 or 32"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        read(tmp_path, content)
