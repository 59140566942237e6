"""DeepSeek-OCR, whose files call their family `deepseek_vl_v2`: the parts of Unlimited-OCR with DeepSeek-OCR 2's text
model.

Wei et al., 2025 (arXiv:2510.18234). The class is its repository's own; modules have the names of Unlimited-OCR's class
in the transformers library, and all tensors are there: 3,336,106,240 elements, as the repository's index states. An
image is the view of the whole page; crops of it are not modelled. DeepSeek-VL2, whose files have the same
`model_type`, is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from graphacct_architectures.layers import resident
from graphacct_architectures.multimodal import Composition, Part, composition, text_model

from graphacct import Builder, ConfigError, PresetFiles, SubModel, Value, Workload, brief, fields, frozen, has_value
from graphacct_vision.multimodal import unlimited_ocr

NAME, NEXT_CLASS = "deepseek_vl_v2", "DeepseekOCR2ForCausalLM"
CLASS, OTHER_CLASS = "DeepseekOCRForCausalLM", "DeepseekVLV2ForCausalLM"
TEXT = {
    **{"vocab_size": 129280, "hidden_size": 1280, "intermediate_size": 6848, "moe_intermediate_size": 896},
    **{"num_hidden_layers": 12, "num_attention_heads": 10, "num_key_value_heads": 10, "n_routed_experts": 64},
    **{"n_shared_experts": 2, "num_experts_per_tok": 6, "max_position_embeddings": 8192},
    "mlp_layer_types": ["dense", *["sparse"] * 11],
}
"""The text model of a file without one: that of the published model."""
LATENT = ("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
"""Sizes of the text's latent attention, which `use_mla` false leaves out."""
OTHER = ("use_mla", "lm_head", "rm_head", *LATENT)
FIRST = "first_k_dense_replace"
MOST_LAYERS = 10_000
"""The most layers that may differ, since each is looked at."""
SAM, CLIP = "sam_vit_b", "clip-l-14-224"
SIZES = {"width": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"}
"""Keys of each encoder, in other words."""


@frozen(kw_only=True)
class DeepseekOcrConfig(unlimited_ocr.UnlimitedOcrConfig):
    """The keys of the published config.json that the cost depends on, as `prepare` returns them."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    text_config: SubModel = text_model("deepseek_ocr2_text", TEXT)


def prepare(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a file's keys in the words of Unlimited-OCR's: the text's are in `language_config` and beside it, and the
    two encoders' in `vision_config.width`. Raises ConfigError for DeepSeek-VL2's."""
    found = dict(content)
    if content.get("architectures") == [OTHER_CLASS]:
        raise ConfigError(f"architectures has {OTHER_CLASS!r}: of this model_type {CLASS} is read, DeepSeek-VL2 is not")
    if content.get("architectures") == [NEXT_CLASS] and content.get("model_type") == NAME:
        raise ConfigError(f"architectures has {NEXT_CLASS!r}: set=model_type=deepseek_ocr2 reads it as that model's")
    projector = found.pop("projector_config", None)
    kind = projector.get("projector_type", "linear") if isinstance(projector, Mapping) else "linear"
    if kind != "linear":
        raise ConfigError(
            f"projector_config.projector_type is {brief(kind)}: DeepSeek-OCR's is linear, others not read"
        )
    text = found.pop("language_config", None)
    if isinstance(text, Mapping):
        found = {
            key: value for key, value in found.items() if key not in text or key in ("architectures", "model_type")
        }
        if text.get("use_mla") not in (None, False):
            raise ConfigError(f"language_config.use_mla is {brief(text['use_mla'])}: DeepSeek-OCR's is false")
        left = (*OTHER, "architectures", "auto_map", "model_type")
        kept = {key: value for key, value in text.items() if key not in left}
        found["text_config"] = {**kept, **_networks(kept), "model_type": "deepseek_ocr2_text"}
    vision = found.get("vision_config")
    width = vision.get("width") if isinstance(vision, Mapping) else None
    if isinstance(vision, Mapping) and isinstance(width, Mapping):
        found["vision_config"] = {
            "sam_config": {"image_size": vision.get("image_size", 1024), **_sizes(width, SAM, "mlp_dim")},
            "encoder_config": _sizes(width, CLIP, "intermediate_size"),
        }
    return found


def _networks(text: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the kind of each layer's network: the first are dense, none unless the file says so."""
    first, count = text.get(FIRST, 0), text.get("num_hidden_layers", TEXT["num_hidden_layers"])
    if not (has_value(first) and has_value(count) and first >= 0 and 0 < count <= MOST_LAYERS):
        raise ConfigError(f"language_config.{FIRST} and num_hidden_layers are numbers, not {brief((first, count))}")
    return {"mlp_layer_types": ["dense" if index < first else "sparse" for index in range(count)]}


def _sizes(width: Mapping[str, Any], name: str, hidden: str) -> dict[str, Any]:
    """Returns the keys of one encoder; its network is four times as wide as the stream."""
    own = width.get(name)
    if own is None:
        return {}
    if not isinstance(own, Mapping) or type(own.get("width", 0)) is not int:
        raise ConfigError(f"vision_config.width.{name} is an object with a width, a number, not {brief(own)}")
    found: dict[str, Any] = {SIZES.get(str(key), str(key)): value for key, value in own.items()}
    return {**found, hidden: 4 * own["width"]} if "width" in own else found


def compose(config: DeepseekOcrConfig, root: str) -> Composition:
    """Returns the decoder, and its images; CLIP's own projection of patches is in memory, and nothing reads it."""
    found = unlimited_ocr.compose(config, root)
    (images,), c = found.parts, config.vision.encoder

    def rows(workload: Workload, b: Builder) -> Value:
        made = images.features(workload, b)
        assert isinstance(made, Value)
        with b.scope(f"{root}vision_tower.vision_encoder.embeddings"):
            shape = (c.hidden_size, 3, *c.patch_size)
            resident(b, "patch_embedding", b.parameter("patch_embedding.weight", shape))
        return made

    return attrs.evolve(found, parts=(Part("images", rows),))


ARCHITECTURE = composition(
    NAME,
    DeepseekOcrConfig,
    compose,
    PresetFiles(__file__),
    classes=(CLASS, "no bare model"),
    image_size=lambda config: (config.vision.sam.image_size,) * 2,
    prepare=prepare,
    model_types=(NAME, "deepseekocr"),
    no_cost=dict.fromkeys(("candidate_resolutions", "global_view_pos", "tile_tag", "use_mla", "lm_head", "rm_head")),
    doc="DeepSeek-OCR: SAM's image encoder and CLIP's layers beside each other, a text model of experts.",
)
