"""The modules that settings of quantization name, as real files spell them, and what a model does not have."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, ReadError
from graphacct.hooks.manager import default
from graphacct.models.module_patterns import matches

SIZES: dict[str, Any] = {
    "vocab_size": 1000,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}
LLAMA = {"model_type": "llama", **SIZES}
MIXTRAL = {"model_type": "mixtral", "num_local_experts": 4, **SIZES}
QWEN = {
    "model_type": "qwen3_moe",
    "head_dim": 32,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 128,
    **SIZES,
}
ATTENTION = 2 * 256 * 256 + 2 * 128 * 256
"""The elements of a layer's q, o, k and v."""
STATIC = {"dynamic": False}
FP8 = {"num_bits": 8, "type": "float", "strategy": "tensor"}


def stored(content: dict[str, Any], settings: dict[str, Any]) -> graphacct.Report:
    return graphacct.account({**content, "quantization_config": settings}, seq_len=4)


def plain(content: dict[str, Any]) -> int:
    return graphacct.account(content, seq_len=4).total["param_bytes"]  # type: ignore[return-value]


def ct(*ignore: str, **more: Any) -> dict[str, Any]:
    """Settings of compressed-tensors: a byte an element and a 16-bit scale a matrix."""
    group = {"targets": ["Linear"], "weights": FP8}
    return {"quant_method": "compressed-tensors", "config_groups": {"g": group}, "ignore": ["lm_head", *ignore], **more}


@pytest.mark.parametrize(
    "ignored",
    ["re:.*block_sparse_moe.*", "re:model.layers.[0-9].block_sparse_moe", "re:^(?!.*self_attn).*", "*.mlp"],
)
def test_experts_by_their_older_place(ignored: str) -> None:
    """Mixtral's files have `block_sparse_moe` where the class has `mlp`: attention's four matrices alone are stored so,
    one byte less an element and a scale of 2 for each."""
    found = stored(MIXTRAL, ct(ignored)).total["param_bytes"]
    assert found == plain(MIXTRAL) - 2 * ATTENTION + 2 * 2 * 4


def test_lists_that_name_every_expert() -> None:
    """An older GPTQ file lists the modules of a block, all experts by their index: 4 bits, for each group of 128 of an
    output 2 and a half bytes, and 4 for each input. w1 and w3 are 512 x 256, w2 is 256 x 512."""
    names = [[f"block_sparse_moe.experts.{index}.{part}" for index in range(4)] for part in ("w1", "w2", "w3")]
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 128, "modules_in_block_to_quantize": names}
    w1 = 512 * 256 // 2 + 512 * 2 * 5 // 2 + 4 * 256
    w2 = 512 * 256 // 2 + 256 * 4 * 5 // 2 + 4 * 512
    assert stored(MIXTRAL, settings).total["param_bytes"] == plain(MIXTRAL) + 2 * 4 * (2 * w1 + w2 - 3 * 2 * 512 * 256)


def test_experts_of_mlx() -> None:
    """MLX calls them `switch_mlp`: down_proj of layer 0 has 6 bits where the others have 4, of 4 x 256 x 128
    elements."""
    mlx = {"group_size": 64, "bits": 4}
    six = {**mlx, "model.layers.0.mlp.switch_mlp.down_proj": {"group_size": 64, "bits": 6}}
    assert stored(QWEN, six).total["param_bytes"] == stored(QWEN, mlx).total["param_bytes"] + 4 * 256 * 128 // 4  # type: ignore[operator]


@pytest.mark.parametrize("prefix", ["language_model.model", "model.language_model", "language_model", "model"])
@pytest.mark.parametrize("ending", ["layers.0.self_attn*", "layers.0.self_attn"])
def test_a_text_model_of_a_larger_one(prefix: str, ending: str) -> None:
    """Its files have the larger model's prefix before the names of layers and the head."""
    settings = {"quant_method": "modelopt", "quant_algo": "FP8", "ignore": [f"{prefix}.{ending}", "lm_head", "visual"]}
    layer = ATTENTION + 3 * 256 * 512
    size = plain(LLAMA) - 2 * layer + 8 * 14 + ATTENTION - 8 * 4
    assert stored(LLAMA, settings).total["param_bytes"] == size
    regex = ct(rf"re:{prefix}\.layers\.0\.self_attn\..*")
    assert stored(LLAMA, regex).total["param_bytes"] == plain(LLAMA) - 2 * layer + 2 * 14 + ATTENTION - 2 * 4


