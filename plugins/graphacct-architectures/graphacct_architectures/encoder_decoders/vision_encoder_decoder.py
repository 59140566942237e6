"""An encoder of images and a decoder of text of any families: TrOCR, Donut, ViT with GPT-2.

Li et al., 2021 (arXiv:2109.10282); Kim et al., 2021 (arXiv:2111.15664).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.encoder_decoders.parts.pair import PairConfig, decoder_model, encoder_model, pair

MODEL = "VisionEncoderDecoderModel"


@frozen(kw_only=True)
class VisionEncoderDecoderConfig(PairConfig):
    """The keys of the published config.json that the cost depends on: two models."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    encoder: SubModel = encoder_model("vit", "image_size")
    decoder: SubModel = decoder_model()


ARCHITECTURE = pair(
    "vision-encoder-decoder",
    VisionEncoderDecoderConfig,
    PresetFiles(__file__),
    size="image_size",
    doc="An encoder of images and a decoder that attends to it, of any families.",
)
