"""StarCoder2: LayerNorm, a plain network, few heads of keys and values, a window of 4,096 positions, biases.

Lozhkov et al., 2024 (arXiv:2402.19173).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class Starcoder2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(49152)
    hidden_size: Dim = fields.size(3072)
    intermediate_size: Dim = fields.size(12288)
    num_hidden_layers: Dim = fields.size(30)
    num_attention_heads: Dim = fields.size(24)
    num_key_value_heads: Dim = fields.size(2)
    hidden_act: str = activation("gelu_pytorch_tanh")
    max_position_embeddings: Dim = fields.size(4096)
    sliding_window: Dim | None = fields.window()
    residual_dropout: float = fields.probability(0.0)
    embedding_dropout: float = fields.probability(0.0)
    use_bias: bool = fields.flag(True)
    tie_word_embeddings: bool = fields.flag(True)


def describe(config: Starcoder2Config) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.use_bias,
            out_bias=config.use_bias,
            rotary=config.d_head,
            window=config.sliding_window,
            dropout=config.attention_dropout,
        ),
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            gated=False,
            up="c_fc",
            down="c_proj",
            bias=config.use_bias,
        ),
        NORM,
        dropout=config.residual_dropout,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
        embedding_dropout=config.embedding_dropout,
    )


ARCHITECTURE = decoder(
    "starcoder2",
    Starcoder2Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={"norm_type": ("layer_norm",)},
    doc="StarCoder2: LayerNorm, RoPE, plain network, grouped queries, a window.",
)
