"""Whisper: an encoder of 30 seconds of speech, always 3,000 frames, and a decoder of its text.

Radford et al., 2022 (arXiv:2212.04356).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description import LAYER_NORM, Mlp, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Frames,
    Head,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "WhisperForConditionalGeneration", "WhisperModel"
AUDIO = "WhisperForAudioClassification"
FRAMES_PER_POSITION = 2
"""The second convolution's stride."""


@attrs.frozen(kw_only=True)
class WhisperConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, AUDIO))
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

    def attention(module: str, heads: Dim, cross: bool = False) -> Attention:
        d_head = exact_div(width, heads, "d_model / attention heads")
        scaling: dict[str, Any] = {"k_bias": False, "scaled": False, "query_scaled": True, "contiguous": True}
        return Attention(heads, d_head, module, cross, dropout=config.attention_dropout, **scaling)

    def network(inner: Dim) -> Part:
        kind = ACTIVATIONS[config.activation_function]
        drop = config.activation_dropout
        module = Mlp(inner, kind, gated=False, module="", up="fc1", down="fc2", bias=True, dropout=drop)
        return Part(module, "final_layer_norm")

    first, second = config.encoder_attention_heads, config.decoder_attention_heads
    own = Part(attention("self_attn", first), "self_attn_layer_norm")
    causal = Part(attention("self_attn", second), "self_attn_layer_norm")
    other = Part(attention("encoder_attn", second, cross=True), "encoder_attn_layer_norm")
    common: dict[str, Any] = {"norm": "layer_norm", "norm_kind": Norm(LAYER_NORM, bias=True)}
    encoder = Stack(
        (own, network(config.encoder_ffn_dim)),
        config.encoder_layers,
        "encoder",
        frames=Frames(config.num_mel_bins, FRAMES_PER_POSITION * sources),
        positions=Positions("embed_positions", sources, sources, frozen=True),
        **common,
    )
    decoder = Stack(
        (causal, other, network(config.decoder_ffn_dim)),
        config.decoder_layers,
        "decoder",
        positions=Positions("embed_positions", targets, targets, per_sequence=True),
        **common,
    )
    name = config.architectures
    if name == AUDIO and config.use_weighted_layer_sum:
        raise ConfigError("use_weighted_layer_sum is true: a classifier that reads all layers is not modelled")
    projected = config.classifier_proj_size
    classes = Classifier("classifier", config.num_labels, dense="projector", width=projected, averaged=True)
    return EncoderDecoder(
        config.vocab_size,
        width,
        encoder,
        None if name == AUDIO else decoder,
        module="model" if name == LM else "",
        shared="",
        head=Head("proj_out", tied=config.tie_word_embeddings) if name == LM else None,
        classifier=classes if name == AUDIO else None,
        dropout=config.dropout,
    )


ARCHITECTURE = encoder_decoder(
    "whisper",
    WhisperConfig,
    describe,
    PresetFiles(__file__),
    doc="Whisper: convolutions and an encoder over 3,000 frames, a decoder with learned positions, GELU.",
    context=lambda config: config.max_target_positions,
    encoder_seq_len=False,
    aliases={
        "hidden_size": "d_model",
        "num_attention_heads": "encoder_attention_heads",
        "num_key_value_heads": "encoder_attention_heads",
        "num_hidden_layers": "encoder_layers",
    },
)
