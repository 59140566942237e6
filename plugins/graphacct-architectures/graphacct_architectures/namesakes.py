"""Families that are another one under another name, with other defaults or facts: a row of data each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct_architectures.renamed import RenamedArchitecture, renamed

MT5_DEFAULTS: Mapping[str, Any] = {
    "vocab_size": 250112,
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
}

NAMESAKES: tuple[RenamedArchitecture, ...] = (
    renamed("cosmos3_omni", "multimodal.qwen3_vl", classes=("Cosmos3Omni", "Qwen3VL")),
    renamed(
        "minicpm_ocr",
        "multimodal.minicpmv4_6",
        classes=("MiniCPMOcr", "MiniCPMV4_6"),
        defaults={"tie_word_embeddings": True, "downsample_mode": "4x"},
    ),
    renamed(
        "camembert",
        "encoders.roberta",
        classes=("Camembert", "Roberta"),
        defaults={"vocab_size": 30522},
        facts={"head_owns": True},
    ),
    renamed(  # its class adds layers that predict further tokens to Qwen2's, which neither a report nor training runs
        "mimo",
        "decoders.qwen2",
        classes=("MiMo", "Qwen2"),
        no_cost={"attention_bias": None, "use_mrope": (False,), "num_nextn_predict_layers": None},
    ),
    renamed(
        "fastspeech2_conformer_hifigan",
        "audio.hifigan",
        classes=("FastSpeech2ConformerHifiGan", "SpeechT5HifiGan"),
        defaults={"upsample_rates": (8, 8, 2, 2), "upsample_kernel_sizes": (16, 16, 4, 4)},
    ),
    renamed(
        "seamless_m4t_v2",
        "encoder_decoders.seamless_m4t",
        classes=("SeamlessM4Tv2", "SeamlessM4T"),
        defaults={"max_position_embeddings": 4096},
    ),
    renamed(
        "xlm-roberta",
        "encoders.roberta",
        classes=("XLMRoberta", "Roberta"),
        defaults={"vocab_size": 30522},
        facts={"head_owns": True},
    ),
    renamed(
        "xlm-roberta-xl",
        "encoders.roberta",
        classes=("XLMRobertaXL", "Roberta"),
        defaults={
            **{"vocab_size": 250880, "hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32},
            **{"intermediate_size": 10240, "max_position_embeddings": 514, "type_vocab_size": 1},
        },
        facts={"norms_first": True},
    ),
    renamed(
        "data2vec-text",
        "encoders.roberta",
        classes=("Data2VecText", "Roberta"),
        defaults={"vocab_size": 30522},
        facts={"prefix": "data2vec_text"},
    ),
    renamed(
        "mt5",
        "encoder_decoders.t5",
        classes=("MT5", "T5"),
        defaults=MT5_DEFAULTS,
        facts={"head_scaled": False},
    ),
    renamed(
        "umt5",
        "encoder_decoders.t5",
        classes=("UMT5", "T5"),
        defaults=MT5_DEFAULTS,
        facts={"head_scaled": True, "biases_in_each_layer": True},
    ),
    renamed(  # its class drops layers by chance in training where a file says so, which is not modelled
        "audioflamingo3_encoder",
        "audio.voxtral_encoder",
        classes=("AudioFlamingo3", "Voxtral"),
        facts={"pool": 2},
        no_cost=dict.fromkeys(("layerdrop", "encoder_layerdrop"), (0,)),
    ),
    renamed(
        "granite_speech_plus_encoder",
        "audio.granite_speech_encoder",
        classes=("GraniteSpeechPlus", "GraniteSpeech"),
        facts={"concatenates": True},
    ),
    renamed(
        "moss_transcribe_diarize_audio",
        "audio.voxtral_encoder",
        classes=("MossTranscribeDiarizeAudioModel", "VoxtralEncoder"),
        defaults={
            **{"num_mel_bins": 80, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
            "intermediate_size": 4096,
        },
    ),
    renamed(
        "qwen2_5_omni_vision_encoder",
        "multimodal.qwen2_5_vl_vision",
        classes=("Qwen2_5OmniVisionEncoder", "Qwen2_5_VisionTransformerPretrainedModel"),
        facts={"joint": ""},
    ),
    renamed(
        "qwen3_omni_moe_vision_encoder",
        "multimodal.qwen3_vl_vision",
        classes=("Qwen3OmniMoeVisionEncoder", "Qwen3VLVisionModel"),
        facts={"merger": ("ln_q", "mlp.0", "mlp.2"), "deep_list": "merger_list"},
    ),
    renamed(
        "qwen2_5_omni_text",
        "decoders.qwen2",
        classes=("Qwen2_5OmniThinkerText", "Qwen2"),
        defaults={
            **{"vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28},
            **{"num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768},
            **{"max_window_layers": 28, "sliding_window": 32768, "tie_word_embeddings": True},
        },
    ),
    renamed(
        "qwen3_omni_moe_text",
        "decoders.qwen3_moe",
        classes=("Qwen3OmniMoeThinkerText", "Qwen3Moe"),
        defaults={
            **{"vocab_size": 3584, "hidden_size": 2048, "intermediate_size": 18944, "num_hidden_layers": 28},
            **{"num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768},
            "norm_topk_prob": True,
        },
    ),
    renamed("glm4v_moe_vision", "multimodal.glm4v_vision", classes=("Glm4vMoe", "Glm4v")),
    renamed("qwen3_5_moe_vision", "multimodal.qwen3_5_vision", classes=("Qwen3_5Moe", "Qwen3_5")),
    renamed("qwen3_vl_moe_vision", "multimodal.qwen3_vl_vision", classes=("Qwen3VLMoe", "Qwen3VL")),
    renamed(
        "qwen2_vl_text",
        "decoders.qwen2",
        classes=("Qwen2VLText", "Qwen2"),
        defaults={
            "vocab_size": 152064,
            "hidden_size": 8192,
            "intermediate_size": 29568,
            "num_hidden_layers": 80,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "max_window_layers": 80,
        },
    ),
    renamed(
        "qwen2_5_vl_text",
        "decoders.qwen2",
        classes=("Qwen2_5_VLText", "Qwen2"),
        defaults={
            "vocab_size": 152064,
            "hidden_size": 8192,
            "intermediate_size": 29568,
            "num_hidden_layers": 80,
            "num_attention_heads": 64,
            "num_key_value_heads": 8,
            "max_window_layers": 80,
        },
    ),
    renamed(
        "qwen3_vl_text",
        "decoders.qwen3",
        classes=("Qwen3VLText", "Qwen3"),
        defaults={"max_position_embeddings": 128000},
    ),
    renamed(
        "qwen3_vl_moe_text",
        "decoders.qwen3_moe",
        classes=("Qwen3VLMoeText", "Qwen3Moe"),
        defaults={
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_attention_heads": 16,
            "num_key_value_heads": 16,
            "max_position_embeddings": 128000,
            "moe_intermediate_size": 1408,
            "num_experts_per_tok": 4,
            "num_local_experts": 60,
            "tie_word_embeddings": True,
        },
    ),
    renamed("interns1", "multimodal.internvl", classes=("InternS1", "InternVL")),
    renamed("interns1_vision", "multimodal.internvl_vision", classes=("InternS1", "InternVL")),
    renamed("h2ovl_chat", "multimodal.internvl_chat", classes=("H2OVL", "InternVL")),
    renamed("skywork_chat", "multimodal.internvl_chat", classes=("SkyworkR1V", "InternVL")),
    renamed("NVLM_D", "multimodal.internvl_chat", classes=("NVLM_D_", "InternVLChat"), facts={"wide": True}),
    renamed("smolvlm", "multimodal.idefics3", classes=("SmolVLM", "Idefics3")),
    renamed(
        "idefics2_vision",
        "multimodal.idefics3_vision",
        classes=("Idefics2", "Idefics3"),
        defaults={"hidden_size": 768, "num_attention_heads": 12},
    ),
    renamed("smolvlm_vision", "multimodal.idefics3_vision", classes=("SmolVLM", "Idefics3")),
)
