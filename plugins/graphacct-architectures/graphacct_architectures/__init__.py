"""The architectures that every user expects: one file per family, sorted by kind, with its presets beside it.

Families import only what `graphacct` exports, and apply operators by name. This index lists the names of each family,
so that a command imports only the family that it needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphacct import LazyArchitecture, PresetFiles, hookimpl
from graphacct_architectures.renamed import RenamedArchitecture

if TYPE_CHECKING:
    from graphacct import Translation

HERE = os.path.dirname(__file__)


def _family(path: str, name: str = "", model_types: tuple[str, ...] = ()) -> LazyArchitecture:
    """Returns the family in a file: `decoders.llama` is `decoders/llama.py`, called `llama` unless `name` is given."""
    name = name or path.rpartition(".")[2]
    presets = PresetFiles(f"{HERE}/{path.replace('.', '/')}.py")
    return LazyArchitecture(name, f"{__name__}.{path}", presets, model_types or (name,))


FAMILIES: tuple[LazyArchitecture, ...] = (
    _family("decoders.gpt2"),
    _family("decoders.transformer_lm", "transformer-lm", model_types=("transformer-lm", "transformer_lm")),
    _family("decoders.afmoe"),
    _family("decoders.apertus"),
    _family("decoders.arcee"),
    _family("decoders.aria_text"),
    _family("decoders.axk1"),
    _family("decoders.baichuan"),
    _family("decoders.biogpt"),
    _family("decoders.bitnet"),
    _family("decoders.bloom"),
    _family("decoders.chatglm"),
    _family("decoders.codegen"),
    _family("decoders.cohere"),
    _family("decoders.cohere2"),
    _family("decoders.cohere2_moe"),
    _family("decoders.ctrl"),
    _family("decoders.cwm"),
    _family("decoders.dbrx"),
    _family("decoders.deepseek_v2"),
    _family("decoders.deepseek_v3"),
    _family("decoders.deepseek_v32"),
    _family("decoders.dots1"),
    _family("decoders.ernie4_5"),
    _family("decoders.ernie4_5_moe"),
    _family("decoders.exaone4"),
    _family("decoders.exaone_moe"),
    _family("decoders.falcon", model_types=("falcon", "RefinedWeb", "RefinedWebModel")),
    _family("decoders.flex_olmo"),
    _family("decoders.gemma"),
    _family("decoders.gemma2"),
    _family("decoders.gemma3", "gemma3_text"),
    _family("decoders.glm"),
    _family("decoders.glm4"),
    _family("decoders.glm4_moe"),
    _family("decoders.glm4_moe_lite"),
    _family("decoders.glm_moe_dsa"),
    _family("decoders.glm4v_moe_text"),
    _family("decoders.glm4v_text"),
    _family("decoders.glm_ocr_text"),
    _family("decoders.gpt_bigcode"),
    _family("decoders.gpt_neo"),
    _family("decoders.gpt_neox"),
    _family("decoders.gpt_oss"),
    _family("decoders.gptj"),
    _family("decoders.granite"),
    _family("decoders.granitemoe"),
    _family("decoders.granitemoeshared"),
    _family("decoders.hunyuan_v1_dense"),
    _family("decoders.hunyuan_v1_moe"),
    _family("decoders.hy_v3"),
    _family("decoders.hyperclovax"),
    _family("decoders.internlm2"),
    _family("decoders.jais2"),
    _family("decoders.laguna"),
    _family("decoders.llama"),
    _family("decoders.llama4_text"),
    _family("decoders.mellum"),
    _family("decoders.mimo_v2_flash"),
    _family("decoders.minicpm"),
    _family("decoders.minicpm3"),
    _family("decoders.minimax_m2"),
    _family("decoders.ministral"),
    _family("decoders.ministral3"),
    _family("decoders.mistral"),
    _family("decoders.mixtral"),
    _family("decoders.mpt"),
    _family("decoders.mllama_text", "mllama_text_model"),
    _family("decoders.nanochat"),
    _family("decoders.nemotron"),
    _family("decoders.nemotron_nas", "nemotron-nas"),
    _family("decoders.olmo"),
    _family("decoders.olmo2"),
    _family("decoders.olmo3"),
    _family("decoders.olmoe"),
    _family("decoders.openai_gpt", "openai-gpt"),
    _family("decoders.opt"),
    _family("decoders.persimmon"),
    _family("decoders.phi", model_types=("phi", "phi-msft", "mixformer-sequential")),
    _family("decoders.phi3"),
    _family("decoders.phimoe"),
    _family("decoders.qwen"),
    _family("decoders.qwen2"),
    _family("decoders.qwen2_moe"),
    _family("decoders.qwen3"),
    _family("decoders.qwen3_moe"),
    _family("decoders.seed_oss"),
    _family("decoders.smollm3"),
    _family("decoders.solar_open"),
    _family("decoders.stablelm", model_types=("stablelm", "stablelm_epoch")),
    _family("decoders.starcoder2"),
    _family("decoders.vaultgemma"),
    _family("decoders.xglm"),
    _family("decoders.youtu"),
    _family("encoders.albert"),
    _family("encoders.bert"),
    _family("encoders.deberta"),
    _family("encoders.deberta_v2", "deberta-v2"),
    _family("encoders.distilbert"),
    _family("encoders.electra"),
    _family("encoders.ernie"),
    _family("encoders.modernbert"),
    _family("encoders.mpnet"),
    _family("encoders.roberta"),
    _family("encoder_decoders.bart"),
    _family("encoder_decoders.blenderbot"),
    _family("encoder_decoders.blenderbot_small", "blenderbot-small"),
    _family("encoder_decoders.m2m_100"),
    _family("encoder_decoders.marian"),
    _family("encoder_decoders.mbart"),
    _family("encoder_decoders.pegasus"),
    _family("encoder_decoders.plbart"),
    _family("encoder_decoders.t5"),
    _family("vision.vit"),
    _family("vision.deit"),
    _family("vision.ijepa"),
    _family("vision.vit_msn"),
    _family("audio.ast", "audio-spectrogram-transformer"),
    _family("audio.data2vec_audio", "data2vec-audio"),
    _family("audio.hubert"),
    _family("audio.parakeet", "parakeet_encoder"),
    _family("audio.parakeet_ctc"),
    _family("audio.qwen2_audio_encoder"),
    _family("audio.sew"),
    _family("audio.unispeech"),
    _family("audio.unispeech_sat", "unispeech-sat"),
    _family("audio.voxtral_encoder"),
    _family("audio.wav2vec2"),
    _family("audio.wav2vec2_bert", "wav2vec2-bert"),
    _family("audio.wav2vec2_conformer", "wav2vec2-conformer"),
    _family("audio.wavlm"),
    _family("audio.whisper"),
    _family("multimodal.clip"),
    _family("multimodal.clip_text", "clip_text_model"),
    _family("multimodal.clip_vision", "clip_vision_model"),
    _family("multimodal.aria"),
    _family("multimodal.aya_vision"),
    _family("multimodal.blip2", "blip-2"),
    _family("multimodal.blip2_vision", "blip_2_vision_model"),
    _family("multimodal.cohere2_vision"),
    _family("multimodal.gemma3"),
    _family("multimodal.glm46v"),
    _family("multimodal.glm4v"),
    _family("multimodal.glm4v_moe"),
    _family("multimodal.glm4v_vision"),
    _family("multimodal.glm_ocr"),
    _family("multimodal.glm_ocr_vision"),
    _family("multimodal.idefics2"),
    _family("multimodal.idefics3"),
    _family("multimodal.idefics3_vision"),
    _family("multimodal.intern_vit", "intern_vit_6b"),
    _family("multimodal.internvl"),
    _family("multimodal.internvl_chat"),
    _family("multimodal.internvl_vision"),
    _family("multimodal.llava"),
    _family("multimodal.llava_next"),
    _family("multimodal.llava_next_video"),
    _family("multimodal.llava_onevision"),
    _family("multimodal.mistral3"),
    _family("multimodal.mllama"),
    _family("multimodal.paligemma"),
    _family("multimodal.pixtral"),
    _family("multimodal.qwen2_5_vl"),
    _family("multimodal.qwen2_5_vl_vision"),
    _family("multimodal.qwen2_audio"),
    _family("multimodal.qwen2_vl"),
    _family("multimodal.qwen2_vl_vision"),
    _family("multimodal.qwen3_5"),
    _family("multimodal.qwen3_5_moe"),
    _family("multimodal.qwen3_5_vision"),
    _family("multimodal.qwen3_vl"),
    _family("multimodal.qwen3_vl_moe"),
    _family("multimodal.qwen3_vl_vision"),
    _family("multimodal.siglip"),
    _family("multimodal.siglip_text", "siglip_text_model"),
    _family("multimodal.siglip_vision", "siglip_vision_model"),
    _family("multimodal.vipllava"),
)


def _renamed(name: str, path: str, **differences: Any) -> RenamedArchitecture:
    """Returns the family in a file under another name, which is its `model_type`."""
    presets = PresetFiles(f"{HERE}/{path.partition('.')[0]}/{name}.py")
    return RenamedArchitecture(name, f"{__name__}.{path}", presets, (name,), published=presets, **differences)


MT5_DEFAULTS: Mapping[str, Any] = {
    "vocab_size": 250112,
    "d_ff": 1024,
    "num_layers": 8,
    "num_heads": 6,
    "feed_forward_proj": "gated-gelu",
}

RENAMED: tuple[RenamedArchitecture, ...] = (
    _renamed(
        "camembert",
        "encoders.roberta",
        classes=("Camembert", "Roberta"),
        defaults={"vocab_size": 30522},
        facts={"head_owns": True},
    ),
    _renamed(  # its class adds layers that predict further tokens to Qwen2's, which neither a report nor training runs
        "mimo",
        "decoders.qwen2",
        classes=("MiMo", "Qwen2"),
        no_cost={"attention_bias": None, "use_mrope": (False,), "num_nextn_predict_layers": None},
    ),
    _renamed(
        "xlm-roberta",
        "encoders.roberta",
        classes=("XLMRoberta", "Roberta"),
        defaults={"vocab_size": 30522},
        facts={"head_owns": True},
    ),
    _renamed(
        "xlm-roberta-xl",
        "encoders.roberta",
        classes=("XLMRobertaXL", "Roberta"),
        defaults={
            **{"vocab_size": 250880, "hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32},
            **{"intermediate_size": 10240, "max_position_embeddings": 514, "type_vocab_size": 1},
        },
        facts={"norms_first": True},
    ),
    _renamed(
        "data2vec-text",
        "encoders.roberta",
        classes=("Data2VecText", "Roberta"),
        defaults={"vocab_size": 30522},
        facts={"prefix": "data2vec_text"},
    ),
    _renamed(
        "megatron-bert",
        "encoders.bert",
        classes=("MegatronBert", "Bert"),
        defaults={
            **{"vocab_size": 29056, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
            "intermediate_size": 4096,
        },
        facts={"norms_first": True},
    ),
    _renamed(
        "mt5",
        "encoder_decoders.t5",
        classes=("MT5", "T5"),
        defaults=MT5_DEFAULTS,
        facts={"head_scaled": False},
    ),
    _renamed(
        "umt5",
        "encoder_decoders.t5",
        classes=("UMT5", "T5"),
        defaults=MT5_DEFAULTS,
        facts={"head_scaled": True, "biases_in_each_layer": True},
    ),
    _renamed("glm4v_moe_vision", "multimodal.glm4v_vision", classes=("Glm4vMoe", "Glm4v")),
    _renamed("qwen3_5_moe_vision", "multimodal.qwen3_5_vision", classes=("Qwen3_5Moe", "Qwen3_5")),
    _renamed("qwen3_vl_moe_vision", "multimodal.qwen3_vl_vision", classes=("Qwen3VLMoe", "Qwen3VL")),
    _renamed(
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
    _renamed(
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
    _renamed(
        "qwen3_vl_text",
        "decoders.qwen3",
        classes=("Qwen3VLText", "Qwen3"),
        defaults={"max_position_embeddings": 128000},
    ),
    _renamed(
        "qwen3_vl_moe_text",
        "decoders.qwen3_moe",
        classes=("Qwen3VLMoeText", "Qwen3Moe"),
        defaults={
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_key_value_heads": 16,
            "max_position_embeddings": 128000,
            "moe_intermediate_size": 1408,
            "num_experts_per_tok": 4,
            "num_local_experts": 60,
            "tie_word_embeddings": True,
        },
    ),
    _renamed("interns1", "multimodal.internvl", classes=("InternS1", "InternVL")),
    _renamed("interns1_vision", "multimodal.internvl_vision", classes=("InternS1", "InternVL")),
    _renamed("h2ovl_chat", "multimodal.internvl_chat", classes=("H2OVL", "InternVL")),
    _renamed("skywork_chat", "multimodal.internvl_chat", classes=("SkyworkR1V", "InternVL")),
    _renamed("NVLM_D", "multimodal.internvl_chat", classes=("NVLM_D_", "InternVLChat"), facts={"wide": True}),
    _renamed("smolvlm", "multimodal.idefics3", classes=("SmolVLM", "Idefics3")),
    _renamed(
        "idefics2_vision",
        "multimodal.idefics3_vision",
        classes=("Idefics2", "Idefics3"),
        defaults={"hidden_size": 768, "num_attention_heads": 12},
    ),
    _renamed("smolvlm_vision", "multimodal.idefics3_vision", classes=("SmolVLM", "Idefics3")),
)


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return (*FAMILIES, *RENAMED)


@hookimpl
def graphacct_register_translations() -> Iterable[Translation]:
    from graphacct_architectures.translations import TRANSLATIONS

    return TRANSLATIONS
