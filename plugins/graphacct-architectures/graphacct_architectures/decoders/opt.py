"""OPT: learned positions with two spare rows, LayerNorm before each part, ReLU, biases, a tied head.

Zhang et al., 2022 (arXiv:2205.01068). OPT-350M has its norms after each part and an embedding narrower than the stream.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, equal, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, SPAN, HeadConfig

SPARE = 2
"""Rows of the position table before the first position."""


@frozen(kw_only=True)
class OPTConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50272)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    ffn_dim: Dim = fields.size(3072)
    max_position_embeddings: Dim = fields.size(2048)
    do_layer_norm_before: bool = fields.flag(True)
    remove_final_layer_norm: bool = fields.flag(False)
    word_embed_proj_dim: Dim | None = fields.optional_size()
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    num_attention_heads: Dim = fields.size(12)
    activation_function: str = activation("relu")
    enable_bias: bool = fields.flag(True)
    layer_norm_elementwise_affine: bool = fields.flag(True)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: OPTConfig) -> Decoder:
    """Returns a stack of equal layers; the queries are scaled instead of the scores."""
    width, narrow, before = config.hidden_size, config.word_embed_proj_dim, config.do_layer_norm_before
    affine = config.layer_norm_elementwise_affine
    norm = Norm(LAYER_NORM, weight=affine, bias=affine)
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads"),
            out="out_proj",
            bias=config.enable_bias,
            out_bias=config.enable_bias,
            scaled=False,
            query_scaled=True,
            dropout=config.attention_dropout,
        ),
        Mlp(
            config.ffn_dim,
            ACTIVATIONS[config.activation_function],
            gated=False,
            module="",
            up="fc1",
            down="fc2",
            bias=config.enable_bias,
        ),
        norm,
        attention_norm="self_attn_layer_norm" if before else "",
        mlp_norm="final_layer_norm" if before else "",
        attention_stream_norm="" if before else "self_attn_layer_norm",
        mlp_stream_norm="" if before else "final_layer_norm",
        dropout=config.dropout,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.num_hidden_layers,
        module="model.decoder",
        embedding_width=None if narrow is None or equal(narrow, width) else narrow,
        positions=Positions("embed_positions", config.max_position_embeddings + SPARE, per_sequence=True),
        most_positions=("max_position_embeddings", config.max_position_embeddings),
        norm="final_layer_norm" if before and not config.remove_final_layer_norm else "",
        norm_kind=norm,
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "opt",
    OPTConfig,
    describe,
    PresetFiles(__file__),
    aliases={"_remove_final_layer_norm": "remove_final_layer_norm"},
    dtype="float16",
    classes=(CAUSAL, ALONE, SEQUENCE, SPAN),
    doc="OPT: learned positions, LayerNorm, ReLU, biases, tied head.",
)
