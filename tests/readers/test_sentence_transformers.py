"""Folders of sentence-transformers: the base model with pooling, dense layers and norms behind it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import graphacct

BERT = {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 50,
}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def save(folder: Path, modules: Any = MODULES, dense: Any = None) -> Path:
    (folder / "config.json").write_text(json.dumps(BERT))
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense or {"in_features": 32, "out_features": 16}))
    return folder


CASES = json.loads((Path(__file__).parents[1] / "goldens" / "sentences" / "truth.json").read_text())["cases"]


def folder_of(folder: Path, case: dict[str, Any]) -> Path:
    """The folder of a case, with a file for each of its modules."""
    listed = [MODULES[0]]
    for index, (kind, settings) in enumerate(case["modules"], 1):
        path = f"{index}_{kind}"
        listed.append({"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"})
        (folder / path).mkdir()
        (folder / path / "config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps(case["config"]))
    (folder / "modules.json").write_text(json.dumps(listed))
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["config"]["architectures"][0])
def test_what_the_library_measures(case: dict[str, Any], tmp_path: Path) -> None:
    """Parameters, the names behind the transformer, FLOPs of a forward pass and of a step, the embedding's width."""
    sizes = {"batch": 3, "seq_len": 9}
    step = graphacct.account(folder_of(tmp_path, case), phase="train", attention="eager", convention="matmul", **sizes)
    names = ("params", "forward_matmul_flops", "step_matmul_flops")
    assert [step.total[name] for name in names] == [case["params"], case["forward"], case["step"]]
    behind = {row.parameter.name: [*row.parameter.spec.shape] for row in step.by_parameter}
    assert {name: shape for name, shape in behind.items() if name[0].isdigit()} == case["names"]
    assert graphacct.build(tmp_path, **sizes).outputs[0].spec.shape == (3, case["width"])


def test_a_module_that_is_not_known(tmp_path: Path) -> None:
    """It is left out with those after it, and the report names them."""
    listed = [*MODULES[:2], {"path": "2_CNN", "type": "sentence_transformers.models.CNN"}, MODULES[3]]
    report = graphacct.account(save(tmp_path, listed), batch=1, seq_len=8)
    assert report.annotated.graph.config_keys.notes() == ("left out: CNN, Normalize of modules.json",)
    assert report.annotated.graph.outputs[0].spec.shape == (1, 32)


def test_the_chance_of_a_dropout_is_that_of_training(tmp_path: Path) -> None:
    listed = [*MODULES[:2], {"path": "2_Dense", "type": "sentence_transformers.models.Dropout"}]
    folder = save(tmp_path, listed, {"dropout": 0.5})
    drops = [
        [node.attributes["p"] for node in graphacct.build(folder, seq_len=8, phase=phase).walk() if "2." in node.name]
        for phase in ("forward", "train")
    ]
    assert drops == [[], [0.5]]


def test_a_transformer_alone(tmp_path: Path) -> None:
    """Nothing to say."""
    keys = graphacct.account(save(tmp_path, MODULES[:1]), batch=1, seq_len=8).annotated.graph.config_keys
    assert keys.notes() == ()


@pytest.mark.parametrize(
    ("modules", "dense", "message"),
    [
        ({}, None, r"modules.json: is \{\}, not a list of modules"),
        ([{"type": 3}], None, "not a list of modules with a path and a type"),
        ([MODULES[0], {"path": "", "type": "a\nb"}], None, r"'a\\nb' is no class of a module"),
        ([{"path": "", "type": "x.CLIPModel"}], None, "its first module is CLIPModel, and a Transformer alone is read"),
        ([{**MODULES[0], "path": "0_Odd"}], None, "its Transformer is in '0_Odd', and a config.json is read that lies"),
        (MODULES, {"in_features": -1, "out_features": 2}, "2_Dense.config.json: is .*not a dense layer's in_features"),
        (MODULES, [1], "not an object with the settings of Dense"),
        (MODULES, {"in_features": 32, "out_features": 2, "bias": 1}, "bias is 1, not true or false"),
        (MODULES, {"in_features": 32, "out_features": 2, "activation_function": "os.x"}, "no class of torch.nn"),
        (MODULES, {"in_features": 32, "out_features": 2, "module_input_name": "x"}, "module_input_name is 'x'"),
        (MODULES, {"in_features": 33, "out_features": 2}, "in_features of module 2 is 33, and what it reads is 32"),
        (
            MODULES,
            {"in_features": 32, "out_features": 2, "activation_function": "torch.nn.Softmax"},
            "module 'dense:32:2:Softmax' is not of the form",
        ),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, modules: Any, dense: Any, message: str) -> None:
    """Named."""
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(save(tmp_path, modules, dense), batch=1, seq_len=8)


def test_damaged_settings(tmp_path: Path) -> None:
    """Whatever stands in a module's file: the model, or an error of two lines."""
    rng = random.Random(0)
    values = (None, 0, 1, -1, 0.5, True, "", "mean", "e\n", [], ["cls"], [1], {}, 2**70, "torch.nn.ReLU")
    keys = ("in_features", "out_features", "bias", "activation_function", "use_residual", "module_input_name")
    keys += ("pooling_mode", "pooling_mode_cls_token", "dropout", "dimension")
    folder, messages = save(tmp_path), [""]
    for _ in range(60):
        kind, name = rng.choice((("Dense", "2_Dense"), ("Pooling", "1_Pooling"), ("LayerNorm", "2_Dense")))
        listed = [*MODULES[:2], {"path": name, "type": f"sentence_transformers.models.{kind}"}]
        settings = {"in_features": 32, "out_features": 2, "dimension": 32, rng.choice(keys): rng.choice(values)}
        (folder / "modules.json").write_text(json.dumps(listed))
        (folder / name / "config.json").write_text(json.dumps(settings))
        try:
            graphacct.build(folder, batch=1, seq_len=8, phase=rng.choice(("forward", "train")))
        except graphacct.GraphacctError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(message.count("\n") < 2 for message in messages)
