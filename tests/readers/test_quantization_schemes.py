"""The schemes of compressed-tensors, and the settings of older files, by arithmetic."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "torch_dtype": "bfloat16",
}
WHOLE = 3 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 256 * 512)
"""The elements of all matrices: q and o, k and v, gate, up and down of each layer."""
ROWS = 3 * (256 + 128 + 128 + 256 + 512 + 512 + 256)
"""Their outputs."""
COLUMNS = 3 * (6 * 256 + 512)
"""Their inputs."""
OTHERS = 2 * (2 * 1000 * 256 + 7 * 256)
"""The bytes of the embedding, the head and seven norms in bfloat16."""
W4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True}
W8 = {"num_bits": 8, "type": "float", "strategy": "channel"}
PACKED = WHOLE // 2 + WHOLE // 64 + 16 * 21 + OTHERS
"""Half a byte an element, a scale of 2 bytes for each 128, two int64 as the shape of each of 21 matrices."""


def stored(settings: dict[str, Any]) -> graphacct.Report:
    return graphacct.account({**LLAMA, "quantization_config": settings}, seq_len=4)


STATIC = {"num_bits": 8, "type": "int", "strategy": "tensor", "dynamic": False, "symmetric": False}


def ct(weights: dict[str, Any], stored_as: str | None = None, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """One group's settings. The sizes that follow are those that compressed-tensors 0.20 stores (compress_model)."""
    group = {"targets": ["Linear"], "weights": weights, "input_activations": inputs}
    said = {"quant_method": "compressed-tensors", "config_groups": {"g": group}, "ignore": ["lm_head"]}
    return said if stored_as is None else {**said, "format": stored_as}


@pytest.mark.parametrize("order", [True, "group", "dynamic"])
def test_an_order_of_inputs_that_is_stored(order: object) -> None:
    """An int32 for each input, under each of the names that the setting has had; `weight` orders while it calibrates,
    and stores nothing."""
    assert stored(ct({**W4, "actorder": order}, "pack-quantized")).total["param_bytes"] == PACKED + 4 * COLUMNS
    for idle in (None, False, "weight", "static"):
        assert stored(ct({**W4, "actorder": idle}, "pack-quantized")).total["param_bytes"] == PACKED


