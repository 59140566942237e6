"""The text model of Cosmos 3 Edge: Llama's layers with a network that is not gated.

NVIDIA, 2026 (Cosmos 3).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Cosmos3EdgeTextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(131072)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(9216)
    num_hidden_layers: Dim = fields.size(28)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    hidden_act: str = activation("relu2")
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


def describe(config: Cosmos3EdgeTextConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return around(config, Layer(rotated_attention(config), network(config, gated=False, up="fc1", down="fc2")))


ARCHITECTURE = decoder(
    "cosmos3_edge_text",
    Cosmos3EdgeTextConfig,
    describe,
    PresetFiles(__file__),
    stem="Cosmos3EdgeText",
    classes=(CAUSAL, ALONE),
    no_cost={"pretraining_tp": (1,)},
    doc="Cosmos 3 Edge's text model: Llama's layers with a network that is not gated.",
)
