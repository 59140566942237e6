"""Types of the transformers library whose classes are another type's under another name, by their parameters and FLOPs.

Each was found by comparing the tensors' names of the library's classes, and its source read.
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.renamed import RenamedArchitecture, renamed


def _twin(name: str, path: str, own: str, others: str, **differences: Any) -> RenamedArchitecture:
    """Returns the family in a file under another name; `own` and `others` are how the names of the classes begin."""
    return renamed(name, path, classes=(own, others), **differences)


TWINS: tuple[RenamedArchitecture, ...] = (
    _twin(
        "mvp",
        "encoder_decoders.bart",
        "Mvp",
        "Bart",
        defaults={"vocab_size": 50267, "num_labels": 2},
        no_cost={"use_prompt": (False,), "prompt_length": None, "prompt_mid_dim": None},
    ),
    _twin("new", "encoders.gte", "New", "Gte"),  # files of the model's own code, Alibaba-NLP/new-impl
    _twin("metaclip_2", "multimodal.clip", "MetaClip2", "CLIP"),
    _twin("metaclip_2_text_model", "multimodal.clip_text", "MetaClip2", "CLIP"),
    _twin("metaclip_2_vision_model", "multimodal.clip_vision", "MetaClip2", "CLIP"),
    _twin("chinese_clip_vision_model", "multimodal.clip_vision", "ChineseCLIP", "CLIP"),
    _twin("cohere_compass_vision", "multimodal.qwen3_vl_vision", "CohereCompass", "Qwen3VL"),
    _twin("qwen4_exp_vision", "multimodal.qwen3_5_vision", "Qwen4Exp", "Qwen3_5"),
    _twin("muse_spark_vision", "multimodal.muse_glimmer_vision", "MuseSpark", "MuseGlimmer"),
    _twin("glmga", "multimodal.glm46v", "Glm46V", "Glm46V"),
)
