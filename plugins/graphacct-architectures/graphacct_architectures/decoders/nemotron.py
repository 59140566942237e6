"""Nemotron-4 and Minitron: LayerNorm whose stored weight is the gain minus 1, squared ReLU, half of each head rotated.

Parmar et al., 2024 (arXiv:2402.16819) and Muralidharan et al., 2024 (arXiv:2407.14679).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims

NORM = Norm(LAYER_NORM, bias=True, centred=True)


@frozen(kw_only=True)
class NemotronConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(256000)
    hidden_size: Dim = fields.size(6144)
    intermediate_size: Dim = fields.size(24576)
    num_attention_heads: Dim = fields.size(48)
    hidden_act: str = activation("relu2")
    max_position_embeddings: Dim = fields.size(4096)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    partial_rotary_factor: float = fraction(0.5)


def describe(config: NemotronConfig) -> Decoder:
    """Returns a stack of equal layers."""
    rotary = rotary_dims(config, paired=True)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=rotary,
            rotary_joined=True,
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, bias=config.mlp_bias),
        NORM,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "nemotron",
    NemotronConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    no_cost={"rope_percent": None, "rotary_base": None, "normalization": ("layernorm1p",)},
    doc="Nemotron-4 and Minitron: centred LayerNorm, squared ReLU, half of each head rotated.",
)
