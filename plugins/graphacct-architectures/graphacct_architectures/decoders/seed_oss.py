"""Seed-OSS: Llama's layers with biases on queries, keys and values, and dropout of both outputs.

ByteDance Seed Team, "Seed-OSS Open-Source Models", 2025.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention


@frozen(kw_only=True)
class SeedOssConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(155136)
    intermediate_size: Dim = fields.size(27648)
    num_hidden_layers: Dim = fields.size(64)
    num_attention_heads: Dim = fields.size(80)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(524288)
    attention_bias: bool = fields.flag(True)
    attention_out_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.1)
    residual_dropout: float = fields.probability(0.1)
    mlp_bias: bool = fields.flag(False)


def describe(config: SeedOssConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = rotated_attention(config, out_bias=config.attention_out_bias)
    return around(config, Layer(attention, network(config), dropout=config.residual_dropout))


ARCHITECTURE = decoder(
    "seed_oss",
    SeedOssConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    doc="Seed-OSS: Llama's layers, biases on queries, keys and values.",
)
