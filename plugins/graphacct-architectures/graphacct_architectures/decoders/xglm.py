"""XGLM: computed positions, LayerNorm before each part, biases, a scaled embedding, a tied head.

Lin et al., 2021 (arXiv:2112.10668).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder, written_out_alone
from graphacct_architectures.heads import ALONE, CAUSAL, HeadConfig

NORM = Norm(LAYER_NORM, bias=True)
SPARE = 2
"""Rows of the position table before the first position."""


@frozen(kw_only=True)
class XGLMConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(256008)
    max_position_embeddings: Dim = fields.size(2048)
    d_model: Dim = fields.size(1024)
    ffn_dim: Dim = fields.size(4096)
    num_layers: Dim = fields.size(24)
    attention_heads: Dim = fields.size(16)
    activation_function: str = activation("gelu")
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.0)
    add_cross_attention: bool = fields.always(False)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: XGLMConfig) -> Decoder:
    """Returns a stack of equal layers; the queries are scaled instead of the scores."""
    width, heads = config.d_model, config.attention_heads
    layer = Layer(
        Attention(
            heads,
            heads,
            exact_div(width, heads, "d_model / attention_heads"),
            out="out_proj",
            bias=True,
            out_bias=True,
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
            bias=True,
            dropout=config.activation_dropout,
        ),
        NORM,
        attention_norm="self_attn_layer_norm",
        mlp_norm="final_layer_norm",
        dropout=config.dropout,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.num_layers,
        embedding_scaled=True,
        embedding_dropout=config.dropout,
        positions=Positions("embed_positions", config.max_position_embeddings + SPARE, computed=True),
        norm="layer_norm",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "xglm",
    XGLMConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    aliases={"hidden_size": "d_model", "num_hidden_layers": "num_layers", "num_attention_heads": "attention_heads"},
    translated=("hidden_size", "num_hidden_layers", "num_attention_heads"),
    dtype="float32",
    classes=(CAUSAL, ALONE),
    no_cost={"layerdrop": None, "scale_embedding": None, "init_std": None},
    doc="XGLM: computed positions, LayerNorm, biases, tied head.",
)
