"""An encoder of speech and a decoder of text of any families: wav2vec2 with mBART, for example.

Wang et al., 2021 (arXiv:2104.06678).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.encoder_decoders.parts.pair import PairConfig, decoder_model, encoder_model, pair

MODEL = "SpeechEncoderDecoderModel"


@frozen(kw_only=True)
class SpeechEncoderDecoderConfig(PairConfig):
    """The keys of the published config.json that the cost depends on: two models."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    encoder: SubModel = encoder_model("wav2vec2", "samples")
    decoder: SubModel = decoder_model()


ARCHITECTURE = pair(
    "speech-encoder-decoder",
    SpeechEncoderDecoderConfig,
    PresetFiles(__file__),
    size="samples",
    doc="An encoder of speech and a decoder that attends to it, of any families.",
)
