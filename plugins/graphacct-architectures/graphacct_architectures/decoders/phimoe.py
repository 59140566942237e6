"""Phi-3.5-MoE: LayerNorm, biases on every projection of attention, two experts chosen one after the other.

Abdin et al., 2024 (arXiv:2404.14219); Liu et al., 2024 (arXiv:2409.12136).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.decoders.parts.router import MIXER
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class PhimoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(32064)
    intermediate_size: Dim = fields.size(6400)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    sliding_window: Dim | None = fields.window()
    attention_bias: bool = fields.flag(False)
    lm_head_bias: bool = fields.flag(False)
    num_local_experts: Dim = fields.size(16)
    num_experts_per_tok: Dim = fields.size(2)
    rope_parameters: Mapping[str, Any] = rope_parameters({"su": "longrope"})


def inexact(config: PhimoeConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors."""
    return ("saved tensors of each router are those of the choice without the noise that training adds",)


def describe(config: PhimoeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        router="router",
        scoring=MIXER,
    )
    layer = Layer(rotated_attention(config, window=config.sliding_window), experts, NORM)
    return around(config, layer, norm_kind=NORM, head_bias=config.lm_head_bias)


ARCHITECTURE = decoder(
    "phimoe",
    PhimoeConfig,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost={"input_jitter_noise": None, "router_jitter_noise": None},
    doc="Phi-3.5-MoE: LayerNorm, biases, two experts chosen one after the other.",
)
