"""How files say that weights are stored: each method's bytes by arithmetic, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import graphacct
from graphacct.cli import cli
from graphacct.errors import ConfigError, ReadError

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "torch_dtype": "bfloat16",
}
LAYER = 2 * 256 * 256 + 2 * 128 * 256 + 3 * 256 * 704
"""The elements of a layer's seven matrices: q and o, k and v, gate, up and down."""
WHOLE = 3 * LAYER
ROWS = 3 * (256 + 128 + 128 + 256 + 704 + 704 + 256)
"""The outputs of all matrices."""
COLUMNS = 3 * (6 * 256 + 704)
"""Their inputs."""
OTHERS = 2 * (2 * 1000 * 256 + 7 * 256)
"""The bytes of the embedding, the head and seven norms in bfloat16."""
HEAD = 1000 * 256


def ct(weights: dict[str, Any], inputs: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The settings of compressed-tensors with one group."""
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, "ignore": ["lm_head"], **more}


def stored(settings: Any, key: str = "quantization_config", **options: Any) -> graphacct.Report:
    return graphacct.account({**LLAMA, key: settings}, seq_len=4, **options)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        # blocks of 128 x 128: 4 of q and of o, 2 of k and of v, 6 · 2 of gate, up and down; a float32 each
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, WHOLE + 4 * 3 * 48 + OTHERS),
        ({"quant_method": "fp8"}, WHOLE + 4 * 3 * 48 + OTHERS),
        ({"quant_method": "fp8", "scale_fmt": "ue8m0"}, WHOLE + 3 * 48 + OTHERS),
        ({"quant_method": "fp8", "weight_block_size": None}, WHOLE + 4 * 21 + OTHERS),
        ({"quant_method": "fp8", "ignored_layers": ["lm_head"]}, WHOLE + 4 * 21 + OTHERS),
        ({"quant_method": "fp8", "weight_block_size": None, "activation_scheme": "static"}, WHOLE + 8 * 21 + OTHERS),
        # a list of modules does not name the head: 8 · 2 blocks more
        (
            {"quant_method": "fp8", "modules_to_not_convert": ["model.layers.1.mlp.down_proj"]},
            WHOLE + 4 * (3 * 48 - 12 + 16) + OTHERS - HEAD + 256 * 704,
        ),
        ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, WHOLE + 4 * ROWS + OTHERS),
        # group of 128: 2 in rows of 256 (down's 704 have 6); a 16-bit scale and a 4-bit zero point; an int32 an input
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True, "sym": True},
            WHOLE // 2 + 3 * (2 * (768 + 1408) + 1536) * 5 // 2 + 4 * COLUMNS + OTHERS,
        ),
        ({"quant_method": "gptq", "bits": 8, "group_size": -1}, WHOLE + 3 * ROWS + 4 * COLUMNS + OTHERS),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 64, "dynamic": {r"-:.*mlp\..*": {}}},
            3 * (LAYER - 3 * 256 * 704) * (64 * 4 + 20) // (64 * 8) + 3 * 4 * 4 * 256 + 2 * 3 * 3 * 256 * 704 + OTHERS,
        ),
        # 64 elements: 32 bytes, a 16-bit scale and a 4-bit zero point
        ({"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemm"}, WHOLE * 69 // 128 + OTHERS),
        ({"w_bit": 4, "q_group_size": 64, "zero_point": True}, WHOLE * 69 // 128 + OTHERS),
        # half a byte, a float32 for each 64, a table of 16 float32 for each of 21 matrices
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            WHOLE // 2 + WHOLE // 16 + 64 * 21 + OTHERS,
        ),
        (
            {"_load_in_4bit": True, "llm_int8_skip_modules": ["mlp", "self_attn"], "quant_method": "bitsandbytes"},
            2 * WHOLE + HEAD // 2 + HEAD // 16 + 64 + OTHERS - 2 * HEAD,
        ),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, WHOLE + 4 * ROWS + OTHERS),
        ({"quant_method": "bitsandbytes", "load_in_8bit": False}, 2 * WHOLE + OTHERS),
        # scales of compressed-tensors have the dtype of the weights
        (ct({"num_bits": 8, "type": "float", "strategy": "tensor"}), WHOLE + 2 * 21 + OTHERS),
        (ct({"num_bits": 8, "type": "float"}, {"num_bits": 8, "dynamic": False}), WHOLE + 4 * 21 + OTHERS),
        (ct({"num_bits": 8, "type": "float", "strategy": "channel"}, {"dynamic": True}), WHOLE + 2 * ROWS + OTHERS),
        (ct({"num_bits": 8, "type": "int", "strategy": "channel"}), WHOLE + 2 * ROWS + OTHERS),
        (
            ct({"num_bits": 4, "type": "int", "strategy": "group", "group_size": 64}, format="pack-quantized"),
            WHOLE // 2 + WHOLE // 32 + 16 * 21 + OTHERS,
        ),
        (
            ct(
                {"num_bits": 4, "type": "int", "group_size": 64, "symmetric": False, "actorder": "group"},
                format="pack-quantized",
            ),
            WHOLE // 2 + WHOLE // 32 + WHOLE // 128 + 16 * 21 + 4 * COLUMNS + OTHERS,
        ),
        (ct({"num_bits": 4, "type": "float", "group_size": 16}, {}), WHOLE * 9 // 16 + 8 * 21 + OTHERS),
        (ct({"num_bits": 4, "type": "float", "group_size": 16}), WHOLE * 9 // 16 + 4 * 21 + OTHERS),
        (
            {**ct({"num_bits": 8, "type": "float", "strategy": "tensor"}), "ignore": ["re:.*mlp.*"]},
            WHOLE - 9 * 256 * 704 + 18 * 256 * 704 + HEAD + 2 * 13 + OTHERS - 2 * HEAD,
        ),
        ({"quant_method": "mxfp4"}, WHOLE * 17 // 32 + OTHERS),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]}, WHOLE + 8 * 21 + OTHERS),
        ({"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}, WHOLE * 9 // 16 + 8 * 21 + OTHERS),
        # MLX: tables and the head too; 64 elements are 32 bytes, a scale and a bias of 16 bits
        ({"group_size": 64, "bits": 4}, (WHOLE + 2 * HEAD) * 36 // 64 + 2 * 7 * 256),
        (
            {
                "group_size": 64,
                "bits": 4,
                "model.layers.0.mlp.down_proj": {"group_size": 64, "bits": 8},
                "lm_head": False,
            },
            (WHOLE + HEAD) * 36 // 64 + 256 * 704 // 2 + 2 * HEAD + 2 * 7 * 256,
        ),
        ({"group_size": 32, "bits": 4, "mode": "mxfp4"}, (WHOLE + 2 * HEAD) * 17 // 32 + 2 * 7 * 256),
    ],
)
def test_the_bytes_of_each_method(settings: dict[str, Any], size: int) -> None:
    """Elements, scales and zero points by arithmetic; parameters and work are those of the unpacked model."""
    report, plain = stored(settings), graphacct.account(LLAMA, seq_len=4)
    assert report.total["param_bytes"] == size
    for name in ("params", "flops", "activation_bytes"):
        assert report.total[name] == plain.total[name]
    assert report.config_keys is not None
    assert report.config_keys.not_understood == ()


def test_older_keys() -> None:
    """`quantization` of MLX's older files and `compression_config` are the same settings; the first key counts."""
    mlx = {"group_size": 64, "bits": 4}
    size = stored(mlx).total["param_bytes"]
    assert stored(mlx, "quantization").total["param_bytes"] == size
    both = {**LLAMA, "quantization": mlx, "quantization_config": mlx}
    assert graphacct.account(both, seq_len=4).total["param_bytes"] == size
    settings = ct({"num_bits": 8, "type": "float", "strategy": "tensor"})
    assert stored(settings, "compression_config").total["param_bytes"] == WHOLE + 2 * 21 + OTHERS


def folder(path: Path, beside: Any = None, name: str = "hf_quant_config.json", **more: Any) -> Path:
    (path / "config.json").write_text(json.dumps({**LLAMA, **more}))
    if beside is not None:
        (path / name).write_text(json.dumps(beside))
    return path


def test_the_file_beside(tmp_path: Path) -> None:
    """modelopt's own file: the algorithm, the modules left out, and the dtype of the cache, a byte each for 3 layers'
    keys and values of 4 heads of 32."""
    said = {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16, "exclude_modules": ["lm_head"]}
    model = folder(tmp_path, {"producer": {"name": "modelopt", "version": "0.33"}, "quantization": said})
    report = graphacct.account(model, seq_len=4)
    assert report.total["param_bytes"] == WHOLE * 9 // 16 + 8 * 21 + OTHERS
    assert report.workload["weights"] == "nvfp4"
    assert "kv_dtype" not in report.workload
    decode = graphacct.account(model, cache_len=9, phase="decode")
    assert decode.total["kv_bytes_per_token"] == 3 * 2 * 4 * 32
    assert decode.workload["kv_dtype"] == "float8_e4m3fn"
    own = graphacct.account(model, cache_len=9, phase="decode", kv_dtype="bf16", weights="bf16")
    assert own.total["kv_bytes_per_token"] == 2 * 3 * 2 * 4 * 32
    assert own.total["param_bytes"] == 2 * WHOLE + OTHERS


def test_layers_that_differ(tmp_path: Path) -> None:
    """MIXED_PRECISION names each quantized module: one gate in FP8, another in 4 bits without a scale of its inputs."""
    layers = {
        "model.layers.0.mlp.gate_proj": {"quant_algo": "FP8"},
        "model.layers.1.mlp.gate_proj": {"quant_algo": "W4A16_NVFP4", "group_size": 16},
    }
    said = {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers, "exclude_modules": ["lm_head"]}
    report = graphacct.account(folder(tmp_path, {"quantization": said}), seq_len=4)
    gate = 704 * 256
    assert report.total["param_bytes"] == 2 * (WHOLE - 2 * gate) + (gate + 8) + (gate * 9 // 16 + 4) + OTHERS
    assert report.workload["weights"] == "mixed: fp8:static, nvfp4:w4a16"


def test_older_files_of_gptq(tmp_path: Path) -> None:
    """AutoGPTQ's quantize_config.json stood beside a config.json that said nothing."""
    report = graphacct.account(
        folder(tmp_path, {"bits": 8, "group_size": -1, "desc_act": False}, "quantize_config.json")
    )
    assert report.total["param_bytes"] == WHOLE + 3 * ROWS + 4 * COLUMNS + OTHERS


def test_the_header_says_it(tmp_path: Path) -> None:
    """The first line of the report, and `weights` in its workload; an own format counts before the file's."""
    path = str(folder(tmp_path, quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 64}))
    output = CliRunner().invoke(cli, ["report", path, "--seq-len", "4"]).stdout
    assert "weights gptq:4:group=64" in output.split("Scope")[0]
    output = CliRunner().invoke(cli, ["report", path, "--seq-len", "4", "--weights", "nf4"]).stdout
    assert "weights nf4" in output.split("Scope")[0]
    output = CliRunner().invoke(cli, ["report", path, "--seq-len", "4", "--set", "quantization_config.bits=8"]).stdout
    assert "weights gptq:8:group=64" in output.split("Scope")[0]
    wrong = CliRunner().invoke(cli, ["report", path, "--seq-len", "4", "--set", "quantization_config.bitz=8"])
    assert (wrong.exit_code, "no configuration key 'quantization_config.bitz'" in wrong.stderr) == (1, True)
    plain = graphacct.account(path, seq_len=4, set={"quantization_config": None})
    assert plain.total == graphacct.account(LLAMA, seq_len=4).total


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"quant_method": "aqlm", "nbits_per_codebook": 16},
            "quant_method is 'aqlm', which is not known; known: fp8, ",
        ),
        ({"quant_method": 3}, "quant_method is 3, which is not known"),
        ({"frob": 4}, "names no quant_method; known: fp8, "),
        ({"quant_method": "gptq", "bits": "four"}, "bits is 'four', not an integer"),
        ({"quant_method": "gptq", "desc_act": False}, "bits must be given: GPTQ has no default"),
        ({"quant_method": "gptq", "bits": 4, "lm_head": "yes"}, "lm_head is 'yes', not true or false"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": 1}, "load_in_4bit is 1, not true or false"),
        ({"quant_method": "gptq", "bits": 5}, "weights 'gptq:5:group=128': bits is 2, 3, 4 or 8, not 5"),
        ({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}, "checkpoint_format 'marlin' is not known"),
        (
            {"quant_method": "gptq", "bits": 4, "groupsize": 32},
            "'groupsize' is no setting of gptq; did you mean 'group_size'?",
        ),
        ({"quant_method": "fp8", "weight_block_sise": [64, 64]}, "did you mean 'weight_block_size'?"),
        ({"quant_method": "fp8", "weight_block_size": 64}, "weight_block_size is 64, not two numbers"),
        ({"quant_method": "fp8", "expert_dtype": "fp6"}, "expert_dtype 'fp6' is not known; known: fp8, fp4"),
        ({"quant_method": "fp8", "modules_to_not_convert": "lm_head"}, "is 'lm_head', not a list of modules' names"),
        ({"quant_method": "awq", "bits": 4, "version": "gemv"}, "version 'gemv' is not known"),
        ({"quant_algo": "W4A8_AWQ"}, "quant_algo is 'W4A8_AWQ', which is not known; known: FP8, "),
        ({"quant_algo": "FP8", "kv_cache_quant_algo": "NVFP4"}, "kv_cache_quant_algo is 'NVFP4', which is not known"),
        ({"quant_algo": "MIXED_PRECISION"}, "quantized_layers is None, not an object of modules"),
        ({"bits": 4, "group_size": 64, "mode": "nf4"}, "mode is 'nf4', which is not known"),
        (ct({"num_bits": 3, "type": "int"}), "3 bits of int, strategy tensor, format None is not known"),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": {}, "targets": ["Conv2d"]}}},
            "config_groups.a has the target 'Conv2d', a class that is not known",
        ),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"-:(": {}}}, "'re:(' is no regular expression"),
        (
            {"quant_method": "gptq", "bits": 4, "modules_in_block_to_quantize": [[3]]},
            "a module's name is 3, not a text",
        ),
        ({"quant_method": "fp8", "weight_block_size": [0, 0]}, "weight_block_size is [0, 0], not two positive numbers"),
        (ct({"num_bits": 8, "type": "float"}, sparsity_config={"format": "sparse-24"}), "sparsity_config "),
    ],
)
def test_what_is_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    """By name, with a way out that works: a format of the user's own."""
    path = folder(tmp_path, quantization_config=settings)
    with pytest.raises(ConfigError) as caught:
        graphacct.account(path, seq_len=4)
    text = str(caught.value)
    assert any(part in text for part in message.split("|")), text
    assert text.startswith(f"{path}: quantization_config: ")
    assert text.endswith("\nweights=FORMAT counts them in another format, as 'bf16'")
    assert graphacct.account(path, seq_len=4, weights="bf16").total["param_bytes"] == 2 * WHOLE + OTHERS