def test_lists_of_transformers_have_regular_expressions() -> None:
    """As should_convert_module reads them, up to the end of a part: `layers.1` and not `layers.10`."""
    model = {**LLAMA, "num_hidden_layers": 11}
    settings = {"quant_method": "fp8", "modules_to_not_convert": ["lm_head", r"model\.layers\.(0|1)"]}
    layer = ATTENTION + 3 * 256 * 512
    scales = 4 * (4 + 2 + 2 + 4 + 3 * 8)  # blocks of 128 x 128 of the seven matrices
    assert stored(model, settings).total["param_bytes"] == plain(model) - 9 * (layer - scales)


def test_modules_that_the_model_does_not_have() -> None:
    """One that has settings of its own is named under the report; one that is left out would change nothing."""
    settings = {"group_size": 64, "bits": 4, "model.layers.0.mlp.frob": {"group_size": 64, "bits": 8}}
    report = stored(LLAMA, settings)
    assert report.config_keys is not None
    assert report.config_keys.not_understood == ("quantization of model.layers.0.mlp.frob",)
    assert report.config_keys.notes() == ("not understood: quantization of model.layers.0.mlp.frob",)
    more = stored(LLAMA, {**settings, "vision.proj": False, "vision.fc": False}).config_keys
    assert more is not None
    assert more.not_understood == ("quantization of model.layers.0.mlp.frob and 2 more modules",)
    left = stored(LLAMA, {"quant_method": "awq", "bits": 4, "modules_to_not_convert": ["visual"]}).config_keys
    assert left is not None
    assert left.not_understood == ()


def test_any_expert_is_not_one_of_many() -> None:
    """An expression that takes any number tells no experts apart, however many there are."""
    model = {**QWEN, "num_experts": 100_000}
    for name in (r"re:.*experts\.\d+\.frob", r"re:.*experts\.[0-9]+\.frob", "*.experts.*.frob"):
        assert stored(model, ct(name)).total["param_bytes"] == stored(model, ct()).total["param_bytes"]


