"""DeepSeek-OCR 2: SAM's image encoder, learned queries that read its tokens in Qwen2's layers, a text model of experts.

Wei et al., 2026 (DeepSeek-OCR 2). An image is the view of the whole page; crops of it, which the class can take
besides, are not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct_architectures.layers import linear, resident
from graphacct_architectures.multimodal import (
    Composition,
    Part,
    QwenLayers,
    composition,
    described,
    of_images,
    text_model,
    through_qwen,
)

from graphacct import (
    Builder,
    ConfigError,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    brief,
    differ,
    fields,
    frozen,
    has_value,
)
from graphacct_vision.multimodal import deepseek_vl_v2
from graphacct_vision.multimodal.got_ocr2 import flattened
from graphacct_vision.multimodal.ocr_encoder import SamConfig, narrowed

CLASSES = ("DeepseekOcr2ForConditionalGeneration", "DeepseekOcr2Model")
OLDER = {"DeepseekOCR2ForCausalLM": CLASSES[0]}
QUERIES = {"query_768_resolution": 144, "query_1024_resolution": 256}
"""The tables of queries and their rows: the first reads an image of as many tokens or fewer."""


QWEN = "qwen2-0-5b"
QWEN_SIZES = {
    **{"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "num_key_value_heads": 2,
}
"""The sizes of Qwen2-0.5B, whose layers an older file names."""


@frozen(kw_only=True)
class VisionConfig:
    """The keys of what sees an image."""

    sam_config: SamConfig | None = fields.nested(SamConfig, "deepseek_ocr2")
    encoder_config: QwenLayers | None = fields.nested(QwenLayers, "deepseek_ocr2")

    @property
    def sam(self) -> SamConfig:
        """The image encoder."""
        return self.sam_config or SamConfig()

    @property
    def reader(self) -> QwenLayers:
        """The layers in which queries read its tokens."""
        return self.encoder_config or QwenLayers()


@frozen(kw_only=True)
class DeepseekOcr2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES, OLDER)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "deepseek_ocr2")
    text_config: SubModel = text_model("deepseek_ocr2_text", always=True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """What sees an image."""
        return self.vision_config or VisionConfig()


def prepare(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns an older file's keys, which are in `language_config` and `vision_config.width`, as today's files have
    them. The image's tokens are as wide as the queries: `downsample_channels` there are DeepSeek-OCR's, and the
    published class does not read them. Raises ConfigError for a width that is none."""
    vision = content.get("vision_config")
    width = vision.get("width") if isinstance(vision, Mapping) else None
    if not isinstance(width, Mapping) and "language_config" not in content:
        return content
    found = dict(deepseek_vl_v2.prepare({**content, "model_type": "deepseek_ocr2"}))
    if isinstance(width, Mapping):
        own = width.get(QWEN, {})
        size = own.get("dim", QWEN_SIZES["hidden_size"]) if isinstance(own, Mapping) else None
        if type(size) is not int:
            raise ConfigError(f"vision_config.width.{QWEN} is an object with dim, a number, not {brief(own)}")
        sam = {**found["vision_config"]["sam_config"], "downsample_channels": [512, size]}
        found["vision_config"] = {"sam_config": sam, "encoder_config": {**QWEN_SIZES, "hidden_size": size}}
    return found


def compose(config: DeepseekOcr2Config, root: str) -> Composition:
    """Returns the decoder, and its images through the encoder and the queries."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_tower"):
            x = asked(config.vision, images, b)
        with b.scope(root.removesuffix(".")):
            x = linear(b, "multi_modal_projector", x, text.width)
            own = b.parameter("view_separator", (text.width,))
            own = b.apply("expand", own, name="separators", shape=(images.batch, 1, text.width))
            return b.apply("concat", x, own, name="with_separator", dim=1)

    part = Part("images", rows, lambda: check(config.vision))
    return Composition(text, (part,), f"{root}language_model", tied=config.tie_word_embeddings)


def check(c: VisionConfig) -> None:
    """Raises ConfigError if queries and the image's tokens are of different widths."""
    width, given = c.reader.hidden_size, c.sam.downsample_channels[-1]
    if differ(width, given):
        raise ConfigError(
            f"vision_config.encoder_config.hidden_size is {width}, and the image's tokens are {given} wide "
            "(sam_config.downsample_channels): they have to agree"
        )


def asked(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the queries (images, queries, width) after all layers."""
    with b.scope("sam_encoder"):
        x = flattened(b, narrowed(c.sam, workload, b, "vision_config.sam_config.image_size"))
    images, tokens, given = x.spec.shape
    width = c.reader.hidden_size
    if differ(width, given):  # the class does not run; of it the parameters are there
        x = b.apply("full", name="missing", shape=(images, tokens, width), dtype=b.dtype)
    few = has_value(tokens) and tokens <= min(QUERIES.values())
    for place, (name, count) in enumerate(QUERIES.items()):
        table = b.parameter(f"{name}.weight", (count, width))
        if few is (place == 0):
            queries = b.apply("expand", table, name=name, shape=(images, count, width))
        else:
            resident(b, name, table, lookup=True)
    x = b.apply("concat", x, queries, name="tokens_and_queries", dim=1)
    with b.scope("vision_encoder"):
        x = through_qwen(c.reader, workload, b, x)
    found: Value = b.apply("slice", x, name="read", dim=1, start=tokens, length=x.spec.shape[1] - tokens)
    return found


ARCHITECTURE = composition(
    "deepseek_ocr2",
    DeepseekOcr2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (config.vision.sam.image_size,) * 2,
    sizes={
        "images": lambda config: int(
            not differ(config.vision.reader.hidden_size, config.vision.sam.downsample_channels[-1])
        )
    },
    prepare=prepare,
    no_cost=dict.fromkeys(("candidate_resolutions", "global_view_pos", "tile_tag", "first_k_dense_replace")),
    doc="DeepSeek-OCR 2: SAM's image encoder, queries in Qwen2's layers, a text model of experts.",
)
