"""AFM-4.5B: Llama's attention and a network of squared ReLU without a gate.

Arcee AI, "Arcee Foundation Models", 2025.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention


@frozen(kw_only=True)
class ArceeConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(18432)
    hidden_act: str = activation("relu2")
    max_position_embeddings: Dim = fields.size(4096)


def describe(config: ArceeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return around(config, Layer(rotated_attention(config), network(config, gated=False)))


ARCHITECTURE = decoder(
    "arcee",
    ArceeConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    doc="AFM: Llama's attention, squared ReLU without a gate.",
)
