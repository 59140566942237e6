"""Llama: RMSNorm before each part, rotary positions, SwiGLU, queries that share keys and values.

Touvron et al., 2023 (arXiv:2302.13971, arXiv:2307.09288) and Dubey et al., 2024 (arXiv:2407.21783).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import fields
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description import Attention, Decoder, Layer, Mlp
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder


@attrs.frozen(kw_only=True)
class LlamaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


def describe(config: LlamaConfig) -> Decoder:
    """A stack of equal layers."""
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


def _two(**sizes: Any) -> LlamaConfig:
    return LlamaConfig(max_position_embeddings=4096, dtype="float16", **sizes)


def _three(**sizes: Any) -> LlamaConfig:
    common = {"vocab_size": 128256, "num_key_value_heads": 8, "dtype": "bfloat16", "max_position_embeddings": 131072}
    return LlamaConfig(**{**common, **sizes})


EIGHT_B = {"intermediate_size": 14336}
SEVENTY_B = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64}
PRESETS: Mapping[str, LlamaConfig] = {
    "llama-2-7b": _two(),
    "llama-2-13b": _two(hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40),
    "llama-2-70b": _two(**SEVENTY_B, num_key_value_heads=8),
    "llama-3-8b": _three(**EIGHT_B, max_position_embeddings=8192),
    "llama-3-70b": _three(**SEVENTY_B, max_position_embeddings=8192),
    "llama-3.1-8b": _three(**EIGHT_B),
    "llama-3.1-70b": _three(**SEVENTY_B),
    "llama-3.1-405b": _three(
        hidden_size=16384, intermediate_size=53248, num_hidden_layers=126, num_attention_heads=128
    ),
    "llama-3.2-1b": _three(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, head_dim=64, tie_word_embeddings=True
    ),
    "llama-3.2-3b": _three(
        hidden_size=3072,
        intermediate_size=8192,
        num_hidden_layers=28,
        num_attention_heads=24,
        head_dim=128,
        tie_word_embeddings=True,
    ),
}
ARCHITECTURE = decoder(
    "llama",
    LlamaConfig,
    describe,
    PRESETS,
    span="transformer",
    doc="Llama 2, 3, 3.1, 3.2: RMSNorm, RoPE, SwiGLU, grouped queries.",
)
