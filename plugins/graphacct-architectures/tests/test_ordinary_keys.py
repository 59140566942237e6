"""Keys that published files have beside the sizes, and which change nothing: none is refused or left unexplained."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct import ConfigError, ReadError

OLD: dict[str, Any] = {
    **{"add_cross_attention": False, "chunk_size_feed_forward": 0, "is_decoder": False, "pruned_heads": {}},
    **{"tie_encoder_decoder": False, "cross_attention_hidden_size": None, "_num_labels": 2, "max_length": 20},
    **{"torchscript": False, "tf_legacy_loss": False, "_attn_implementation_autoset": True, "tokenizer_name": "gpt2"},
}
"""Keys that versions 4 of the transformers library wrote into every nested configuration."""
DECODER = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2}
ENCODER_DECODER = {"d_model": 32, "vocab_size": 64, "encoder_layers": 1, "decoder_layers": 1}
BART = {
    **{"force_bos_token_to_be_generated": False, "normalize_before": True, "normalize_embedding": False},
    **{"add_final_layer_norm": True, "static_position_embeddings": True, "extra_pos_embeddings": 0},
}
PUBLISHED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("gpt_neox", DECODER, {"is_decoder": True, "attention_probs_dropout_prob": 0}),
    ("llama", DECODER, {"max_sequence_length": 2048}),
    ("qwen2", DECODER, {"use_mrope": False}),
    ("phi3", DECODER, {"full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": False}),
    (
        "falcon",
        {"hidden_size": 32, "num_attention_heads": 4},
        {"ff_factor": 4, "ffn_hidden_size": 64, "new_decoder_architecture": True, "num_kv_heads": 2},
    ),
    ("nemotron", DECODER, {"rope_percent": 0.5, "rotary_base": 10000, "normalization": "layernorm1p"}),
    ("cohere2", DECODER, {"layer_switch": 4, "use_parallel_block": True, "use_embedding_sharing": True}),
    ("ernie4_5_moe", DECODER, {"use_rmsnorm": True, "moe_gate": "topk", "moe_capacity": [64, 64, 64]}),
    (
        "hunyuan_v1_moe",
        DECODER,
        {"num_experts": 2, "class_num": 0, "n_group": False, "position_embedding_xdrope": False},
    ),
    ("minimax_m2", DECODER, {"attn_type_list": [1, 1], "shared_moe_mode": "sigmoid", "mlp_intermediate_size": 8192}),
    ("mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2}, {"attn_config": {"attn_impl": "torch", "alibi_bias_max": 8}}),
    ("mamba2", {"hidden_size": 32, "head_dim": 16, "num_heads": 4, "n_groups": 1}, {"norm_before_gate": True}),
    ("bart", ENCODER_DECODER, BART),
    ("pegasus", ENCODER_DECODER, BART),
    ("mbart", ENCODER_DECODER, BART),
    ("marian", ENCODER_DECODER, BART),
]


@pytest.mark.parametrize(("kind", "sizes", "keys"), PUBLISHED, ids=[kind for kind, _, _ in PUBLISHED])
def test_keys_of_published_files_change_nothing(kind: str, sizes: dict[str, Any], keys: dict[str, Any]) -> None:
    plain = {"model_type": kind, **sizes}
    costly = {
        key: keys[key]
        for key in ("ffn_hidden_size", "new_decoder_architecture", "num_kv_heads", "num_experts")
        if key in keys
    }
    found = graphacct.account({**plain, **OLD, **keys}, seq_len=8)
    assert found.config_keys.not_understood == ()
    assert found.total == graphacct.account({**plain, **costly}, seq_len=8).total


def test_a_nested_configuration_of_older_versions() -> None:
    text = {
        "hidden_size": 48,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "projection_dim": 16,
    }
    vision = {**text, "image_size": 28, "patch_size": 14}
    for kind in ("clip", "altclip", "chinese_clip"):
        content = {
            "model_type": kind,
            "projection_dim": 16,
            "text_config": {**text, **OLD},
            "vision_config": {**vision, **OLD},
        }
        assert graphacct.account({**content, **OLD}).config_keys.not_understood == ()


def test_lightning_attention_is_not_minimax_m2() -> None:
    with pytest.raises(
        ReadError, match=r"attn_type_list is a list of ones, full attention in each layer, not \[0, 1\]"
    ):
        graphacct.account({"model_type": "minimax_m2", **DECODER, "attn_type_list": [0, 1]})


DERIVED: list[tuple[dict[str, Any], str, Any, Any]] = [
    ({"model_type": "dac"}, "hidden_size", 1024, 512),
    ({"model_type": "longcat_flash", "num_layers": 1}, "qk_head_dim", 192, 96),
    ({"model_type": "parakeet_encoder", "num_hidden_layers": 1}, "num_key_value_heads", 8, 2),
    ({"model_type": "phi4_multimodal"}, "audio_config.nemo_final_size", 10, 5),
    ({"model_type": "sam"}, "prompt_encoder_config.image_embedding_size", 64, 32),
    (
        {"model_type": "levit"},
        "down_ops",
        [["Subsample", 16, 8, 4, 2, 2], ["Subsample", 16, 16, 4, 2, 2]],
        [["Subsample", 16, 8, 4, 2, 2], ["Subsample", 16, 8, 4, 2, 2]],
    ),
    ({"model_type": "aria"}, "max_value_projector_patch_to_query_dict", 256, 300),
]
"""Keys that the class makes of others: what it makes, and something else."""


@pytest.mark.parametrize(("content", "path", "made", "other"), DERIVED, ids=[path for _, path, _, _ in DERIVED])
def test_a_key_that_others_make_has_to_agree(content: dict[str, Any], path: str, made: Any, other: Any) -> None:
    def stated(value: Any) -> dict[str, Any]:
        *outer, key = path.split(".")
        return {**content, **({outer[0]: {key: value}} if outer else {key: value})}

    assert graphacct.build(stated(made)).config_keys is not None
    with pytest.raises(
        (ReadError, ConfigError), match=rf"{path.rpartition('.')[2]} is .*, and the other keys make .*: leave it out"
    ):
        graphacct.build(stated(other))


def test_the_way_back_of_dac_has_strides_of_its_own() -> None:
    plain = graphacct.build({"model_type": "dac", "n_codebooks": 1})
    same = graphacct.build({"model_type": "dac", "n_codebooks": 1, "upsampling_ratios": [8, 8, 4, 2]})
    other = graphacct.build({"model_type": "dac", "n_codebooks": 1, "upsampling_ratios": [8, 16, 4, 2]})
    counts = [
        graphacct.account(graph, samples=1024).total["params"] if False else graphacct.account(graph).total["params"]
        for graph in (plain, same, other)
    ]
    assert counts[0] == counts[1] < counts[2]


def test_groups_of_layers_that_never_run_are_refused() -> None:
    content = {"model_type": "albert", "hidden_size": 64, "num_hidden_layers": 1, "num_hidden_groups": 2}
    with pytest.raises(ConfigError, match="num_hidden_groups is 2 and num_hidden_layers 1: the class has groups that"):
        graphacct.build(content)


def test_a_gate_that_pop2piano_states_wins() -> None:
    sizes = {"model_type": "pop2piano", "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 4}
    gated, plain = (graphacct.account({**sizes, "is_gated_act": gate}).total["params"] for gate in (True, False))
    assert gated - plain == 2 * 16 * 24
    assert gated == graphacct.account(sizes).total["params"]
