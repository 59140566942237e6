"""OpenCLIP: a tower for images and one for texts, from an open_clip_config.json, under the library's own names.

Cherti et al., 2022 (arXiv:2212.07143); Radford et al., 2021 (arXiv:2103.00020). The image tower is a ViT, CLIP's own
ResNet or a model of timm's, the text tower a Transformer or a model of the transformers library; CoCa has a decoder of
words beside them. The order of operations is that of open_clip 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    fields,
    frozen,
    published_keys,
)
from graphacct_vision.multimodal import coca, open_clip_image, open_clip_text
from graphacct_vision.multimodal.open_clip_cfg import MultimodalCfg, TextCfg, VisionCfg

NO_COST = (
    *("init_logit_scale", "hf_tokenizer_name", "tokenizer_kwargs", "tokenizer_mode", "pad_id", "eos_id"),
    *("hf_model_pretrained", "timm_model_pretrained", "final_ln_after_pool"),
    *("vocab_size", "mlp_ratio", "dim_head", "n_queries", "attn_pooler_heads"),
)
"""Keys without cost where no class has them as fields; a captioner's decoder takes none of the last."""


def _bias() -> Any:
    def check(value: Any, field: Any) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ConfigError(f"{field.name} is {brief(value)}, not a number or null")
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class OpenCLIPConfig:
    """The keys of `model_cfg` in an open_clip_config.json that the cost depends on."""

    embed_dim: Dim = fields.size(512)
    vision_cfg: VisionCfg | None = fields.nested(VisionCfg, "open_clip")
    text_cfg: TextCfg | None = fields.nested(TextCfg, "open_clip")
    multimodal_cfg: MultimodalCfg | None = fields.nested(MultimodalCfg, "open_clip")
    quick_gelu: bool = fields.flag(False)
    custom_text: bool = fields.flag(False)
    init_logit_bias: float | None = _bias()
    nonscalar_logit_scale: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.multimodal_cfg is not None and not self.custom:
            raise ConfigError("multimodal_cfg without custom_text: the class of both towers has no decoder")
        plain_vit = self.vision.timm_model_name is None and not isinstance(self.vision.layers, tuple)
        if self.multimodal_cfg is not None:
            if not (self.vision.output_tokens and self.text.output_tokens and plain_vit):
                raise ConfigError(
                    "multimodal_cfg: the decoder reads the tokens of a ViT and of a text tower, with output_tokens "
                    "true in vision_cfg and in text_cfg"
                )
        elif (self.vision.output_tokens and plain_vit) or (self.text.output_tokens and self.custom):
            raise ConfigError("output_tokens without multimodal_cfg: the class compares embeddings alone, and fails")
        if self.text.embed_cls and not self.custom:
            raise ConfigError(
                "text_cfg.embed_cls without custom_text: the class has positions for one token more than it reads"
            )

    @property
    def vision(self) -> VisionCfg:
        """The image tower."""
        return self.vision_cfg or VisionCfg()

    @property
    def text(self) -> TextCfg:
        """The text tower."""
        return self.text_cfg or TextCfg()

    @property
    def custom(self) -> bool:
        """Whether the text tower is a module of its own."""
        return self.custom_text or self.text.hf_model_name is not None


def build(config: OpenCLIPConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to an embedding of each, both normalized, and the factor of their
    similarities; before it a captioner's logits, and behind it what is added to them if the file says."""
    quick = config.quick_gelu
    with b.scope("visual"):
        image, seen = open_clip_image.encoded(config.vision, config.embed_dim, workload, b, quick=quick)
    with b.scope("text" if config.custom else ""):
        text, tokens = open_clip_text.encoded(config.text, config.embed_dim, workload, b, quick=quick)
    found = [normalized(b, image, "image"), normalized(b, text, "text")]
    if config.multimodal_cfg is not None:
        assert seen is not None
        before = b.apply("slice", tokens, name="tokens_before", dim=1, start=0, length=tokens.spec.shape[1] - 1)
        with b.scope("text_decoder"):
            act = "quick_gelu" if quick else "gelu"
            words = config.text.vocab_size
            found.append(coca.decoded(config.multimodal_cfg, words, act, workload, b, seen, before))
    shape = (1,) if config.nonscalar_logit_scale else ()
    found.append(b.apply("exp", b.parameter("logit_scale", shape), name="factor"))
    if config.init_logit_bias is not None:
        bias = b.parameter("logit_bias", shape)
        found.append(b.apply("reshape", bias, name="bias", shape=shape))
    return tuple(found)


def normalized(b: Builder, x: Value, label: str) -> Value:
    """Returns each row divided by its length."""
    length = b.apply("vector_norm", x, name=f"{label}_length", dim=-1, keepdim=True)
    length = b.apply(
        "expand", b.apply("clamp", length, name=f"{label}_clamped"), name=f"{label}_lengths", shape=x.spec.shape
    )
    found: Value = b.apply("div", x, length, name=f"{label}_normalized")
    return found


def with_models(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the content of a file with the keys of the models that it names: timm's, and the transformers
    library's if a preset has its sizes."""
    found = dict(content)
    vision, text = content.get("vision_cfg"), content.get("text_cfg")
    outputs = content.get("embed_dim", 512)
    if isinstance(vision, Mapping):
        named, listed = vision.get("timm_model_name"), isinstance(vision.get("layers"), (list, tuple))
        if (named or listed) and vision.get("patch_size", 0) is None:  # of a tower without patches of its own
            vision = {key: value for key, value in vision.items() if key != "patch_size"}
        if named:
            labels = 0 if vision.get("timm_proj", "linear") else outputs
            vision = {**vision, "timm_model": {"architecture": named, "num_labels": labels}}
        found["vision_cfg"] = vision
    if isinstance(text, Mapping) and text.get("hf_model_name"):
        known = published_keys(text["hf_model_name"]) if isinstance(text["hf_model_name"], str) else None
        given = text.get("hf_model_config")
        if known is not None and given is None:
            found["text_cfg"] = {**text, "hf_model_config": known}
    return found


def inexact(config: OpenCLIPConfig, workload: Workload, dtype: str) -> Sequence[str]:
    """Returns what is not equal to the library's saved tensors: timm's branches that are dropped."""
    dropped = config.vision.timm_model_name is not None and config.vision.timm_drop_path
    if not dropped:
        return ()
    return (f"timm_drop_path is {dropped}: a step drops branches of timm's model, which is not counted",)


ARCHITECTURE = Architecture(
    "open_clip",
    OpenCLIPConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.context_length,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    prepare=with_models,
    inexact=inexact,
    no_cost=dict.fromkeys(NO_COST),
    model_types=("open_clip",),
    losses=SUM_ALONE,
    doc="OpenCLIP: images and texts through two towers, or CoCa with a decoder, from an open_clip_config.json.",
)
