"""Llama: RMSNorm before each part, rotary positions, SwiGLU, queries that share keys and values.

Touvron et al., 2023 (arXiv:2302.13971, arXiv:2307.09288) and Dubey et al., 2024 (arXiv:2407.21783).
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder


@frozen(kw_only=True)
class LlamaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


def describe(config: LlamaConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=config.d_head,
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], bias=config.mlp_bias),
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "llama",
    LlamaConfig,
    describe,
    PresetFiles(__file__),
    aliases={"max_sequence_length": "max_position_embeddings"},
    span="transformer",
    doc="Llama 2, 3, 3.1, 3.2: RMSNorm, RoPE, SwiGLU, grouped queries.",
)
