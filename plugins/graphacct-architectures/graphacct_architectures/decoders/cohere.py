"""Command R: attention and network in parallel after one LayerNorm without bias, scaled logits, a tied head.

Names and order as in the transformers library's CohereForCausalLM.
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(LAYER_NORM, upcast="all")


@frozen(kw_only=True)
class CohereConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(256000)
    hidden_size: Dim = fields.size(8192)
    intermediate_size: Dim = fields.size(22528)
    num_hidden_layers: Dim = fields.size(40)
    num_attention_heads: Dim = fields.size(64)
    max_position_embeddings: Dim = fields.size(8192)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    use_qk_norm: bool = fields.flag(False)


def describe(config: CohereConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=config.d_head,
            qk_norm="gains" if config.use_qk_norm else "",
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]),
        NORM,
        mlp_norm="",
        parallel=True,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        logits_scaled=True,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "cohere",
    CohereConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="Command R: parallel layers, LayerNorm without bias, scaled logits.",
)
