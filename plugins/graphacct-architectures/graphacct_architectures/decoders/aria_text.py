"""Aria's decoder: Llama with many small experts, and others that every token runs through.

Li et al., 2024 (arXiv:2410.05993).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.llama import describe as described
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import at_most


@frozen(kw_only=True)
class AriaTextConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on."""

    intermediate_size: Dim = fields.size(4096)
    moe_num_experts: Dim = fields.size(8)
    moe_topk: Dim = fields.size(2)
    moe_num_shared_experts: Dim = fields.size(2)


def describe(config: AriaTextConfig) -> Decoder:
    """Returns Llama's layers with experts; the routed ones have SiLU whatever the activation of the others."""
    dense = described(config)
    assert isinstance(dense.layer, Layer)
    width = config.intermediate_size
    shared = Mlp(
        width * config.moe_num_shared_experts,
        ACTIVATIONS[config.hidden_act],
        module="shared_experts",
        bias=config.mlp_bias,
    )
    experts = Experts(
        config.moe_num_experts,
        at_most(config.moe_topk, config.moe_num_experts, "moe_topk, moe_num_experts"),
        width,
        "silu",
        router="router",
        in_out=True,
        scoring="top_softmax",
        shared=shared,
    )
    return attrs.evolve(dense, layer=attrs.evolve(dense.layer, feed_forward=experts))


ARCHITECTURE = decoder(
    "aria_text",
    AriaTextConfig,
    describe,
    PresetFiles(__file__),
    classes=("ForCausalLM", "Model"),
    doc="Aria's decoder: Llama with many small experts and shared ones.",
)
