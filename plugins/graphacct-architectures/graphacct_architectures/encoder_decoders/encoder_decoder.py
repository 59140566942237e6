"""An encoder of texts and a decoder of any families: BERT that writes, for example.

Rothe et al., 2019 (arXiv:1907.12461).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.encoder_decoders.parts.pair import PairConfig, decoder_model, encoder_model, pair

MODEL = "EncoderDecoderModel"


@frozen(kw_only=True)
class EncoderDecoderConfig(PairConfig):
    """The keys of the published config.json that the cost depends on: two models."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    encoder: SubModel = encoder_model("bert", "encoder_seq_len")
    decoder: SubModel = decoder_model()


ARCHITECTURE = pair(
    "encoder-decoder",
    EncoderDecoderConfig,
    PresetFiles(__file__),
    size="encoder_seq_len",
    doc="An encoder of texts and a decoder that attends to it, of any families.",
)
