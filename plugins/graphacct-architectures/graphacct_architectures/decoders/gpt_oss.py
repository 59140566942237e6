"""gpt-oss: a window in every second layer, a learned attention sink for each head, experts with biases.

OpenAI, 2025 (arXiv:2508.10925). It was published with experts in MXFP4, which its config.json says; the presets have
the parameters of the library's class in bfloat16, and `--weights mxfp4` counts them as published.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, layer_types, written_out_alone
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.windows import alternating
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS

NORM = Norm(upcast="all")


@frozen(kw_only=True)
class GptOssConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(201088)
    hidden_size: Dim = fields.size(2880)
    intermediate_size: Dim = fields.size(2880)
    num_hidden_layers: Dim = fields.size(36)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(64)
    max_position_embeddings: Dim = fields.size(131072)
    sliding_window: Dim | None = fields.window(128)
    layer_types: tuple[str, ...] | None = layer_types()
    num_local_experts: Dim = fields.size(128)
    num_experts_per_tok: Dim = fields.size(4)
    attention_bias: bool = fields.flag(True)


def describe(config: GptOssConfig) -> Decoder:
    """Returns layers that alternate with and without a window, unless the file names each layer's kind."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=config.d_head,
        sinks=True,
        upcast="",
        dropout=config.attention_dropout,
    )
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        router="router",
        bias=True,
        router_bias=True,
        in_out=True,
        scoring="top_softmax",
        clamped=True,
    )
    layers = alternating(
        Layer(attention, experts, norm=NORM),
        config.num_hidden_layers,
        config.sliding_window,
        config.layer_types,
        lambda index: index % 2 == 0,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
        rotary_halves=True,
        norm_kind=NORM,
    )


ARCHITECTURE = decoder(
    "gpt_oss",
    GptOssConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"num_experts": "num_local_experts"},
    translated=("num_experts",),
    attention=("eager", "fused"),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={"swiglu_alpha": None, "swiglu_limit": None},
    doc="gpt-oss: windows by turns, learned sinks, experts with biases.",
)
