"""DeepSeek-OCR 2: SAM's image encoder, learned queries that read its tokens in Qwen2's layers, a text model of experts.

Wei et al., 2026 (DeepSeek-OCR 2). An image is the view of the whole page; crops of it, which the class can take
besides, are not modelled.
"""

from __future__ import annotations

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

from graphacct import Builder, ConfigError, PresetFiles, SubModel, Value, Workload, differ, fields, frozen
from graphacct_vision.got_ocr2 import flattened
from graphacct_vision.ocr_encoder import SamConfig, narrowed

CLASSES = ("DeepseekOcr2ForConditionalGeneration", "DeepseekOcr2Model")
OLDER = {"DeepseekOCR2ForCausalLM": CLASSES[0]}
QUERIES = {"query_768_resolution": 144, "query_1024_resolution": 256}
"""The tables of queries and their rows: the first reads an image of as many tokens or fewer."""


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
    few = type(tokens) is int and tokens <= min(QUERIES.values())
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
    doc="DeepSeek-OCR 2: SAM's image encoder, queries in Qwen2's layers, a text model of experts.",
)
