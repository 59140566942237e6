"""Jais 2: Llama's attention between LayerNorms, a network of squared ReLU without a gate, biases everywhere.

MBZUAI, Cerebras and Inception, "Jais 2", 2025.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.arcee import ArceeConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class Jais2Config(ArceeConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(150272)
    hidden_size: Dim = fields.size(3328)
    intermediate_size: Dim = fields.size(26624)
    num_attention_heads: Dim = fields.size(26)
    max_position_embeddings: Dim = fields.size(8192)
    attention_bias: bool = fields.flag(True)
    mlp_bias: bool = fields.flag(True)


def describe(config: Jais2Config) -> Decoder:
    """Returns a stack of equal layers."""
    return around(config, Layer(rotated_attention(config), network(config, gated=False), NORM), norm_kind=NORM)


ARCHITECTURE = decoder(
    "jais2",
    Jais2Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="Jais 2: Llama's attention, LayerNorm, squared ReLU without a gate, biases.",
)
