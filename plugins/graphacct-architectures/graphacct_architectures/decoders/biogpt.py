"""BioGPT: learned positions with two spare rows, LayerNorm before each part, biases, a scaled embedding, a tied head.

Luo et al., 2022 (arXiv:2210.10341).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS, HeadConfig
from graphacct_architectures.losses import cross_entropy

NORM = Norm(LAYER_NORM, bias=True)
SPARE = 2
"""Rows of the position table before the first position."""


@frozen(kw_only=True)
class BioGptConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(42384)
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    intermediate_size: Dim = fields.size(4096)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.0)
    max_position_embeddings: Dim = fields.size(1024)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def hidden_dropout(self) -> float:
        """The dropout before a classifier of tokens."""
        return self.hidden_dropout_prob


def describe(config: BioGptConfig) -> Decoder:
    """Returns a stack of equal layers."""
    width, heads = config.hidden_size, config.num_attention_heads
    layer = Layer(
        Attention(
            heads,
            heads,
            exact_div(width, heads, "hidden_size / num_attention_heads"),
            out="out_proj",
            bias=True,
            out_bias=True,
            upcast="",
            dropout=config.attention_probs_dropout_prob,
        ),
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
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
        dropout=config.hidden_dropout_prob,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.num_hidden_layers,
        module="biogpt",
        embedding_scaled=True,
        embedding_dropout=config.hidden_dropout_prob,
        positions=Positions("embed_positions", config.max_position_embeddings + SPARE),
        most_positions=("max_position_embeddings", config.max_position_embeddings),
        norm="layer_norm",
        norm_kind=NORM,
        head="output_projection",
        tied=config.tie_word_embeddings,
    )


ARCHITECTURE = decoder(
    "biogpt",
    BioGptConfig,
    describe,
    PresetFiles(__file__),
    dtype="float32",
    context=lambda config: config.max_position_embeddings,
    tokens="classifier",
    token_loss=cross_entropy,
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={"layerdrop": None, "scale_embedding": None},
    doc="BioGPT: learned positions, LayerNorm, biases, scaled embedding, tied head.",
)