def test_settings_that_nobody_knows() -> None:
    """They are named as keys are; no settings at all is no quantization, and a text is an error."""
    report = stored({"quant_method": "gptq", "bits": 4, "group_size": 64, "frobnicate": 3, "desc_act": True})
    assert report.config_keys is not None
    assert report.config_keys.not_understood == ("quantization_config.frobnicate",)
    assert stored({}).total["param_bytes"] == stored(None).total["param_bytes"] == 2 * WHOLE + OTHERS
    with pytest.raises(ReadError, match="quantization_config is 'gptq', not an object of settings"):
        stored("gptq")


def test_a_row_of_no_whole_blocks_names_the_file(tmp_path: Path) -> None:
    """Down's 704 inputs are five and a half groups of 128, which AWQ does not store."""
    path = folder(tmp_path, quantization_config={"quant_method": "awq", "bits": 4, "group_size": 128})
    with pytest.raises(
        ConfigError, match=r"down_proj.weight' cannot be stored as awq:4:group=128: its 704 inputs"
    ) as e:
        graphacct.account(path, seq_len=4)
    assert str(e.value).startswith(f"{path}: ")
    assert str(e.value).endswith("\nweights=FORMAT counts them in another format, as 'bf16'")


def test_experts_in_a_file_of_gpt_oss() -> None:
    """The published gpt-oss-20b: 13,761,264,768 bytes (metadata.total_size of its model.safetensors.index.json)."""
    content = {
        "model_type": "gpt_oss",
        "vocab_size": 201088,
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "num_hidden_layers": 24,
        "num_local_experts": 32,
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "lm_head"],
            "quant_method": "mxfp4",
        },
    }
    assert graphacct.account(content, seq_len=4).total["param_bytes"] == 13_761_264_768


def test_a_quantized_file_is_trained_with_adapters(tmp_path: Path) -> None:
    """The base has the file's bytes, the adapters 16 bits; without adapters a step is an error."""
    path = folder(tmp_path, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    with pytest.raises(ConfigError, match="lora"):
        graphacct.memory(path, seq_len=4)
    step = graphacct.memory(path, seq_len=4, lora=("8:q_proj",))
    adapters = 3 * 8 * (256 + 256) * 2
    assert step.parameters == WHOLE // 2 + WHOLE // 16 + 64 * 21 + OTHERS + adapters
