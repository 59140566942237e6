"""Grok-1: norms before and after each part, capped scores, experts chosen by a softmax.

xAI, "Open Release of Grok-1", 2024. The class stands in repositories of converted weights (`modeling_grok1.py`,
hpcai-tech/grok-1), not in the transformers library: names, shapes and order are that file's. The experts' weights,
which the file has one by one, are counted as stacked, as in the library's families with experts.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, number
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Grok1Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(131072)
    hidden_size: Dim = fields.size(6144)
    intermediate_size: Dim = fields.size(32768)
    num_hidden_layers: Dim = fields.size(64)
    num_attention_heads: Dim = fields.size(48)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(8192)
    hidden_act: str = activation("gelu")
    num_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(2)
    attn_logit_softcapping: float | None = number(30.0)
    tie_word_embeddings: bool = fields.flag(True)


def describe(config: Grok1Config) -> Decoder:
    """Returns a stack of equal layers."""
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        module="moe_block",
        normalised=True,
        downcast=True,
    )
    layer = Layer(
        rotated_attention(config, module="attn", softcap=bool(config.attn_logit_softcapping)),
        experts,
        attention_norm="pre_attn_norm",
        attention_post_norm="post_attn_norm",
        mlp_norm="pre_moe_norm",
        mlp_post_norm="post_moe_norm",
    )
    return around(config, layer, embedding_scaled=True, logits_scaled=True)


ARCHITECTURE = decoder(
    "grok-1",
    Grok1Config,
    describe,
    PresetFiles(__file__),
    aliases={"max_attn_value": "attn_logit_softcapping"},
    classes=(CAUSAL, ALONE),
    stem="Grok1",
    no_cost=dict.fromkeys(
        ("attn_output_multiplier", "embedding_multiplier_scale", "output_multiplier_scale", "router_jitter_noise")
    ),
    doc="Grok-1: norms around each part, capped scores, experts.",
)
