"""BLOOM: ALiBi slopes instead of positions, a normalized embedding, tanh-GELU, biases, a tied head.

BigScience, 2022 (arXiv:2211.05100); Press et al., 2022 (arXiv:2108.12409).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder, written_out_alone
from graphacct_architectures.heads import HeadConfig
from graphacct_architectures.losses import cross_entropy

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class BloomConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on, and the length that the model was trained at."""

    vocab_size: Dim = fields.size(250880)
    hidden_size: Dim = fields.size(64)
    n_layer: Dim = fields.size(2)
    n_head: Dim = fields.size(8)
    apply_residual_connection_post_layernorm: bool = fields.flag(False)
    hidden_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    tie_word_embeddings: bool = fields.flag(True)
    seq_length: Dim = fields.size(2048)
    dtype: str | None = fields.dtype()


def describe(config: BloomConfig) -> Decoder:
    """Returns a stack of equal layers, whose network is always four times as wide as the stream."""
    width = config.hidden_size
    layer = Layer(
        Attention(
            config.n_head,
            config.n_head,
            exact_div(width, config.n_head, "hidden_size / n_head"),
            module="self_attention",
            joint="query_key_value",
            out="dense",
            bias=True,
            out_bias=True,
            alibi=True,
            dropout=config.attention_dropout,
        ),
        Mlp(4 * width, "gelu_tanh", gated=False, up="dense_h_to_4h", down="dense_4h_to_h", bias=True),
        NORM,
        residual_normed=config.apply_residual_connection_post_layernorm,
        dropout=config.hidden_dropout,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.n_layer,
        module="transformer",
        embedding="word_embeddings",
        embedding_norm="word_embeddings_layernorm",
        stack="h",
        norm="ln_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "bloom",
    BloomConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "n_embed": "hidden_size"},
    translated=("num_hidden_layers", "num_attention_heads", "n_embed"),
    context=lambda config: config.seq_length,
    dtype="float16",
    tokens="classifier",
    token_loss=cross_entropy,
    doc="BLOOM: ALiBi, LayerNorm, biases, tied head.",
)
