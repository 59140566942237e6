"""peft's adapter_config.json: the base model with its adapters, or what is not read of it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import ReadError

ADAPTER: dict[str, Any] = {
    "base_model_name_or_path": "openai-community/gpt2",
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.1,
    "bias": "none",
    "target_modules": ["c_attn", "c_fc"],
    "modules_to_save": None,
    "inference_mode": True,
}
BASE = {"model_type": "gpt2", "n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 64, "n_positions": 64}


def save(folder: Path, **changes: Any) -> Path:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**ADAPTER, **changes}))
    return file


VECTORS = {"peft_type": "IA3", "r": None, "lora_dropout": None, "feedforward_modules": ["c_fc"]}
CASES = json.loads((Path(__file__).parents[1] / "goldens" / "peft" / "truth.json").read_text())["cases"]


def _title(case: dict[str, Any]) -> str:
    also = case["adapter"].get("modules_to_save") or [case["adapter"].get("task_type", "")]
    return "-".join([case["config"]["architectures"][0], case["adapter"]["peft_type"], *also])


@pytest.mark.parametrize("case", CASES, ids=_title)
def test_what_peft_measures(case: dict[str, Any], tmp_path: Path) -> None:
    """All parameters, those that are trained, and the FLOPs of a forward pass and of a step, to the unit."""
    (tmp_path / "config.json").write_text(json.dumps(case["config"]))
    (tmp_path / "adapter_config.json").write_text(json.dumps({**case["adapter"], "base_model_name_or_path": "a/b"}))
    sizes = {"batch": 2, "seq_len": 7, **({"encoder_seq_len": 7} if case["config"]["model_type"] == "t5" else {})}
    given = {"attention": "eager", "convention": "matmul", "phase": "train", "loss": "sum", **sizes}
    report = graphacct.account(tmp_path / "adapter_config.json", **given)
    own = [row for row in report.by_parameter if row.parameter.trainable and not row.parameter.tied_to]
    assert sum(row.parameter.spec.elements * row.count for row in own) == case["trained"]
    figures = [report.total[name] for name in ("params", "forward_matmul_flops", "step_matmul_flops")]
    assert figures == [case["params"], case["forward"], case["step"]]


def test_an_adapter_beside_its_base(tmp_path: Path) -> None:
    """The folder is the base model's, and the report says that the adapter is left out."""
    (tmp_path / "config.json").write_text(json.dumps(BASE))
    save(tmp_path)
    notes = graphacct.account(tmp_path, batch=1, seq_len=4).annotated.graph.config_keys.notes()
    assert notes == ("left out: the adapter beside config.json (give adapter_config.json itself)",)


def test_a_base_on_the_hub(tmp_path: Path) -> None:
    """A preset by its hub name, with the adapters that `lora` gives it; dropout is that of a training step."""
    file = save(tmp_path, rank_pattern={"c_fc": 2})
    for model in (file, tmp_path):
        report = graphacct.account(model, batch=1, seq_len=8)
        expected = graphacct.account("gpt2", lora=["8:c_attn", "2:c_fc"], batch=1, seq_len=8)
        assert report.total == expected.total
        assert report.annotated.graph.workload["lora"] == "8:c_attn, 2:c_fc"
    step = graphacct.build(file, batch=1, seq_len=8, phase="train").workload
    assert step["lora_dropout"] == 0.1
    assert graphacct.build(file, batch=1, seq_len=8, lora=["4:c_attn"]).workload["lora"] == "4:c_attn"


