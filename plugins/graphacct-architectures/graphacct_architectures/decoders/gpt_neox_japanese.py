"""GPT-NeoX Japanese: GPT-NeoX's joint projection, one network after attention, a bias in the last layer's attention
alone.

ABEJA, "GPT-NeoX Japanese 2.7B", 2022; names and order as in the transformers library's GPTNeoXJapaneseForCausalLM
(5.23), which has its attention written out alone.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    fraction,
    rotary_dims,
    width_over_heads,
    written_out_alone,
)
from graphacct_architectures.decoders.parts.joint import BY_HEAD
from graphacct_architectures.decoders.parts.sparse import layered
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class GPTNeoXJapaneseConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(2560)
    intermediate_multiple_size: Dim = fields.size(4)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.1)
    hidden_dropout: float = fields.probability(0.0)
    partial_rotary_factor: float = fraction(1.0)
    tie_word_embeddings: bool = fields.flag(True)

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return width_over_heads(self)


def describe(config: GPTNeoXJapaneseConfig) -> Decoder:
    """Returns layers of which the last one's attention has a bias."""
    rotary, heads = rotary_dims(config), config.num_attention_heads
    width = config.intermediate_multiple_size * config.hidden_size
    count = config.num_hidden_layers

    def kind(index: int) -> Layer:
        attention = Attention(
            heads,
            heads,
            config.d_head,
            module="attention",
            joint="query_key_value",
            joint_order=BY_HEAD,
            out="dense",
            rotary=rotary,
            rotary_joined=True,
            upcast="",
            out_shift="dense_bias" if index == count - 1 else "",
            dropout=config.attention_dropout,
        )
        network = Mlp(width, ACTIVATIONS[config.hidden_act], gated=False, up="dense_h_to_4h", down="dense_4h_to_h")
        return Layer(attention, network, NORM, dropout=config.hidden_dropout)

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layered(count, False, kind),
        module="gpt_neox_japanese",
        embedding="embed_in",
        norm="final_layer_norm",
        norm_kind=NORM,
        head="embed_out",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "gpt_neox_japanese",
    GPTNeoXJapaneseConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    aliases={"rotary_pct": "partial_rotary_factor"},
    classes=(CAUSAL, ALONE),
    no_cost={"rotary_emb_base": None},
    doc="GPT-NeoX Japanese: a joint projection, a bias in the last layer's attention alone.",
)
