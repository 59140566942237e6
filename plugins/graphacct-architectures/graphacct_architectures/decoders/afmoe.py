"""Trinity (AFMoE): a gate on the heads' outputs, norms around each part, windows and rotary positions in the same
layers, experts chosen by corrected sigmoids.

Arcee AI, "Trinity", 2025; names and order as in the transformers library's AfmoeForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
)
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(upcast="all")


@frozen(kw_only=True)
class AfmoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(200192)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(6144)
    moe_intermediate_size: Dim = fields.size(1408)
    num_dense_layers: int = fields.size(1, minimum=0)
    num_attention_heads: Dim = fields.size(16)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(16384)
    num_experts: Dim = fields.size(64)
    num_experts_per_tok: Dim = fields.size(6)
    num_shared_experts: Dim = fields.size(2)
    global_attn_every_n_layers: int = fields.size(4)
    sliding_window: Dim | None = fields.window(1024)
    layer_types: tuple[str, ...] | None = layer_types()
    mup_enabled: bool = fields.flag(False)
    attention_bias: bool = fields.flag(False)


def describe(config: AfmoeConfig) -> Decoder:
    """Returns layers that differ in their window and rotary positions, the first with one network."""
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        activation,
        router="router.gate",
        scores_upcast=True,
        scoring=SIGMOID,
        correction=True,
        corrected_by=Correction("expert_bias", beside=True, frozen=True, wide=False),
        normalised=True,
        above_zero="shift",
        scaled=True,
        shared=Mlp(config.moe_intermediate_size * config.num_shared_experts, activation, module="shared_experts"),
    )
    dense = network(config)

    def layer(index: int, kind: str) -> Layer:
        slides = kind == SLIDING
        return Layer(
            rotated_attention(
                config,
                rotary=config.d_head if slides else 0,
                window=config.sliding_window if slides else None,
                qk_norm="head",
                gate="gate_proj",
            ),
            experts if index >= config.num_dense_layers else dense,
            NORM,
            attention_post_norm="post_attention_layernorm",
            mlp_norm="pre_mlp_layernorm",
            mlp_post_norm="post_mlp_layernorm",
        )

    every = config.global_attn_every_n_layers
    kinds = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % every else FULL)
    layers = tuple(layer(index, kind) for index, kind in enumerate(kinds))
    return around(config, layers, norm_kind=NORM, embedding_scaled=config.mup_enabled)


ARCHITECTURE = decoder(
    "afmoe",
    AfmoeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={
        "score_func": ("sigmoid",),
        "route_norm": (True,),
        "n_group": (1,),
        "topk_group": (1,),
        "num_expert_groups": (1,),
        "num_limited_groups": (1,),
        "route_scale": None,
        "load_balance_coeff": None,
        "use_grouped_mm": None,
    },
    doc="Trinity: gated attention, norms around each part, experts chosen by corrected sigmoids.",
)