def test_a_base_that_the_user_gives(tmp_path: Path) -> None:
    """Beside the file, or by `set`, with other keys of it."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text(json.dumps(BASE))
    file = save(tmp_path, base_model_name_or_path="some/base")
    given = {"base_model_name_or_path": str(base), "n_layer": 2}
    report = graphacct.account(file, batch=1, seq_len=8, set=given)
    lora = ["8:c_attn", "8:c_fc"]
    assert report.total == graphacct.account(base, batch=1, seq_len=8, set={"n_layer": 2}, lora=lora).total
    (tmp_path / "config.json").write_text(json.dumps(BASE))
    assert graphacct.account(file, batch=1, seq_len=8).total == graphacct.account(base, seq_len=8, lora=lora).total


def test_some_layers(tmp_path: Path) -> None:
    """`layers_to_transform` are the adapters of those layers."""
    (tmp_path / "config.json").write_text(json.dumps(BASE))
    file = save(tmp_path, layers_to_transform=[0, 2], target_modules=["c_attn"])
    adapters = graphacct.account(file, batch=1, seq_len=8).total["params"]
    assert adapters - graphacct.account(tmp_path, batch=1, seq_len=8).total["params"] == 2 * 8 * (32 + 96)


def test_all_linear_and_unknown_settings(tmp_path: Path) -> None:
    """Settings that nobody knows stand in the report."""
    file = save(tmp_path, target_modules="all-linear", halves=2)
    report = graphacct.account(file, batch=1, seq_len=8)
    assert report.annotated.graph.workload["lora"] == "8:all-linear"
    assert report.annotated.graph.config_keys.not_understood == ("halves",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_model_name_or_path": "some/base"}, r"of 'some/base', which is no preset: set=base_model_name_or_path="),
        ({"base_model_name_or_path": None}, "names no base: base_model_name_or_path is None"),
        ({"peft_type": "ADALORA"}, "of peft_type 'ADALORA': LORA and IA3 are read"),
        ({"peft_type": "IA3"}, "has r, which IA3 has not"),
        ({**VECTORS, "feedforward_modules": None}, "feedforward_modules is None, not a list of modules"),
        ({**VECTORS, "feedforward_modules": ["wpe"]}, "feedforward_modules has 'wpe', which is not among target_modul"),
        ({**VECTORS, "target_modules": ".*attn"}, "target_modules is '.*attn', not a list of modules"),
        ({"use_dora": "yes"}, "use_dora is 'yes', not true or false"),
        ({"modules_to_save": "lm_head"}, "modules_to_save is 'lm_head', not a list of modules"),
        ({"modules_to_save": ["wte"], "ensure_weight_tying": True}, "has ensure_weight_tying with modules_to_save"),
        ({"bias": "all"}, "bias is 'all': trained biases are not read"),
        ({"task_type": "SEQ_CLS"}, "task_type is 'SEQ_CLS': .* its class ends in ForSequenceClassification"),
        ({"target_modules": ".*attn"}, "target_modules is a pattern, '.*attn'"),
        ({"target_modules": None}, "target_modules is None, not a list of modules"),
        ({"target_modules": ["a:b"]}, r"target_modules is \['a:b'\], not a list of modules"),
        ({"r": 0}, "a rank is 0, not a count"),
        ({"rank_pattern": {"h.0.attn": 4}}, "ranks are read of whole target_modules alone"),
        ({"layers_to_transform": ["x"]}, r"layers_to_transform is \['x'\], not a list of layers"),
    ],
)
def test_what_is_not_read(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """Named, in one or two lines."""
    with pytest.raises(ReadError, match=f"adapter_config.json: .*{message}") as caught:
        graphacct.account(save(tmp_path, **changes), batch=1, seq_len=8)
    assert str(caught.value).count("\n") < 2


def test_damaged_settings(tmp_path: Path) -> None:
    """Whatever stands in the file: the model, or an error that names the file."""
    rng = random.Random(0)
    values = (None, 0, 1, -1, 0.5, True, "", "gpt2", "é\n", [], ["c_attn"], [1], {}, {"c_attn": 2}, {"r": None}, 2**70)
    (tmp_path / "config.json").write_text(json.dumps(BASE))
    messages = []
    keys = [*ADAPTER, "rank_pattern", "layers_to_transform", "feedforward_modules", "exclude_modules"]
    for _ in range(80):
        file = save(tmp_path, **{**rng.choice(({}, VECTORS)), rng.choice(keys): rng.choice(values)})
        try:
            graphacct.account(file, batch=1, seq_len=8, phase=rng.choice(["forward", "train"]))
        except graphacct.GraphacctError as error:
            messages.append(str(error))
    assert messages
    assert all(message.count("\n") < 2 for message in messages)


def test_dora(tmp_path: Path) -> None:
    """`use_dora` is the transform's option."""
    file = save(tmp_path, use_dora=True)
    lora = ("lora", {"adapters": ["8:c_attn,c_fc"], "dora": True})
    assert graphacct.account(file, seq_len=8).total == graphacct.account("gpt2", seq_len=8, transforms=[lora]).total
    assert graphacct.build(file, seq_len=8).workload["dora"] is True
    assert "dora" not in graphacct.build(file, seq_len=8, lora=["4:c_attn"]).workload
