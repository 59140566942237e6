"""BitNet b1.58: Llama's layers with a norm before the last projection of each part.

Ma et al., 2025 (arXiv:2504.12285). Its published weights are ternary; the presets count the library's class in
bfloat16, and `--weights` counts packed ones.
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
class BitNetConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(6912)
    num_hidden_layers: Dim = fields.size(30)
    num_attention_heads: Dim = fields.size(20)
    num_key_value_heads: Dim | None = fields.optional_size(5)
    hidden_act: str = activation("relu2")
    attention_bias: bool = fields.flag(False)


def describe(config: BitNetConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(rotated_attention(config, out_norm="attn_sub_norm"), network(config, norm="ffn_sub_norm"))
    return around(config, layer)


ARCHITECTURE = decoder(
    "bitnet",
    BitNetConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="BitNet b1.58: Llama's layers, norms inside each part.",
)
