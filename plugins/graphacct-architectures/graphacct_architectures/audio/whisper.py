"""Whisper: an encoder of 30 seconds of speech, always 3,000 frames, and a decoder of its text.

Radford et al., 2022 (arXiv:2212.04356).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.audio.parts.frames import Heard, frames_encoder, network, own_attention
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    EncoderDecoder,
    Head,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "WhisperForConditionalGeneration", "WhisperModel"
AUDIO, CAUSAL = "WhisperForAudioClassification", "WhisperForCausalLM"


@frozen(kw_only=True)
class WhisperConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, AUDIO, CAUSAL))
    vocab_size: Dim = fields.size(51865)
    num_mel_bins: Dim = fields.size(80)
    d_model: Dim = fields.size(384)
    encoder_layers: Dim = fields.size(4)
    encoder_ffn_dim: Dim = fields.size(1536)
    encoder_attention_heads: Dim = fields.size(6)
    decoder_layers: Dim = fields.size(4)
    decoder_ffn_dim: Dim = fields.size(1536)
    decoder_attention_heads: Dim = fields.size(6)
    max_source_positions: Dim = fields.size(1500)
    max_target_positions: Dim = fields.size(448)
    activation_function: str = activation("gelu")
    dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    encoder_layerdrop: float = fields.probability(0.0)
    decoder_layerdrop: float = fields.probability(0.0)
    use_weighted_layer_sum: bool = fields.flag(False)
    classifier_proj_size: Dim = fields.size(256)
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: WhisperConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks; keys have no bias."""
    width, sources, targets = config.d_model, config.max_source_positions, config.max_target_positions

    dropout, inner_dropout, act = config.attention_dropout, config.activation_dropout, config.activation_function
    heard = Heard(
        width,
        config.encoder_layers,
        config.encoder_attention_heads,
        config.encoder_ffn_dim,
        config.num_mel_bins,
        sources,
        act,
        dropout,
        inner_dropout,
    )
    heads = config.decoder_attention_heads
    causal = Part(own_attention(width, "self_attn", heads, dropout), "self_attn_layer_norm")
    other = Part(own_attention(width, "encoder_attn", heads, dropout, cross=True), "encoder_attn_layer_norm")
    decoder = Stack(
        (causal, other, network(config.decoder_ffn_dim, act, inner_dropout)),
        config.decoder_layers,
        "decoder",
        positions=Positions("embed_positions", targets, targets, per_sequence=True),
        norm="layer_norm",
        norm_kind=Norm(LAYER_NORM, bias=True),
    )
    name = config.architectures
    projected = config.classifier_proj_size
    classes = Classifier("classifier", config.num_labels, dense="projector", width=projected, averaged=True)
    return EncoderDecoder(
        config.vocab_size,
        width,
        None if name == CAUSAL else frames_encoder(heard, "encoder"),
        None if name == AUDIO else decoder,
        module="model" if name in (LM, CAUSAL) else "",
        shared="",
        head=Head("proj_out", tied=config.tie_word_embeddings) if name in (LM, CAUSAL) else None,
        classifier=classes if name == AUDIO else None,
        dropout=config.dropout,
        weighted=name == AUDIO and config.use_weighted_layer_sum,
        alone=name == CAUSAL,
    )


PADDED = "it pads each sound to 30 s, whatever it lasts, so every length costs the same"
LACKS = {**dict.fromkeys(("audio_seconds", "frames", "samples"), PADDED), "audios": "batch= counts its sounds"}

ARCHITECTURE = encoder_decoder(
    "whisper",
    WhisperConfig,
    describe,
    PresetFiles(__file__),
    doc="Whisper: convolutions and an encoder over 3,000 frames, a decoder with learned positions, GELU.",
    context=lambda config: config.max_target_positions,
    encoder_seq_len=False,
    language_model=CAUSAL,
    aliases={
        "hidden_size": "d_model",
        "num_attention_heads": "encoder_attention_heads",
        "num_key_value_heads": "encoder_attention_heads",
        "num_hidden_layers": "encoder_layers",
    },
    lacks=LACKS,
)
