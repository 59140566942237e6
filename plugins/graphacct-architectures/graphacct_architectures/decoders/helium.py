"""Helium: Llama's layers with norms wholly in float32.

Kyutai, "Helium 1", 2025; names and order as in the transformers library's HeliumForCausalLM.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, differ, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.rotary import LAYER
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class HeliumConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(48000)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(7040)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(20)
    num_key_value_heads: Dim | None = fields.optional_size(20)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(4096)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


def describe(config: HeliumConfig) -> Decoder:
    """Returns a stack of equal layers. The class's output projection is square and has no bias."""
    width = config.num_attention_heads * config.d_head
    if differ(width, config.hidden_size):
        raise ConfigError(f"all heads are {width} wide and hidden_size is {config.hidden_size}: they have to agree")
    norm = Norm(upcast="all", weight_wide=True)
    attention = rotated_attention(config, out_bias=False, rotary_repeated=LAYER)
    return around(config, Layer(attention, network(config), norm), norm_kind=norm)


ARCHITECTURE = decoder(
    "helium",
    HeliumConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="Helium: Llama's layers, norms in float32.",
)
