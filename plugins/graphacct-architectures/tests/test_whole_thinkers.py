"""Files of models that read and speak are read as what reads, and reports say what is left out; older files of
Qwen3-ASR and DeepSeek-OCR 2 are read as today's."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct import GraphacctError

TEXT: dict[str, Any] = {
    **{"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8},
}
SOUND: dict[str, Any] = {
    **{"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "output_dim": 16},
    "num_mel_bins": 16,
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
GRID = {"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "patch_size": 16}
THINKERS: dict[str, dict[str, Any]] = {
    "qwen2_5_omni": {"text_config": TEXT, "vision_config": {**GRID, "out_hidden_size": 16}},
    "qwen3_omni_moe": {
        "text_config": {**TEXT, **EXPERTS},
        "vision_config": {**GRID, "out_hidden_size": 16, "deepstack_visual_indexes": [0]},
    },
}
SPEAKS = {"qwen2_5_omni": "token2wav_config", "qwen3_omni_moe": "code2wav_config"}
WORKLOAD: dict[str, int] = {"seq_len": 128, "image_size": 64, "frames": 100}


def thinker_of(kind: str) -> dict[str, Any]:
    return {**THINKERS[kind], "audio_config": SOUND}


def whole(kind: str, **keys: Any) -> dict[str, Any]:
    return {"model_type": kind, "thinker_config": thinker_of(kind), "tts_pad_token_id": 1, **keys}


@pytest.mark.parametrize("kind", THINKERS)
def test_the_thinker_is_counted(kind: str) -> None:
    alone = graphacct.account({"model_type": f"{kind}_thinker", **thinker_of(kind)}, **WORKLOAD)
    found = graphacct.account(whole(kind, talker_config={"hidden_size": 8}), **WORKLOAD)
    assert (found.total["params"], found.total["flops"]) == (alone.total["params"], alone.total["flops"])
    assert list(found.config_keys.left_out) == ["talker_config", SPEAKS[kind]]
    assert "left out: the talker" in str(found)
    assert found.config_keys.not_understood == ()


@pytest.mark.parametrize("kind", THINKERS)
def test_a_model_that_does_not_speak_has_nothing_left_out(kind: str) -> None:
    found = graphacct.account(whole(kind, enable_audio_output=False), **WORKLOAD)
    assert not found.config_keys.left_out


def test_a_thinker_that_is_no_object() -> None:
    with pytest.raises(GraphacctError, match=r"thinker_config is 3, not an object with the thinker's keys"):
        graphacct.account({"model_type": "qwen2_5_omni", "thinker_config": 3})


def test_an_older_file_of_qwen3_asr() -> None:
    sound = {**SOUND, "model_type": "qwen3_asr_audio_encoder"}
    older = {"model_type": "qwen3_asr", "thinker_config": {"text_config": TEXT, "audio_config": sound}}
    today = {"model_type": "qwen3_asr", "text_config": {**TEXT, "model_type": "qwen3"}, "audio_config": SOUND}
    found, same = (graphacct.account(keys, seq_len=512) for keys in (older, today))
    assert (found.total["params"], found.total["flops"]) == (same.total["params"], same.total["flops"])
    assert found.config_keys.not_understood == ()
    with pytest.raises(GraphacctError, match=r"thinker_config is 3, not an object with the model's keys"):
        graphacct.account({"model_type": "qwen3_asr", "thinker_config": 3})


OCR2: dict[str, Any] = {
    "architectures": ["DeepseekOCR2ForCausalLM"],
    "model_type": "deepseek_vl_v2",
    "candidate_resolutions": [[1024, 1024]],
    "language_config": {
        **{"vocab_size": 129280, "hidden_size": 1280, "intermediate_size": 6848, "moe_intermediate_size": 896},
        **{"num_hidden_layers": 12, "num_attention_heads": 10, "num_key_value_heads": 10, "n_routed_experts": 64},
        **{"n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1, "moe_layer_freq": 1},
    },
    "vision_config": {
        "image_size": 1024,
        "width": {
            "sam_vit_b": {
                **{"width": 768, "layers": 12, "heads": 12, "global_attn_indexes": [2, 5, 8, 11]},
                "downsample_channels": [512, 1024],
            },
            "qwen2-0-5b": {"dim": 896},
        },
    },
    "projector_config": {"input_dim": 896, "n_embed": 1280, "projector_type": "linear"},
}
"""The published file of deepseek-ai/DeepSeek-OCR-2, less what changes nothing."""


def test_an_older_file_of_deepseek_ocr_2() -> None:
    found = graphacct.account({**OCR2, "auto_map": {"AutoModel": "modeling_deepseekocr2.DeepseekOCR2ForCausalLM"}})
    assert found.total["params"] == graphacct.account("deepseek-ocr-2").total["params"]
    assert "as deepseek_ocr2, by its class" in found.config_keys.read_as


def test_one_without_its_code_says_how_to_read_it() -> None:
    with pytest.raises(GraphacctError, match=r"set=model_type=deepseek_ocr2 reads it as that model's"):
        graphacct.account(OCR2)
    assert graphacct.account({**OCR2, "model_type": "deepseek_ocr2"}).total["params"] > 3e9


@pytest.mark.parametrize("width", [3, {"dim": "wide"}])
def test_a_width_that_is_none(width: Any) -> None:
    vision = {**OCR2["vision_config"], "width": {"qwen2-0-5b": width}}
    with pytest.raises(GraphacctError, match=r"vision_config.width.qwen2-0-5b is an object with dim, a number"):
        graphacct.account({**OCR2, "model_type": "deepseek_ocr2", "vision_config": vision})
