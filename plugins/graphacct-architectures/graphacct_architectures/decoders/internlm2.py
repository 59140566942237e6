"""InternLM2: Llama's layers with one projection for queries, keys and values, laid out in groups of heads.

Cai et al., 2024 (arXiv:2403.17297). The class stands in the model's own repository (`modeling_internlm2.py`), not in
the transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.joint import GROUPS
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class InternLM2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(103168)
    bias: bool = fields.flag(True)


def describe(config: InternLM2Config) -> Decoder:
    """Returns a stack of equal layers; `bias` is of attention alone."""
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            module="attention",
            joint="wqkv",
            joint_order=GROUPS,
            out="wo",
            bias=config.bias,
            out_bias=config.bias,
            rotary=config.d_head,
        ),
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            module="feed_forward",
            gate="w1",
            up="w3",
            down="w2",
        ),
        attention_norm="attention_norm",
        mlp_norm="ffn_norm",
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        embedding="tok_embeddings",
        head="output",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "internlm2",
    InternLM2Config,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="InternLM2: Llama's layers, one projection in groups of heads.",
)
