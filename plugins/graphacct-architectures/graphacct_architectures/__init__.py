"""Architectures: one family a file, which is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from graphacct import LazyArchitecture, hookimpl

FAMILIES: tuple[LazyArchitecture, ...] = (
    LazyArchitecture(
        "gpt2", "graphacct_architectures.decoders.gpt2", ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"), ("gpt2",)
    ),
    LazyArchitecture(
        "transformer-lm",
        "graphacct_architectures.decoders.transformer_lm",
        ("transformer-lm-small", "transformer-lm-medium", "transformer-lm-large", "transformer-lm-xl"),
        ("transformer-lm", "transformer_lm"),
    ),
    LazyArchitecture(
        "bert",
        "graphacct_architectures.encoders.bert",
        ("bert-base-uncased", "bert-large-uncased", "bert-base-cased", "bert-large-cased"),
        ("bert",),
    ),
    LazyArchitecture(
        "roberta", "graphacct_architectures.encoders.roberta", ("roberta-base", "roberta-large"), ("roberta",)
    ),
    LazyArchitecture(
        "distilbert", "graphacct_architectures.encoders.distilbert", ("distilbert-base-uncased",), ("distilbert",)
    ),
    LazyArchitecture(
        "electra",
        "graphacct_architectures.encoders.electra",
        ("electra-small-discriminator", "electra-base-discriminator", "electra-large-discriminator"),
        ("electra",),
    ),
    LazyArchitecture("cohere", "graphacct_architectures.decoders.cohere", ("command-r", "command-r-plus"), ("cohere",)),
    LazyArchitecture("glm4", "graphacct_architectures.decoders.glm4", ("glm-4-9b",), ("glm4",)),
    LazyArchitecture(
        "granite",
        "graphacct_architectures.decoders.granite",
        ("granite-3.0-2b", "granite-3.0-8b", "granite-3.1-2b", "granite-3.1-8b"),
        ("granite",),
    ),
    LazyArchitecture(
        "nemotron",
        "graphacct_architectures.decoders.nemotron",
        ("nemotron-4-15b", "minitron-4b", "minitron-8b"),
        ("nemotron",),
    ),
    LazyArchitecture(
        "olmo2", "graphacct_architectures.decoders.olmo2", ("olmo-2-7b", "olmo-2-13b", "olmo-2-32b"), ("olmo2",)
    ),
    LazyArchitecture("smollm3", "graphacct_architectures.decoders.smollm3", ("smollm3-3b",), ("smollm3",)),
    LazyArchitecture("gemma", "graphacct_architectures.decoders.gemma", ("gemma-2b", "gemma-7b"), ("gemma",)),
    LazyArchitecture(
        "gemma2", "graphacct_architectures.decoders.gemma2", ("gemma-2-2b", "gemma-2-9b", "gemma-2-27b"), ("gemma2",)
    ),
    LazyArchitecture("gemma3_text", "graphacct_architectures.decoders.gemma3", ("gemma-3-1b",), ("gemma3_text",)),
    LazyArchitecture(
        "llama",
        "graphacct_architectures.decoders.llama",
        (
            "llama-2-7b",
            "llama-2-13b",
            "llama-2-70b",
            "llama-3-8b",
            "llama-3-70b",
            "llama-3.1-8b",
            "llama-3.1-70b",
            "llama-3.1-405b",
            "llama-3.2-1b",
            "llama-3.2-3b",
        ),
        ("llama",),
    ),
    LazyArchitecture(
        "gpt_neox",
        "graphacct_architectures.decoders.gpt_neox",
        (
            "pythia-14m",
            "pythia-70m",
            "pythia-160m",
            "pythia-410m",
            "pythia-1b",
            "pythia-1.4b",
            "pythia-2.8b",
            "pythia-6.9b",
            "pythia-12b",
            "gpt-neox-20b",
        ),
        ("gpt_neox",),
    ),
    LazyArchitecture(
        "mistral",
        "graphacct_architectures.decoders.mistral",
        (
            "mistral-7b",
            "mistral-7b-v0.3",
            "mistral-nemo-12b",
            "mistral-small-24b",
        ),
        ("mistral",),
    ),
    LazyArchitecture(
        "qwen2",
        "graphacct_architectures.decoders.qwen2",
        (
            "qwen2-7b",
            "qwen2.5-0.5b",
            "qwen2.5-1.5b",
            "qwen2.5-3b",
            "qwen2.5-7b",
            "qwen2.5-14b",
            "qwen2.5-32b",
            "qwen2.5-72b",
        ),
        ("qwen2",),
    ),
    LazyArchitecture(
        "qwen3",
        "graphacct_architectures.decoders.qwen3",
        (
            "qwen3-0.6b",
            "qwen3-1.7b",
            "qwen3-4b",
            "qwen3-8b",
            "qwen3-14b",
            "qwen3-32b",
        ),
        ("qwen3",),
    ),
    LazyArchitecture(
        "vit",
        "graphacct_architectures.vision.vit",
        ("vit-base-patch16-224", "vit-large-patch16-224", "vit-huge-patch14-224-in21k"),
        ("vit",),
    ),
    LazyArchitecture(
        "clip",
        "graphacct_architectures.multimodal.clip",
        ("clip-vit-base-patch32", "clip-vit-base-patch16", "clip-vit-large-patch14"),
        ("clip",),
    ),
    LazyArchitecture(
        "clip_text_model",
        "graphacct_architectures.multimodal.clip_text",
        ("clip-vit-large-patch14-text",),
        ("clip_text_model",),
    ),
    LazyArchitecture(
        "clip_vision_model",
        "graphacct_architectures.multimodal.clip_vision",
        ("clip-vit-large-patch14-vision",),
        ("clip_vision_model",),
    ),
    LazyArchitecture(
        "bloom",
        "graphacct_architectures.decoders.bloom",
        ("bloom-560m", "bloom-1b1", "bloom-1b7", "bloom-3b", "bloom-7b1", "bloom-176b"),
        ("bloom",),
    ),
    LazyArchitecture(
        "codegen",
        "graphacct_architectures.decoders.codegen",
        ("codegen-350m", "codegen-2b", "codegen-6b", "codegen-16b"),
        ("codegen",),
    ),
    LazyArchitecture(
        "falcon",
        "graphacct_architectures.decoders.falcon",
        ("falcon-7b", "falcon-40b", "falcon-180b", "falcon-rw-1b"),
        ("falcon", "RefinedWeb", "RefinedWebModel"),
    ),
    LazyArchitecture(
        "gpt_neo",
        "graphacct_architectures.decoders.gpt_neo",
        ("gpt-neo-125m", "gpt-neo-350m", "gpt-neo-1.3b", "gpt-neo-2.7b"),
        ("gpt_neo",),
    ),
    LazyArchitecture(
        "gptj",
        "graphacct_architectures.decoders.gptj",
        ("gpt-j-6b",),
        ("gptj",),
    ),
    LazyArchitecture(
        "opt",
        "graphacct_architectures.decoders.opt",
        ("opt-125m", "opt-350m", "opt-1.3b", "opt-2.7b", "opt-6.7b", "opt-13b", "opt-30b", "opt-66b"),
        ("opt",),
    ),
    LazyArchitecture(
        "phi",
        "graphacct_architectures.decoders.phi",
        ("phi-1", "phi-1.5", "phi-2"),
        ("phi", "phi-msft", "mixformer-sequential"),
    ),
    LazyArchitecture(
        "phi3",
        "graphacct_architectures.decoders.phi3",
        ("phi-3-mini-4k", "phi-3-mini-128k", "phi-3-medium-4k", "phi-3-medium-128k", "phi-4", "phi-4-mini"),
        ("phi3",),
    ),
    LazyArchitecture(
        "stablelm",
        "graphacct_architectures.decoders.stablelm",
        ("stablelm-3b-4e1t", "stablelm-2-1.6b", "stablelm-2-12b"),
        ("stablelm", "stablelm_epoch"),
    ),
    LazyArchitecture(
        "starcoder2",
        "graphacct_architectures.decoders.starcoder2",
        ("starcoder2-3b", "starcoder2-7b", "starcoder2-15b"),
        ("starcoder2",),
    ),
    LazyArchitecture(
        "bart",
        "graphacct_architectures.encoder_decoders.bart",
        ("bart-base", "bart-large", "bart-large-cnn"),
        ("bart",),
    ),
    LazyArchitecture(
        "t5",
        "graphacct_architectures.encoder_decoders.t5",
        (
            "t5-small",
            "t5-base",
            "t5-large",
            "t5-3b",
            "t5-11b",
            "flan-t5-small",
            "flan-t5-base",
            "flan-t5-large",
            "flan-t5-xl",
            "flan-t5-xxl",
        ),
        ("t5",),
    ),
    LazyArchitecture(
        "whisper",
        "graphacct_architectures.audio.whisper",
        (
            "whisper-tiny",
            "whisper-base",
            "whisper-small",
            "whisper-medium",
            "whisper-large-v2",
            "whisper-large-v3",
        ),
        ("whisper",),
    ),
    LazyArchitecture(
        "mixtral",
        "graphacct_architectures.decoders.mixtral",
        ("mixtral-8x7b", "mixtral-8x22b"),
        ("mixtral",),
    ),
    LazyArchitecture(
        "qwen2_moe",
        "graphacct_architectures.decoders.qwen2_moe",
        ("qwen1.5-moe-a2.7b", "qwen2-57b-a14b"),
        ("qwen2_moe",),
    ),
    LazyArchitecture(
        "qwen3_moe",
        "graphacct_architectures.decoders.qwen3_moe",
        ("qwen3-30b-a3b", "qwen3-235b-a22b"),
        ("qwen3_moe",),
    ),
    LazyArchitecture(
        "deepseek_v2",
        "graphacct_architectures.decoders.deepseek_v2",
        ("deepseek-v2-lite", "deepseek-v2"),
        ("deepseek_v2",),
    ),
    LazyArchitecture(
        "deepseek_v3",
        "graphacct_architectures.decoders.deepseek_v3",
        ("deepseek-v3", "deepseek-r1"),
        ("deepseek_v3",),
    ),
    LazyArchitecture(
        "gpt_oss",
        "graphacct_architectures.decoders.gpt_oss",
        ("gpt-oss-20b", "gpt-oss-120b"),
        ("gpt_oss",),
    ),
)


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
