"""CWM: Llama's layers, all but every fourth with a window.

FAIR CodeGen Team, 2025 (arXiv:2510.02387).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
)
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class CwmConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(6144)
    intermediate_size: Dim = fields.size(21504)
    num_hidden_layers: Dim = fields.size(64)
    num_attention_heads: Dim = fields.size(48)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    mlp_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.window(8192)
    layer_types: tuple[str, ...] | None = layer_types()


def describe(config: CwmConfig) -> Decoder:
    """Returns layers of which the first of four sees all positions, unless the file names each layer's kind."""

    def layer(kind: str) -> Layer:
        window = config.sliding_window if kind == SLIDING else None
        return Layer(rotated_attention(config, bias=False, out_bias=False, window=window), network(config))

    kinds = kinds_of_attention(config, lambda index: SLIDING if index % 4 else FULL)
    return around(config, tuple(map(layer, kinds)))


ARCHITECTURE = decoder(
    "cwm",
    CwmConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="CWM: Llama's layers, a window in three of four.",
)
