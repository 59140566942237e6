"""GOT-OCR 2: SAM's image encoder, two convolutions and a linear layer into Qwen2.

Wei et al., 2024 (arXiv:2409.01704). The library's class writes the encoder's attention out.
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal import Composition, Part, composition, described, of_images, text_model

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_vision.parts.layers import convolution
from graphacct_vision.sam.sam_vision import VisionKeys, encoded

CLASSES = ("GotOcr2ForConditionalGeneration", "GotOcr2Model")
TEXT: dict[str, Any] = {
    **{"vocab_size": 151860, "hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 24},
    **{"num_attention_heads": 16, "num_key_value_heads": 16, "max_position_embeddings": 32768},
    "tie_word_embeddings": True,
}
"""The text model's keys if a file has none."""


@frozen(kw_only=True)
class VisionConfig(VisionKeys):
    """The encoder's keys that the cost depends on."""

    mlp_dim: Dim | None = fields.optional_size(3072)


@frozen(kw_only=True)
class GotOcr2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "got_ocr2")
    text_config: SubModel = text_model("qwen2", TEXT)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """The encoder."""
        return self.vision_config or VisionConfig()


def compose(config: GotOcr2Config, root: str) -> Composition:
    """Returns a decoder, and its images through the encoder and the projector."""
    text, c = described(config.text_config), config.vision

    def rows(workload: Workload, b: Builder) -> Value:
        images = attrs.evolve(of_images(workload), attention="eager")
        with b.scope(f"{root}vision_tower"):
            x = encoded(c, images, b, "vision_config.image_size")
        with b.scope(f"{root}multi_modal_projector"):
            x = convolution(b, "conv_upsampler1", x, 2 * c.output_channels, 3, stride=2, padding=1)
            return linear(
                b,
                "multimodal_projector",
                flattened(b, convolution(b, "conv_upsampler2", x, text.width, 3, stride=2, padding=1)),
                text.width,
            )

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def flattened(b: Builder, x: Value) -> Value:
    """Returns the places of a map (images, width, rows, columns) as tokens (images, places, width)."""
    images, width, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name="places", shape=(images, width, rows * columns))
    found: Value = b.apply("permute", x, name="tokens", dims=(0, 2, 1))
    return found


ARCHITECTURE = composition(
    "got_ocr2",
    GotOcr2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (config.vision.image_size,) * 2,
    model_types=("got_ocr2", "pp_chart2table"),
    doc="GOT-OCR 2: SAM's image encoder, two convolutions, any decoder.",
)