@pytest.mark.parametrize(
    ("settings", "size", "text"),
    [
        # squares of 128: 36 in a layer (q and o 4, k and v 2, gate, up and down 8), a bfloat16 each
        (
            ct({**W8, "strategy": "block", "block_structure": "128x128"}),
            WHOLE + 2 * 3 * 36 + OTHERS,
            "fp8:block=128:scale=bfloat16",
        ),
        # a float32 for each 128 inputs of an output
        ({"quant_method": "fp8", "weight_block_size": [1, 128]}, WHOLE + 4 * WHOLE // 128 + OTHERS, "fp8:block=1x128"),
        # one for each 64 outputs and 128 inputs
        (
            {"quant_method": "fp8", "weight_block_size": [64, 128]},
            WHOLE + 4 * WHOLE // (64 * 128) + OTHERS,
            "fp8:block=64x128",
        ),
        (
            {"quant_method": "fp8", "weight_block_size": [128, 1]},
            WHOLE + 4 * WHOLE // 128 + OTHERS,
            "fp8:block=128x1",
        ),
        (ct(W4 | {"num_bits": 2}, "pack-quantized"), PACKED - WHOLE // 4, "packed:2:group=128"),
        (
            ct({"num_bits": 8, "type": "float", "strategy": "group", "group_size": 32}, "mxfp8-quantized"),
            WHOLE * 33 // 32 + OTHERS,
            "mxfp8",
        ),
        # a scale of each matrix of int8, with one of its inputs and their zero point; or a scale of each output
        (
            ct({**W8, "type": "int", "strategy": "tensor"}, "int-quantized", STATIC),
            WHOLE + (2 + 2 + 1) * 21 + OTHERS,
            "int8:scale=bfloat16:tensor:static:zero",
        ),
        (
            ct({**W8, "type": "int"}, "int-quantized", STATIC),
            WHOLE + 2 * ROWS + (2 + 1) * 21 + OTHERS,
            "int8:scale=bfloat16:static:zero",
        ),
        ({"quant_method": "awq", "bits": 4, "group_size": -1}, WHOLE // 2 + ROWS * 5 // 2 + OTHERS, "awq:4:group=-1"),
    ],
)
def test_the_bytes_of_a_scheme(settings: dict[str, Any], size: int, text: str) -> None:
    report = stored(settings)
    assert report.total["param_bytes"] == size
    assert report.workload["weights"] == text


def test_groups_that_differ() -> None:
    """Attention in 8 bits and a scale of 2 for each of 768 outputs of a layer; gate, up and down in NVFP4: 9 bytes for
    each 16 and two scales of 4. Each group has its own form, where the whole says `mixed-precision`."""
    attention = {"targets": ["re:.*self_attn.*"], "weights": W8, "format": "float-quantized"}
    nvfp4 = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
    local = {**nvfp4, "dynamic": "local"}
    mlp = {
        "targets": ["re:.*mlp.*"],
        "weights": nvfp4,
        "input_activations": local,
        "format": "nvfp4-pack-quantized",
    }
    said = {"quant_method": "compressed-tensors", "format": "mixed-precision", "ignore": ["lm_head"]}
    report = stored({**said, "config_groups": {"a": attention, "b": mlp}})
    sparse = 3 * 3 * 256 * 512
    size = (WHOLE - sparse) + 2 * 3 * 768 + sparse * 9 // 16 + 8 * 9 + OTHERS
    assert report.total["param_bytes"] == size
    assert report.workload["weights"] == "mixed: fp8:channel:scale=bfloat16, nvfp4"


def test_a_module_by_its_name_is_before_a_pattern_and_a_class() -> None:
    """As compressed-tensors (match_targets) sorts them: down of layer 0 in 8 bits, the other downs in 4, whatever the
    order of the groups."""
    down = 256 * 512
    groups = {
        "a": {"targets": ["Linear"], "weights": W8},
        "b": {"targets": ["re:.*down_proj"], "weights": W4, "format": "pack-quantized"},
        "c": {"targets": ["model.layers.0.mlp.down_proj"], "weights": W8},
    }
    said = {"quant_method": "compressed-tensors", "ignore": ["lm_head"], "config_groups": groups}
    size = (WHOLE - 2 * down) + 2 * (ROWS - 2 * 256) + 2 * (down // 2 + down // 64 + 16) + OTHERS
    assert stored(said).total["param_bytes"] == size


def test_gptq_says_all_its_formats() -> None:
    """`dynamic` overrides the bits of down_proj: 2 elements a byte more, and a half byte more of a zero point for each
    of 4 groups of 256 outputs."""
    plain = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    report = stored({**plain, "dynamic": {r"+:.*\.down_proj": {"bits": 8}, r"-:.*\.frob": {}}})
    more = 3 * (256 * 512 // 2 + 256 * 4 // 2)
    assert report.total["param_bytes"] == stored(plain).total["param_bytes"] + more  # type: ignore[operator]
    assert report.workload["weights"] == "mixed: gptq:4:group=128, gptq:8:group=128"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ct({**W4, "actorder": "odd"}, "pack-quantized"), "actorder is 'odd', which is not known"),
        (ct(W8, "dense"), "8 bits of float, strategy channel, format dense is not known"),
        (ct({**W8, "type": "int"}, "marlin-24"), "8 bits of int, strategy channel, format marlin-24 is not known"),
        (ct({**W8, "strategy": "block", "block_structure": "128"}), "block_structure is '128', not two numbers"),
        (ct({**W8, "strategy": "block"}), "block_structure is None, not two numbers"),
        (
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": True},
            "load_in_4bit and load_in_8bit are both true, and exclude each other",
        ),
        ({"quant_method": "fp8", "modules_to_not_convert": ["(mlp"]}, "is no regular expression"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stored(settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(("inside", "scale_fmt", "scale"), [(True, "ue8m0", 1), (False, "ue8m0", 1), (True, None, 4)])
def test_experts_of_four_bits_in_a_model_of_eight(inside: bool, scale_fmt: str | None, scale: int) -> None:
    """Each expert half a byte an element and a scale for each 32 inputs of an output; all else in blocks of fp8. The
    setting stands among the others, or in the file beside them as DeepSeek-V4's does."""
    keys = {
        "model_type": "qwen3_moe",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "head_dim": 16,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "moe_intermediate_size": 32,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "vocab_size": 100,
        "torch_dtype": "bfloat16",
    }
    experts = {"expert_dtype": "fp4"}
    settings = {"quant_method": "fp8", "weight_block_size": [64, 64], "scale_fmt": scale_fmt}
    file = {**keys, "quantization_config": {**settings, **(experts if inside else {})}, **({} if inside else experts)}
    report = graphacct.account(file, seq_len=4)
    expert, attention = 3 * 32 * 64, 4 * (64 * 64)
    layer = 4 * (expert // 2 + scale * expert // 32) + attention + 4 * (scale if scale == 1 else 4)
    rest = 2 * (2 * 100 * 64 + 64) + 2 * 2 * (4 * 64 + 2 * 64 + 2 * 16)
    assert report.total["param_bytes"] == 2 * layer + rest
    name = "mxfp4" if scale == 1 else "mxfp4:scale=float32"
    assert str(report.workload["weights"]).endswith(f", {name}")
