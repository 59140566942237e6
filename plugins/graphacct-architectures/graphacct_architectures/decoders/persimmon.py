"""Persimmon: LayerNorm, queries and keys normalized per head, half of each head rotated, squared ReLU, biases.

Adept, "Releasing Persimmon-8B", 2023.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    fraction,
    rotary_dims,
    width_over_heads,
)
from graphacct_architectures.decoders.parts.joint import BY_HEAD
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class PersimmonConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(262144)
    intermediate_size: Dim = fields.size(16384)
    num_hidden_layers: Dim = fields.size(36)
    num_attention_heads: Dim = fields.size(64)
    hidden_act: str = activation("relu2")
    max_position_embeddings: Dim = fields.size(16384)
    qk_layernorm: bool = fields.flag(True)
    hidden_dropout: float = fields.probability(0.0)
    partial_rotary_factor: float = fraction(0.5)

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return width_over_heads(self)

    @property
    def kv_heads(self) -> Dim:
        """Every head has keys and values of its own."""
        return self.num_attention_heads


def describe(config: PersimmonConfig) -> Decoder:
    """Returns a stack of equal layers; only the network's output is dropped."""
    rotary = rotary_dims(config)
    attention = rotated_attention(
        config,
        joint="query_key_value",
        joint_order=BY_HEAD,
        out="dense",
        bias=True,
        out_bias=True,
        rotary=rotary,
        rotary_joined=True,
        qk_norm="head" if config.qk_layernorm else "",
        qk_norm_names=("q_layernorm", "k_layernorm"),
    )
    feed_forward = network(config, gated=False, up="dense_h_to_4h", down="dense_4h_to_h", bias=True)
    layer = Layer(attention, feed_forward, NORM, dropout=config.hidden_dropout, attention_dropout=0.0)
    return around(config, layer, norm="final_layernorm", norm_kind=NORM, rotary_tables=(("rotary_emb", rotary),))


ARCHITECTURE = decoder(
    "persimmon",
    PersimmonConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="Persimmon: LayerNorm, normed queries and keys, half of each head rotated, squared ReLU.",
)