def only(target: str) -> dict[str, Any]:
    return {**ct(), "config_groups": {"g": {"targets": [target], "weights": FP8}}}


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (LLAMA, only("re:.*frob.*"), "no matrix of 'llama' is called 're:.*frob.*'"),
        (LLAMA, ct("re:.*layers.*"), "its exceptions leave no matrix of 'llama' to store so"),
        (
            QWEN,
            ct("model.layers.0.mlp.experts.3.down_proj"),
            "store 'model.layers.0.mlp.experts.0.down_proj' in fp8:scale=bfloat16 and "
            "'model.layers.0.mlp.experts.3.down_proj' in its dtype: both are in the parameter "
            "'model.layers.0.mlp.experts.down_proj', which has one format",
        ),
        (
            QWEN,
            ct("re:.*experts.*up_proj"),
            "'model.layers.0.mlp.experts.0.gate_proj' in fp8:scale=bfloat16 and "
            "'model.layers.0.mlp.experts.0.up_proj' in its dtype",
        ),
        (LLAMA, ct(*(f"*a{index}*" for index in range(2049))), "2,049 globs and regular expressions name modules"),
        (
            {**QWEN, "num_experts": 2000},
            ct(r"re:.*experts\.[13]\.w2"),
            r"the pattern 're:.*experts\\.[13]\\.w2' may tell 2,000 experts apart, and 1,024 is the most",
        ),
        (QWEN, ct(r"re:.*experts\.[13]\.w2"), "'model.layers.0.mlp.experts.1.down_proj' in its dtype"),
    ],
)
def test_what_cannot_be_counted(content: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    """Settings that match nothing, and those that tell the matrices of one parameter apart, are errors."""
    with pytest.raises(ConfigError) as caught:
        stored(content, settings)
    assert message in str(caught.value)
    assert str(caught.value).endswith("weights=FORMAT counts them in another format, as 'bf16'")


def test_the_parameter_of_all_experts_by_its_own_name() -> None:
    """`gate_up_proj` in a list or an expression is both projections; so is `experts`."""
    size = plain(QWEN) - 2 * (ATTENTION + 4 * 256 * 128) + 2 * 2 * (4 + 4)
    for name in ("mlp.experts.gate_up_proj", "re:.*gate_up_proj", r"re:.*mlp\.experts\.\d+\.(gate|up)_proj"):
        assert stored(QWEN, ct(name)).total["param_bytes"] == size
    alone = plain(QWEN) - 2 * ATTENTION + 2 * 2 * 4
    for name in ("mlp.experts", "re:.*experts.*", "*experts*"):
        assert stored(QWEN, ct(name)).total["param_bytes"] == alone


def test_a_gate_of_one_output_stays() -> None:
    """GPTQ and AWQ pack several outputs into a word; Qwen2-MoE's gate of the shared expert has one, and its published
    files leave it in 16 bits."""
    model = {
        **{"model_type": "qwen2_moe", "num_experts": 4, "moe_intermediate_size": 128},
        **{"shared_expert_intermediate_size": 128, **SIZES},
    }
    matrices = 2 * (ATTENTION + 4 * 3 * 128 * 256 + 3 * 128 * 256)
    settings = {"quant_method": "awq", "bits": 4, "group_size": 128}
    # 128 elements: 64 bytes, 2 of a scale, a half of a zero point
    assert stored(model, settings).total["param_bytes"] == plain(model) - 2 * matrices + matrices * 133 // 256


def test_rows_that_mlx_leaves() -> None:
    """down_proj has 544 inputs, 8 and a half groups of 64: it stays in 16 bits, as mlx_lm leaves it. All else has 36
    bytes for each 64 elements, norms apart."""
    model = {**LLAMA, "intermediate_size": 544}
    left, norms = 2 * 256 * 544, 5 * 256
    size = (plain(model) // 2 - left - norms) * 36 // 64 + 2 * (left + norms)
    assert stored(model, {"group_size": 64, "bits": 4}).total["param_bytes"] == size
    with pytest.raises(ConfigError, match="its 544 inputs are no whole number of blocks of 64"):
        graphacct.account(model, seq_len=4, weights="mlx:4")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"group_size": 16, "bits": 4, "mode": "nvfp4", "model.layers.0.mlp": {"global_scale": True}},
            "model.layers.0.mlp has the setting 'global_scale', which is not known; known: bits, group_size, mode",
        ),
        ({"quant_method": "awq", "bits": 4, "checkpoint_format": "gemv"}, "checkpoint_format 'gemv' is not known"),
        ({"quant_method": "awq", "bits": 4, "lm_head": True}, "lm_head True is not known; known: False"),
        ({"quant_method": "gptq", "bits": 4, "method": "qqq"}, "method 'qqq' is not known; known: gptq"),
    ],
)
def test_settings_that_store_something_else(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        stored(LLAMA, settings)
    assert message in str(caught.value)


def test_groups_of_modelopt() -> None:
    """Several groups are read as such, whatever the algorithm of the whole is called: q_proj in FP8 with two scales of
    4 bytes, and up_proj in NVFP4 with two."""
    eight, four = {"num_bits": 8, "type": "float"}, {"num_bits": 4, "type": "float", "group_size": 16}
    groups = {
        "a": {"targets": ["model.layers.0.self_attn.q_proj"], "weights": eight, "input_activations": STATIC},
        "b": {"targets": ["model.layers.1.mlp.up_proj"], "weights": four, "input_activations": STATIC},
    }
    settings = {"quant_method": "modelopt", "quant_algo": "NVFP4", "config_groups": groups, "ignore": ["lm_head"]}
    q, up = 256 * 256, 256 * 512
    assert stored(LLAMA, settings).total["param_bytes"] == plain(LLAMA) - q + 8 - 2 * up + up * 9 // 16 + 8


def test_a_text_model_in_a_file_of_a_larger_one() -> None:
    """The way out of a family that nobody reads takes the settings of quantization along; such a file is read."""
    outer = {"model_type": "frob_vl", "text_config": LLAMA, "quantization_config": ct("language_model.lm_head")}
    with pytest.raises(ReadError) as caught:
        graphacct.account(outer)
    assert "save that object, with the file's quantization_config in it, as a config.json of its own" in str(
        caught.value
    )
    assert stored(LLAMA, ct("language_model.lm_head")).workload["weights"] == "fp8:scale=bfloat16"


def test_the_cache_by_vllms_names() -> None:
    """`fp8_e4m3` and `fp8_e5m2` are a byte for each of 2 layers' keys and values of 4 heads of 32."""
    for name in ("fp8", "fp8_e4m3", "fp8_e5m2"):
        report = graphacct.account(LLAMA, phase="decode", cache_len=3, kv_dtype=name)
        assert report.total["kv_bytes_per_token"] == 2 * 2 * 4 * 32


def test_a_text_model_s_own_settings() -> None:
    """Those in text_config are of the text model alone, those of the file of all; a file beside needs a path."""
    kinds = default().weight_formats
    settings = {"quant_method": "fp8", "modules_to_not_convert": []}
    inner = graphacct.stated_weights({"text_config": {"quantization_config": settings}}, "", kinds)
    outer = graphacct.stated_weights({"text_config": {}, "quantization_config": settings}, "", kinds)
    assert inner is not None
    assert inner.plan is not None
    (pattern,) = inner.plan.exceptions
    left = ("model.vision_tower.layers.0.fc1", "vision_tower.fc1")
    assert all(matches(pattern, name) for name in left)
    stored = ("model.language_model.layers.0.q", "language_model.q", "lm_head")
    assert not any(matches(pattern, name) for name in stored)
    assert outer is not None
    assert outer.plan is not None
    assert outer.plan.exceptions == ()
    assert graphacct.stated_weights({}, "", kinds) is None
