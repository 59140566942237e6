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


KINDS = (
    *("vit", "custom", "resnet", "resnet-quick-gelu", "coca", "clipa", "roberta", "bert", "mt5", "coca-m2m"),
    *("timm-resnet", "timm-vit"),
)


@pytest.mark.parametrize("case", CASES, ids=KINDS)
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_what_the_library_measures(case: dict[str, Any], attention: str, tmp_path: Path) -> None:
    """Every tensor by name, FLOPs of a forward pass and of a step."""
    save(tmp_path, case["model_cfg"])
    names = ("params", "forward_matmul_flops", "step_matmul_flops")
    options = {"batch": 2, "phase": "train", "convention": "matmul", "quantities": names}
    step = graphacct.account(tmp_path, attention=attention, **options)
    tensors = {
        row.parameter.name: [*row.parameter.spec.shape]
        for row in expanded(step).by_parameter
        if not row.parameter.buffer
    }
    assert tensors == case["tensors"]
    assert [step.total[name] for name in names] == [case["params"], case["forward"], case["step"]]


@pytest.mark.parametrize(
    ("outer", "inner", "options", "message"),
    [
        ({}, {"timm_model_name": "no_such"}, {}, "architecture 'no_such' is timm's, which is not modelled"),
        ({}, {"timm_model_name": 3}, {}, "timm_model_name is the name of a model of timm's, not 3"),
        ({}, {"timm_model_name": "resnet18", "timm_pool": "token"}, {}, "is read with its own, 'avg'"),
        ({}, {"timm_model_name": "mobilenetv5_300m_enc"}, {}, "which pools nothing"),
        ({}, {"timm_model_name": "resnet18", "timm_pool": "rot_attn"}, {}, "timm_pool cannot be 'rot_attn'"),
        ({}, {"timm_model_name": "resnet18", "patch_dropout": 0.5}, {}, "which is not read of timm's models"),
        ({}, {"attentional_pool": "parallel"}, {}, "attentional_pool .*'parallel'"),
        ({}, {"output_tokens": True}, {}, "output_tokens without multimodal_cfg"),
        ({}, {"norm_kwargs": {"eps": 1, "bias": False}}, {}, "norm_kwargs has bias False, which is not read here"),
        ({"quick_gelu": True}, {"act_kwargs": {"approximate": "tanh"}}, {}, "act_kwargs beside quick_gelu"),
        ({}, {"scale_fc": True}, {}, "scale_fc is always false"),
        ({}, {"layers": [1, 2]}, {}, "neither a number of layers nor those of 4 stages"),
        ({}, {"mlp_ratio": "4"}, {}, "mlp_ratio is '4', not the network's width"),
        ({"multimodal_cfg": {"width": 8}}, {}, {}, "multimodal_cfg without custom_text"),
        ({"multimodal_cfg": {"width": 8}, "custom_text": True}, {}, {}, "output_tokens true in vision_cfg and in"),
        ({"text_cfg": {"hf_model_name": "some/model"}}, {}, {}, "'some/model', which no preset has: give the keys"),
        (
            {"text_cfg": {"hf_model_name": "some/model", "hf_model_config": {"model_type": "albert"}}},
            {},
            {},
            "model_type is 'albert', which open_clip does not read",
        ),
        ({"text_cfg": {"hf_model_name": "roberta-base", "hf_pooler_type": "max_pooler"}}, {}, {}, "'max_pooler'"),
        ({"text_cfg": {"hf_model_name": "roberta-base", "hf_proj_type": None}}, {}, {}, "hf_proj_type is null, and"),
        ({"text_cfg": {"embed_cls": True}}, {}, {}, "text_cfg.embed_cls without custom_text"),
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


@pytest.mark.parametrize(
    ("name", "params"),
    [("roberta-base", 212_723_457), ("xlm-roberta-base", 366_121_473), ("google/mt5-base", 365_708_673)],
)
def test_a_text_model_that_a_preset_has(name: str, params: int, tmp_path: Path) -> None:
    """The parameters of roberta-ViT-B-32, xlm-roberta-base-ViT-B-32 and mt5-base-ViT-B-32 as open_clip builds them."""
    vision = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    save(tmp_path, {"embed_dim": 512, "vision_cfg": vision, "text_cfg": {"hf_model_name": name}})
    assert graphacct.account(tmp_path, quantities=("params",)).total["params"] == params
