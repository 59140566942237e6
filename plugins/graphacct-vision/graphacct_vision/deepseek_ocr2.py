"""DeepSeek-OCR 2: SAM's image encoder, learned queries that read its tokens in Qwen2's layers, a text model of experts.

Wei et al., 2026 (DeepSeek-OCR 2). An image is the view of the whole page; crops of it, which the class can take
besides, are not modelled.
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.decoders.parts.attention import normed_by
from graphacct_architectures.decoders.parts.decode import layer
from graphacct_architectures.decoders.parts.description import Attention, Layer
from graphacct_architectures.decoders.parts.tables import masks, rotary_tables
from graphacct_architectures.decoders.qwen2 import Qwen2Config
from graphacct_architectures.decoders.qwen2 import describe as qwen2
from graphacct_architectures.layers import linear, resident
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images

from graphacct import Builder, ConfigError, PresetFiles, SubModel, Value, Workload, differ, fields
from graphacct_vision.got_ocr2 import flattened
from graphacct_vision.ocr_encoder import SamConfig, narrowed

CLASSES = ("DeepseekOcr2ForConditionalGeneration", "DeepseekOcr2Model")
OLDER = {"DeepseekOCR2ForCausalLM": CLASSES[0]}
QUERIES = {"query_768_resolution": 144, "query_1024_resolution": 256}
"""The tables of queries and their rows: the first reads an image of as many tokens or fewer."""


@attrs.frozen(kw_only=True)
class VisionConfig:
    """The keys of what sees an image."""

    sam_config: SamConfig | None = fields.nested(SamConfig, "deepseek_ocr2")
    encoder_config: Qwen2Config | None = fields.nested(Qwen2Config, "deepseek_ocr2")

    @property
    def sam(self) -> SamConfig:
        """The image encoder."""
        return self.sam_config or SamConfig()

    @property
    def reader(self) -> Qwen2Config:
        """The layers in which queries read its tokens; they see all whatever windows the file says."""
        return attrs.evolve(self.encoder_config or Qwen2Config(), use_sliding_window=False, layer_types=None)


@attrs.frozen(kw_only=True)
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

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def asked(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the queries (images, queries, width) after all layers."""
    with b.scope("sam_encoder"):
        x = flattened(b, narrowed(c.sam, workload, b, "vision_config.sam_config.image_size"))
    images, tokens, given = x.spec.shape
    width = c.reader.hidden_size
    if differ(width, given):
        raise ConfigError(
            f"vision_config.encoder_config.hidden_size is {width}, and the image's tokens are {given} wide "
            "(sam_config.downsample_channels): they have to agree"
        )
    few = type(tokens) is int and tokens <= min(QUERIES.values())
    for place, (name, count) in enumerate(QUERIES.items()):
        table = b.parameter(f"{name}.weight", (count, width))
        if few is (place == 0):
            queries = b.apply("expand", table, name=name, shape=(images, count, width))
        else:
            resident(b, name, table, lookup=True)
    x = b.apply("concat", x, queries, name="tokens_and_queries", dim=1)
    with b.scope("vision_encoder"):
        x = through(c.reader, workload, b, x)
    found: Value = b.apply("slice", x, name="read", dim=1, start=tokens, length=x.spec.shape[1] - tokens)
    return found


def through(config: Qwen2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (images, tokens, width) after Qwen2's layers, in which the image's tokens see each other."""
    d = qwen2(config)
    assert isinstance(d.layer, Layer)
    assert isinstance(d.layer.attention, Attention)
    kind = attrs.evolve(d.layer, attention=attrs.evolve(d.layer.attention, masked=True))
    d = attrs.evolve(d, layer=kind)
    phase = "train" if workload.phase == "train" else "forward"
    inner = Workload(batch=x.spec.shape[0], seq_len=x.spec.shape[1], attention=workload.attention, phase=phase)
    tables: dict[str, Any] = {**masks(d, inner, b), **rotary_tables(d, inner, b)}
    b.hold(*tables.values())
    x = b.repeat("layers", d.count, layer(inner, tuple(tables), kind), x, constants=tuple(tables.values()))
    return normed_by(b, "norm", x, d.norm_kind)


ARCHITECTURE = composition(
    "deepseek_ocr2",
    DeepseekOcr2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (config.vision.sam.image_size,) * 2,
    doc="DeepSeek-OCR 2: SAM's image encoder, queries in Qwen2's layers, a text model of experts.",
)
