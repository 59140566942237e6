"""open_clip's files, equal to the unit with what was measured of its models, and what is refused."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.render.checkpoint import expanded

TRUTH = Path(__file__).parents[3] / "tests" / "goldens" / "open_clip" / "truth.json"
CASES = json.loads(TRUTH.read_text())["cases"]
SMALL = CASES[0]["model_cfg"]
OWN_RESNET = CASES[2]["model_cfg"]


def save(folder: Path, model_cfg: Any) -> Path:
    file = folder / "open_clip_config.json"
    file.write_text(json.dumps({"model_cfg": model_cfg, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}))
    return file


@pytest.mark.parametrize("case", CASES, ids=["vit", "custom", "resnet", "resnet-quick-gelu"])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_what_the_library_measures(case: dict[str, Any], attention: str, tmp_path: Path) -> None:
    """Every tensor by name, FLOPs of a forward pass and of a step."""
    save(tmp_path, case["model_cfg"])
    step = graphacct.account(tmp_path, batch=2, phase="train", attention=attention, convention="matmul")
    tensors = {row.parameter.name: [*row.parameter.spec.shape] for row in expanded(step).by_parameter}
    assert {name: tensors.get(name) for name in case["tensors"]} == case["tensors"]
    names = ("params", "forward_matmul_flops", "step_matmul_flops")
    assert [step.total[name] for name in names] == [case["params"], case["forward"], case["step"]]


@pytest.mark.parametrize(
    ("outer", "inner", "options", "message"),
    [
        ({}, {"timm_model_name": "convnext_base"}, {}, "timm_model_name is 'convnext_base': a tower of timm's"),
        ({}, {"attentional_pool": True}, {}, "attentional_pool is always false"),
        ({}, {"layers": [1, 2]}, {}, "neither a number of layers nor those of 4 stages"),
        ({}, {"mlp_ratio": "4"}, {}, "mlp_ratio is '4', not the network's width"),
        ({}, {"patch_dropout": 0.5}, {"phase": "train"}, "which patches a training step drops is not modelled"),
        ({"multimodal_cfg": {"width": 8}}, {}, {}, "a tower of a captioner"),
        ({}, {}, {"seq_len": 12}, "seq_len 12 is not text_cfg.context_length 11"),
        ({}, {}, {"image_size": 40}, "image_size 40x40 is not vision_cfg.image_size 32x32"),
    ],
)
def test_what_is_refused(
    outer: dict[str, Any], inner: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    content = {**SMALL, **outer, "vision_cfg": {**SMALL["vision_cfg"], **inner}}
    with pytest.raises(graphacct.GraphacctError, match=message) as caught:
        graphacct.account(save(tmp_path, content), **options)
    assert str(caught.value).count("\n") < 2


def test_damaged_files(tmp_path: Path) -> None:
    """Whatever stands in the file: the model, or an error of two lines."""
    rng, messages = random.Random(0), [""]
    values = (None, 0, -1, 0.5, True, "", "tok", "e\n", [], [1], [1, 1, 1, 1], {}, {"width": 8}, 2**70)
    for _ in range(80):
        content = json.loads(json.dumps(rng.choice((SMALL, OWN_RESNET))))
        place = rng.choice((content, content["vision_cfg"], content["text_cfg"]))
        place[rng.choice([*place, "custom_text", "pool_type", "heads", "head_width"])] = rng.choice(values)
        try:
            graphacct.build(save(tmp_path, rng.choice((content, content, rng.choice(values)))))
        except graphacct.GraphacctError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(message.count("\n") < 2 for message in messages)
