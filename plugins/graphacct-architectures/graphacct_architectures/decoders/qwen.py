"""Qwen, the first generation: RMSNorm, a joint projection with biases, SwiGLU of half of `intermediate_size`.

Bai et al., 2023 (arXiv:2309.16609). The class stands in the model's own repository (`modeling_qwen.py`), not in the
transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen, same
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class QwenConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151936)
    intermediate_size: Dim = fields.size(22016)
    max_position_embeddings: Dim = fields.size(8192)
    kv_channels: Dim = fields.size(128)
    rotary_pct: float = fraction(1.0)
    no_bias: bool = fields.flag(True)


def describe(config: QwenConfig) -> Decoder:
    """Returns a stack of equal layers. The projection of queries, keys and values has biases in any case."""
    width, d_head = config.hidden_size, config.kv_channels
    if not same(config.num_attention_heads * d_head, width):
        raise ConfigError(
            f"kv_channels {d_head} times num_attention_heads {config.num_attention_heads} is not hidden_size {width}"
        )
    if config.rotary_pct != 1:
        raise ConfigError(f"rotary_pct is {config.rotary_pct}: published models rotate whole heads, 1.0")
    bias = not config.no_bias
    half = exact_div(config.intermediate_size, 2, "intermediate_size / 2")
    layer = Layer(
        Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            d_head,
            module="attn",
            joint="c_attn",
            out="c_proj",
            bias=True,
            out_bias=bias,
            rotary=d_head,
            dropout=config.attention_dropout,
        ),
        Mlp(half, "silu", gate="w2", up="w1", down="c_proj", bias=bias),
        attention_norm="ln_1",
        mlp_norm="ln_2",
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.num_hidden_layers,
        module="transformer",
        embedding="wte",
        stack="h",
        norm="ln_f",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", d_head),),
    )


ARCHITECTURE = decoder(
    "qwen",
    QwenConfig,
    describe,
    PresetFiles(__file__),
    aliases={"seq_length": "max_position_embeddings", "attn_dropout_prob": "attention_dropout"},
    classes=(CAUSAL, ALONE),
    doc="Qwen (1): joint projection with biases, SwiGLU of half the stated width.",
)
