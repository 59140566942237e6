"""GLM-4 of 2025: norms before and after each part, half of each head rotated, gate and projection in one matrix.

GLM Team, 2024 (arXiv:2406.12793); names and order as in the transformers library's Glm4ForCausalLM.
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims
from graphacct_architectures.decoders.parts.rotary import LAYER
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class Glm4Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151552)
    intermediate_size: Dim = fields.size(13696)
    num_hidden_layers: Dim = fields.size(40)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(True)
    partial_rotary_factor: float = fraction(0.5)


def describe(config: Glm4Config) -> Decoder:
    """Returns layers of which pairs of neighbours are rotated."""
    return glm_text(config, rotary_dims(config, paired=True), bias=config.attention_bias, rotary_repeated=LAYER)


def glm_text(config: Any, rotary: Dim, **attention: Any) -> Decoder:
    """Returns a stack of equal layers with norms before and after each part; `rotary` dimensions of a head are rotated,
    and `attention` holds what else it has."""
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            rotary=rotary,
            rotary_joined=True,
            dropout=config.attention_dropout,
            **attention,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], joint="gate_up_proj"),
        attention_post_norm="post_self_attn_layernorm",
        mlp_post_norm="post_mlp_layernorm",
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
    "glm4",
    Glm4Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="GLM-4: norms around each part, half of each head rotated, joint gate.",
)
