"""A config.json of a family that graphacct does not have goes through its class in the transformers library."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import GraphacctError
from graphacct.hooks.manager import load

transformers = pytest.importorskip("transformers")
KIND, CLASS = "roberta-prelayernorm", "RobertaPreLayerNormForMaskedLM"
"""A family that graphacct does not read itself, and one of its classes."""
PRENORM = {
    "model_type": KIND,
    "architectures": [CLASS],
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "vocab_size": 99,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config.json that would run code and fetch some."""
    (tmp_path / "prenorm").mkdir()
    (tmp_path / "prenorm" / "modeling.py").write_text("raise AssertionError('the code of a file ran')")
    text = json.dumps(
        {**PRENORM, "auto_map": {"AutoModel": "modeling.Model"}, "attn_implementation": "flash_attention_2"}
    )
    (tmp_path / "prenorm" / "config.json").write_text(text)
    return tmp_path / "prenorm"


def test_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder's name, the library and class, the sizes, and the parameters of the class; without any network."""

    def refused(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    report = graphacct.account(str(folder), batch=2, seq_len=7)
    assert report.model == "prenorm"
    through = f"transformers {transformers.__version__}: {CLASS}"
    assert report.workload == {"through": through, "batch": 2, "seq_len": 7, "dtype": "float32"}
    config = transformers.RobertaPreLayerNormConfig(
        **{key: value for key, value in PRENORM.items() if key != "model_type"}
    )
    model = transformers.RobertaPreLayerNormForMaskedLM(config)
    assert report.total["params"] == sum(parameter.numel() for parameter in model.parameters())
    tokens, width = 14, 32
    layers = 3 * (2 * tokens * (4 * width**2 + 2 * width * 48) + 2 * 2 * 2 * 7 * 7 * width)
    head = 2 * tokens * (width**2 + width * 99)
    assert report.total["matmul_flops"] == layers + head
    half = graphacct.account(str(folder), batch=2, seq_len=7, dtype="bf16", set={"num_hidden_layers": 1})
    assert half.total["param_bytes"] < report.total["param_bytes"] / 2


def test_the_inputs_that_were_made() -> None:
    """The header has them where no option says their size, as `--input` takes them."""
    own = graphacct.account(PRENORM).workload
    assert own["inputs"] == "input_ids=1x128:int64"
    again = graphacct.account(PRENORM, inputs=dict(text.split("=") for text in str(own["inputs"]).split()))
    assert {"batch": 1, **again.workload} == own
    assert "inputs" not in graphacct.account(PRENORM, seq_len=7).workload
    pair = {**PRENORM, "model_type": "flava", "architectures": ["FlavaModel"]}
    both = graphacct.account(pair, image_size=224, batch=2)
    assert both.workload["inputs"] == "input_ids=2x128:int64"


def test_sizes_that_no_input_has() -> None:
    """The header says so, and the sizes of given inputs are theirs."""
    series = {"model_type": "patchtst", "d_model": 32, "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    read = graphacct.account(series, seq_len=7, batch=2).workload
    assert read["unused"] == "seq_len 7"
    assert (read["batch"], read["inputs"]) == (2, "past_values=2x32x1:float32")
    assert "seq_len" not in read
    given = graphacct.account(PRENORM, inputs={"input_ids": "3x9:int64"}).workload
    assert given["inputs"] == "input_ids=3x9:int64"
    assert "batch" not in given
    both = graphacct.account(PRENORM, inputs={"input_ids": "3x9:int64"}, batch=2, seq_len=7).workload
    assert both["unused"] == "batch 2 seq_len 7"
    assert both["inputs"] == "input_ids=3x9:int64"


def test_given_inputs_that_do_not_fit_made_ones() -> None:
    """The error has those that were made, and with them given too it runs."""
    pair = {"model_type": "lxmert", "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    small = {**pair, "l_layers": 1, "r_layers": 1, "x_layers": 1, "vocab_size": 99}
    regions = {"visual_feats": "1x50x2048:float32"}
    with pytest.raises(GraphacctError, match=r"does not run .* these were made: .*visual_pos=1x128x4:float32"):
        graphacct.account(small, inputs=regions)
    assert graphacct.account(small, inputs={**regions, "visual_pos": "1x50x4:float32"}).total["matmul_flops"] > 0


def test_a_mapping_and_a_training_step() -> None:
    """In training the class has its dropout."""
    forward = graphacct.account(PRENORM, seq_len=7)
    step = graphacct.account(PRENORM, seq_len=7, phase="train")
    assert step.total["forward_matmul_flops"] == forward.total["matmul_flops"]
    operators = {row.operator for row in step.by_scope}
    assert "dropout" in operators
    assert "dropout" not in {row.operator for row in forward.by_scope}


def test_it_is_exported_and_read_without_torch(folder: Path, tmp_path: Path) -> None:
    """The JSON holds the same graph, for plugins without graphacct-torch."""
    graph = graphacct.build(str(folder), seq_len=7)
    graphacct.save(graph, tmp_path / "graph.json")
    others = load(block=["graphacct-torch"])
    again = graphacct.load(tmp_path / "graph.json", others.operators)
    assert again == graph
    assert graphacct.account(again, plugins=others).to_dict() == graphacct.account(graph).to_dict()


def test_a_module_without_inputs() -> None:
    """It gets those that its configuration asks for, but those that the user gives."""
    keys = {key: value for key, value in PRENORM.items() if key not in ("model_type", "architectures")}
    model = transformers.RobertaPreLayerNormModel(transformers.RobertaPreLayerNormConfig(**keys)).eval()
    ours = graphacct.account({**PRENORM, "architectures": ["RobertaPreLayerNormModel"]})
    assert graphacct.account(model).total["flops"] == ours.total["flops"]
    short = graphacct.account({**PRENORM, "architectures": ["RobertaPreLayerNormModel"]}, seq_len=7)
    assert graphacct.account(model, inputs={"input_ids": "1x7:int64"}).total["flops"] == short.total["flops"]


def test_a_known_family_keeps_its_own_architecture() -> None:
    """Whatever is installed."""
    assert "through" not in graphacct.account({"model_type": "bert"}, seq_len=8).workload


def test_quantised_weights_are_stored_as_the_file_says(tmp_path: Path) -> None:
    """The bytes of the scheme, by hand; the user's own format instead, or none."""
    file = {**PRENORM, "quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 16]}}
    report = graphacct.account(file, dtype="bf16")
    matrices = 3 * (4 * 32 * 32 + 2 * 32 * 48)
    squares = matrices // 16**2
    assert report.workload["weights"] == "fp8:block=16"
    assert report.total["param_bytes"] == matrices + 4 * squares + 2 * (report.total["params"] - matrices)
    for options in ({"weights": "bf16"}, {"set": {"quantization_config": None}}):
        plain = graphacct.account(file, dtype="bf16", **options)  # type: ignore[arg-type]
        assert plain.total["param_bytes"] == 2 * report.total["params"]
    with pytest.raises(GraphacctError, match=r"weights 'fp8:block=16' are not trained"):
        graphacct.account(file, dtype="bf16", phase="train")
    adapted = graphacct.account(file, dtype="bf16", phase="train", lora=["4:*.query"])
    assert adapted.total["param_bytes"] == report.total["param_bytes"] + 2 * 3 * 4 * (32 + 32)
    (tmp_path / "config.json").write_text(json.dumps(PRENORM))
    (tmp_path / "hf_quant_config.json").write_text(json.dumps({"quantization": {"quant_algo": "FP8"}}))
    assert graphacct.account(str(tmp_path)).workload["weights"] == "fp8:static"
    strange = {**PRENORM, "quantization_config": {"quant_method": "nobodys"}}
    with pytest.raises(GraphacctError, match=r"quant_method is 'nobodys', which is not known; (.|\n)*weights=FORMAT"):
        graphacct.account(strange)


def test_settings_nobody_knows_are_named() -> None:
    """As for a family that graphacct has."""
    file = {**PRENORM, "quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 16], "tint": 3}}
    assert graphacct.account(file).config_keys.not_understood == ("quantization_config.tint",)


def test_experts_are_stored_one_by_one() -> None:
    """Files keep an expert's gate and other projection as two matrices, which are one parameter in the class: each has
    two scales of its own, and its name. A router stays."""
    file = {
        "model_type": "dots1",
        "architectures": ["Dots1ForCausalLM"],
        "num_hidden_layers": 2,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 48,
        "moe_intermediate_size": 16,
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "n_group": 1,
        "topk_group": 1,
        "num_experts_per_tok": 2,
        "first_k_dense_replace": 1,
        "vocab_size": 99,
        "dtype": "bfloat16",
    }
    settings = {"quant_method": "modelopt", "quant_algo": "NVFP4"}
    attention, dense, expert = 2 * 4 * 32 * 32, 3 * 32 * 48, 3 * 16 * 32
    plain = graphacct.account(file)

    def size(elements: int, matrices: int) -> int:
        return plain.total["param_bytes"] - 2 * elements + elements // 2 + elements // 16 + 8 * matrices

    report = graphacct.account({**file, "quantization_config": {**settings, "ignore": ["lm_head"]}})
    assert report.total["param_bytes"] == size(attention + dense + 5 * expert, 8 + 3 + 5 * 3)
    one = {**settings, "ignore": ["lm_head", "model.layers.1.mlp.experts"]}
    report = graphacct.account({**file, "quantization_config": one})
    assert report.total["param_bytes"] == size(attention + dense + expert, 8 + 3 + 3)


def test_attention() -> None:
    """Written out or in one node, as asked; the header says so."""
    kinds = {}
    for attention in ("eager", "fused"):
        report = graphacct.account(PRENORM, seq_len=8, attention=attention)
        assert report.workload["attention"] == attention
        kinds[attention] = {row.operator for row in report.by_scope}
    assert "softmax" in kinds["eager"] - kinds["fused"]
    assert "scaled_dot_product_attention" in kinds["fused"] - kinds["eager"]


PAIR = {
    "model_type": "video_llava",
    "architectures": ["Video_LlavaForConditionalGeneration"],
    "text_config": {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    "vision_config": {"model_type": "clip_vision_model", "hidden_size": 32, "num_attention_heads": 2},
}


def test_keys_of_a_nested_configuration() -> None:
    """By their path; a class's name may have other capitals and underscores than the library's."""
    two = graphacct.account(PAIR, seq_len=8)
    one = graphacct.account(PAIR, seq_len=8, set={"text_config.num_hidden_layers": 1})
    assert "VideoLlavaForConditionalGeneration" in str(two.workload["through"])
    assert 0 < one.total["matmul_flops"] < two.total["matmul_flops"]
    with pytest.raises(GraphacctError, match=r"did you mean .*'text_config.num_hidden_layers'"):
        graphacct.account(PAIR, seq_len=8, set={"num_hidden_layers": 1})


def test_a_dtype_of_the_text_alone() -> None:
    """It is the model's, which says none."""
    file = {**PAIR, "text_config": {**PAIR["text_config"], "dtype": "bfloat16"}}  # type: ignore[dict-item]
    assert graphacct.account(file, seq_len=8).workload["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"model_type": "nobodys"},
            {},
            r"no architecture reads model_type 'nobodys'(.|\n)*; transformers .* has none",
        ),
        (
            {"architectures": ["RobertaPreLayerNormForMaskedLn"]},
            {},
            f"no such class; did you mean '{CLASS}'",
        ),
        (
            {},
            {"cache_len": 8},
            f"'{KIND}' takes no cache_len, but set, dtype, phase, inputs, dynamic, batch",
        ),
        (
            {},
            {"phase": "decode"},
            f"'{KIND}' has no phase 'decode': it runs once, on the inputs .*: forward or train",
        ),
        ({}, {"attention": "absorbed"}, f"attention 'absorbed' of '{KIND}': its class has eager, fused"),
        (
            {"model_type": "rwkv", "architectures": None},
            {"attention": "eager"},
            "RwkvModel has no choice of attention: leave attention out",
        ),
        ({}, {"set": {"num_hiden_layers": 2}}, "has no key 'num_hiden_layers'; did you mean 'num_hidden_layers'"),
        ({}, {"set": {"foo.bar": 2}}, "set=foo.bar: the configuration has no key 'foo.bar'"),
        ({}, {"set": {"attn_implementation": "eager"}}, "a file does not choose kernels: attention= does"),
        ({}, {"seq_len": 0}, "seq_len 0 is no positive integer"),
        (
            {},
            {"inputs": {"inputs_ids": "2x7:int64"}},
            f"'{CLASS}' takes no inputs_ids; did you mean",
        ),
        (
            {"model_type": "sam3_tracker_video", "architectures": None},
            {},
            "needs inference_session, of type Sam3TrackerVideoInferenceSession: give it from a factory",
        ),
        (
            {"model_type": "gemma4_assistant", "architectures": None},
            {},
            "refuses the configuration: .* 'validate_architecture': ValueError: hidden_size_per_layer_input must be 0",
        ),
        ({"model_type": "align_text_model", "architectures": None}, {}, "has no model of 'align_text_model' alone"),
        (
            {"hidden_act": "no_such"},
            {},
            f"transformers' {CLASS} is not built: KeyError: 'no_such'",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    """What is wrong and the way out, in one line."""
    with pytest.raises(GraphacctError, match=message):
        graphacct.account({**PRENORM, **changes}, **options)


def test_a_model_with_adapters_without_inputs() -> None:
    """It gets those of the model inside."""
    peft = pytest.importorskip("peft")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 99}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(intermediate_size=48, **sizes))
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["q_proj"]))
    assert graphacct.account(adapted).workload["inputs"] == "input_ids=1x128:int64"
