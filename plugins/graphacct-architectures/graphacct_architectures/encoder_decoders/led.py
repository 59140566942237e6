"""LED: BART with attention in bands in its encoder, for long texts.

Beltagy et al., 2020 (arXiv:2004.05150). The encoder's texts are padded to a multiple of the window; no token has global
attention unless a caller gives it.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Dim, PresetFiles, exact_div, fields, floor_div, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.banded import Band, windows_of
from graphacct_architectures.encoder_decoders.bart import like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL, SPANS = "LEDForConditionalGeneration", "LEDModel", "LEDForQuestionAnswering"
KEYS = {
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "num_hidden_layers": "encoder_layers",
    "attention_probs_dropout_prob": "attention_dropout",
}


def window() -> Any:
    """Returns the windows of the encoder's layers: one for all, or a list."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        listed = isinstance(value, (list, tuple))
        return windows_of(tuple(value) if listed else value, len(value) if listed else 1)

    return fields.checked_field(check, (512,))


@frozen(kw_only=True)
class LEDConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, SPANS))
    vocab_size: Dim = fields.size(50265)
    max_encoder_position_embeddings: Dim = fields.size(16384)
    max_decoder_position_embeddings: Dim = fields.size(1024)
    d_model: Dim = fields.size(1024)
    encoder_layers: Dim = fields.size(12)
    encoder_ffn_dim: Dim = fields.size(4096)
    encoder_attention_heads: Dim = fields.size(16)
    decoder_layers: Dim = fields.size(12)
    decoder_ffn_dim: Dim = fields.size(4096)
    decoder_attention_heads: Dim = fields.size(16)
    activation_function: str = activation("gelu")
    attention_window: Any = window()
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    classifier_dropout: float = fields.probability(0.0)
    encoder_layerdrop: float = fields.probability(0.0)
    decoder_layerdrop: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count(3)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def max_position_embeddings(self) -> Dim:
        """The decoder's positions."""
        return self.max_decoder_position_embeddings


def describe(config: LEDConfig) -> EncoderDecoder:
    """Returns BART's layers, in the encoder with bands for attention."""
    first, second = config.max_encoder_position_embeddings, config.max_decoder_position_embeddings
    found = like_bart(
        config,
        LM,
        MODEL,
        embedding_norm="layernorm_embedding",
        encoder_positions=Positions("embed_positions", first, first),
        decoder_positions=Positions("embed_positions", second, second),
        module="" if config.architectures == MODEL else "led",
    )
    windows = config.attention_window
    if len(windows) > 1:
        windows_of(windows, config.encoder_layers)
    d_head = exact_div(config.d_model, config.encoder_attention_heads, "d_model / encoder_attention_heads")
    bands = tuple(
        Band(config.encoder_attention_heads, d_head, floor_div(window, 2), config.attention_dropout)
        for window in windows
    )
    assert found.encoder is not None
    assert found.decoder is not None
    scaled: dict[str, Any] = {"table_scaled": False}
    return attrs.evolve(
        found,
        encoder=attrs.evolve(found.encoder, bands=bands, **scaled),
        decoder=attrs.evolve(found.decoder, **scaled),
    )


ARCHITECTURE = encoder_decoder(
    "led",
    LEDConfig,
    describe,
    PresetFiles(__file__),
    doc="LED: BART with attention in bands in its encoder.",
    context=lambda config: config.max_decoder_position_embeddings,
    aliases=KEYS,
)
