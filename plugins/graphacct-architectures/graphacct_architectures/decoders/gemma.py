"""Gemma: RMSNorm whose stored weight is the gain minus 1, a scaled embedding, GeGLU, heads wider than width / heads.

Gemma Team, 2024 (arXiv:2403.08295).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS

CENTRED = Norm(centred=True, upcast="all")


@frozen(kw_only=True)
class GemmaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on; `gelu` always means the tanh form there."""

    vocab_size: Dim = fields.size(256000)
    hidden_size: Dim = fields.size(3072)
    intermediate_size: Dim = fields.size(24576)
    num_hidden_layers: Dim = fields.size(28)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(16)
    head_dim: Dim | None = fields.optional_size(256)
    hidden_act: str = activation("gelu_pytorch_tanh")
    max_position_embeddings: Dim = fields.size(8192)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    use_bidirectional_attention: bool = fields.flag(False)


def describe(config: GemmaConfig) -> Decoder:
    """Returns a stack of equal layers."""
    operator = "gelu_tanh" if config.hidden_act == "gelu" else ACTIVATIONS[config.hidden_act]
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=config.d_head,
            causal=not config.use_bidirectional_attention,
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, operator),
        norm=CENTRED,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        embedding_scaled=True,
        norm_kind=CENTRED,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "gemma",
    GemmaConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="Gemma: centred RMSNorm, scaled embedding, GeGLU, wide heads, tied head.",
)
