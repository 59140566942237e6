"""Granite 3 with experts: Granite's multipliers, experts chosen by a softmax over the chosen ones.

Granite Team, IBM, "Granite 3.0 Language Models", 2024.
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.router import TOP_SOFTMAX
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class GraniteMoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    attention_bias: bool = fields.flag(False)
    num_local_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(2)


def experts(config: Any, **more: Any) -> Experts:
    """Returns experts as wide as `intermediate_size`."""
    return Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        module="block_sparse_moe",
        router="router",
        scores_upcast=True,
        scoring=TOP_SOFTMAX,
        downcast=True,
        **more,
    )


def granite(config: Any, feed_forward: Experts) -> Decoder:
    """Returns the decoder; its multipliers are applied even if they are 1."""
    layer = Layer(rotated_attention(config), feed_forward, residual_scaled=True)
    return around(config, layer, embedding_scaled=True, logits_scaled=True)


def describe(config: GraniteMoeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return granite(config, experts(config))


ARCHITECTURE = decoder(
    "granitemoe",
    GraniteMoeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="Granite 3 with experts: constant multipliers, a softmax over the chosen experts.",
)
