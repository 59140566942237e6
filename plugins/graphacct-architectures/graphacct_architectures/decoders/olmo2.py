"""OLMo 2: norms only after each part, and one norm over all queries and one over all keys.

Team OLMo, 2025 (arXiv:2501.00656).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description import Attention, Decoder, Layer, Mlp, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

NORM = Norm(upcast="all")


@attrs.frozen(kw_only=True)
class Olmo2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50304)
    attention_bias: bool = fields.flag(False)


def describe(config: Olmo2Config) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=config.d_head,
            qk_norm="width",
            dropout=config.attention_dropout,
        ),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]),
        attention_norm="",
        attention_post_norm="post_attention_layernorm",
        mlp_norm="",
        mlp_post_norm="post_feedforward_layernorm",
        norm=NORM,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
        rotary_cast=False,
        norm_kind=NORM,
    )


ARCHITECTURE = decoder(
    "olmo2",
    Olmo2Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE),
    doc="OLMo 2: norms after each part, and of all queries and keys together.",
)
