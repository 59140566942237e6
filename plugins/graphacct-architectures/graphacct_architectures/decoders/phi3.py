"""Phi-3 and Phi-4: Llama with one projection for q, k and v and one for gate and up, and a window in some models.

Abdin et al., 2024 (arXiv:2404.14219, arXiv:2412.08905).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class Phi3Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(32064)
    hidden_size: Dim = fields.size(3072)
    intermediate_size: Dim = fields.size(8192)
    max_position_embeddings: Dim = fields.size(4096)
    resid_pdrop: float = fields.probability(0.0)
    sliding_window: Dim | None = fields.window()
    partial_rotary_factor: float = fraction(1.0)
    rope_parameters: Mapping[str, Any] = rope_parameters(
        {"su": "longrope", "yarn": "longrope"}, ("default", "longrope")
    )


def describe(config: Phi3Config) -> Decoder:
    """Returns a stack of equal layers."""
    rotary = rotary_dims(config)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            joint="qkv_proj",
            rotary=rotary,
            rotary_joined=True,
            window=config.sliding_window,
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], joint="gate_up_proj"),
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "phi3",
    Phi3Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="Phi-3 and Phi-4: RMSNorm, RoPE, SwiGLU, joint projections.",
)
