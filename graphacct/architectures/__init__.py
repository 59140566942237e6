"""Architectures: one family a file. Those in this list are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from graphacct.deferred import Deferred
from graphacct.hookspecs import hookimpl

FAMILIES: tuple[Deferred, ...] = (
    Deferred(
        "bert",
        "graphacct.architectures.bert",
        ("bert-base-uncased", "bert-large-uncased", "bert-base-cased", "bert-large-cased"),
        ("bert",),
    ),
    Deferred("roberta", "graphacct.architectures.roberta", ("roberta-base", "roberta-large"), ("roberta",)),
    Deferred("distilbert", "graphacct.architectures.distilbert", ("distilbert-base-uncased",), ("distilbert",)),
    Deferred(
        "electra",
        "graphacct.architectures.electra",
        ("electra-small-discriminator", "electra-base-discriminator", "electra-large-discriminator"),
        ("electra",),
    ),
    Deferred("cohere", "graphacct.architectures.cohere", ("command-r", "command-r-plus"), ("cohere",)),
    Deferred("glm4", "graphacct.architectures.glm4", ("glm-4-9b",), ("glm4",)),
    Deferred(
        "granite",
        "graphacct.architectures.granite",
        ("granite-3.0-2b", "granite-3.0-8b", "granite-3.1-2b", "granite-3.1-8b"),
        ("granite",),
    ),
    Deferred(
        "nemotron",
        "graphacct.architectures.nemotron",
        ("nemotron-4-15b", "minitron-4b", "minitron-8b"),
        ("nemotron",),
    ),
    Deferred("olmo2", "graphacct.architectures.olmo2", ("olmo-2-7b", "olmo-2-13b", "olmo-2-32b"), ("olmo2",)),
    Deferred("smollm3", "graphacct.architectures.smollm3", ("smollm3-3b",), ("smollm3",)),
    Deferred("gemma", "graphacct.architectures.gemma", ("gemma-2b", "gemma-7b"), ("gemma",)),
    Deferred("gemma2", "graphacct.architectures.gemma2", ("gemma-2-2b", "gemma-2-9b", "gemma-2-27b"), ("gemma2",)),
    Deferred("gemma3_text", "graphacct.architectures.gemma3", ("gemma-3-1b",), ("gemma3_text",)),
    Deferred(
        "llama",
        "graphacct.architectures.llama",
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
    Deferred(
        "gpt_neox",
        "graphacct.architectures.gpt_neox",
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
    Deferred(
        "mistral",
        "graphacct.architectures.mistral",
        (
            "mistral-7b",
            "mistral-7b-v0.3",
            "mistral-nemo-12b",
            "mistral-small-24b",
        ),
        ("mistral",),
    ),
    Deferred(
        "qwen2",
        "graphacct.architectures.qwen2",
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
    Deferred(
        "qwen3",
        "graphacct.architectures.qwen3",
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
    Deferred(
        "vit",
        "graphacct.architectures.vit",
        ("vit-base-patch16-224", "vit-large-patch16-224", "vit-huge-patch14-224-in21k"),
        ("vit",),
    ),
    Deferred(
        "clip",
        "graphacct.architectures.clip",
        ("clip-vit-base-patch32", "clip-vit-base-patch16", "clip-vit-large-patch14"),
        ("clip",),
    ),
    Deferred(
        "clip_text_model",
        "graphacct.architectures.clip_text",
        ("clip-vit-large-patch14-text",),
        ("clip_text_model",),
    ),
    Deferred(
        "clip_vision_model",
        "graphacct.architectures.clip_vision",
        ("clip-vit-large-patch14-vision",),
        ("clip_vision_model",),
    ),
    Deferred(
        "bloom",
        "graphacct.architectures.bloom",
        ("bloom-560m", "bloom-1b1", "bloom-1b7", "bloom-3b", "bloom-7b1", "bloom-176b"),
        ("bloom",),
    ),
    Deferred(
        "codegen",
        "graphacct.architectures.codegen",
        ("codegen-350m", "codegen-2b", "codegen-6b", "codegen-16b"),
        ("codegen",),
    ),
    Deferred(
        "falcon",
        "graphacct.architectures.falcon",
        ("falcon-7b", "falcon-40b", "falcon-180b", "falcon-rw-1b"),
        ("falcon", "RefinedWeb", "RefinedWebModel"),
    ),
    Deferred(
        "gpt_neo",
        "graphacct.architectures.gpt_neo",
        ("gpt-neo-125m", "gpt-neo-350m", "gpt-neo-1.3b", "gpt-neo-2.7b"),
        ("gpt_neo",),
    ),
    Deferred(
        "gptj",
        "graphacct.architectures.gptj",
        ("gpt-j-6b",),
        ("gptj",),
    ),
    Deferred(
        "opt",
        "graphacct.architectures.opt",
        ("opt-125m", "opt-350m", "opt-1.3b", "opt-2.7b", "opt-6.7b", "opt-13b", "opt-30b", "opt-66b"),
        ("opt",),
    ),
    Deferred(
        "phi",
        "graphacct.architectures.phi",
        ("phi-1", "phi-1.5", "phi-2"),
        ("phi", "phi-msft", "mixformer-sequential"),
    ),
    Deferred(
        "phi3",
        "graphacct.architectures.phi3",
        ("phi-3-mini-4k", "phi-3-mini-128k", "phi-3-medium-4k", "phi-3-medium-128k", "phi-4", "phi-4-mini"),
        ("phi3",),
    ),
    Deferred(
        "stablelm",
        "graphacct.architectures.stablelm",
        ("stablelm-3b-4e1t", "stablelm-2-1.6b", "stablelm-2-12b"),
        ("stablelm", "stablelm_epoch"),
    ),
    Deferred(
        "starcoder2",
        "graphacct.architectures.starcoder2",
        ("starcoder2-3b", "starcoder2-7b", "starcoder2-15b"),
        ("starcoder2",),
    ),
    Deferred("bart", "graphacct.architectures.bart", ("bart-base", "bart-large", "bart-large-cnn"), ("bart",)),
    Deferred(
        "t5",
        "graphacct.architectures.t5",
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
    Deferred(
        "whisper",
        "graphacct.architectures.whisper",
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
    Deferred(
        "mixtral",
        "graphacct.architectures.mixtral",
        ("mixtral-8x7b", "mixtral-8x22b"),
        ("mixtral",),
    ),
    Deferred(
        "qwen2_moe",
        "graphacct.architectures.qwen2_moe",
        ("qwen1.5-moe-a2.7b", "qwen2-57b-a14b"),
        ("qwen2_moe",),
    ),
    Deferred(
        "qwen3_moe",
        "graphacct.architectures.qwen3_moe",
        ("qwen3-30b-a3b", "qwen3-235b-a22b"),
        ("qwen3_moe",),
    ),
    Deferred(
        "deepseek_v2",
        "graphacct.architectures.deepseek_v2",
        ("deepseek-v2-lite", "deepseek-v2"),
        ("deepseek_v2",),
    ),
    Deferred(
        "deepseek_v3",
        "graphacct.architectures.deepseek_v3",
        ("deepseek-v3", "deepseek-r1"),
        ("deepseek_v3",),
    ),
    Deferred(
        "gpt_oss",
        "graphacct.architectures.gpt_oss",
        ("gpt-oss-20b", "gpt-oss-120b"),
        ("gpt_oss",),
    ),
)


@hookimpl
def graphacct_register_architectures() -> Iterable[Deferred]:
    return FAMILIES
