"""ERNIE 4.5: Llama's layers, queries and keys rotated in float32, each angle repeated for its pair in each layer.

Baidu ERNIE Team, "ERNIE 4.5 Technical Report", 2025.
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.rotary import LAYER
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class ErnieConfig(DecoderConfig):
    """The keys that the models with and without experts have; `use_bias` is for every projection."""

    vocab_size: Dim = fields.size(103424)
    max_position_embeddings: Dim = fields.size(131072)
    tie_word_embeddings: bool = fields.flag(True)
    use_bias: bool = fields.flag(False)


@frozen(kw_only=True)
class ErnieDenseConfig(ErnieConfig):
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(18)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    head_dim: Dim | None = fields.optional_size(128)


def paired(config: ErnieConfig) -> Attention:
    """Returns the attention of both kinds of models. It drops no weights, whatever the file says."""
    bias = config.use_bias
    return rotated_attention(config, bias=bias, out_bias=bias, rotary_repeated=LAYER, dropout=0.0)


def ernie(config: ErnieConfig, layers: Layer | tuple[Layer, ...], **more: Any) -> Decoder:
    """Returns the decoder around the layers."""
    return around(config, layers, rotary_cast=False, **more)


def describe(config: ErnieDenseConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return ernie(config, Layer(paired(config), network(config, bias=config.use_bias)))


ARCHITECTURE = decoder(
    "ernie4_5",
    ErnieDenseConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="ERNIE 4.5: Llama's layers, angles repeated for each pair, in float32.",
)
