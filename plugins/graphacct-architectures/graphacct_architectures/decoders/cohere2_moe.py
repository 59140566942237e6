"""Command with experts: Command R7B's parallel layers, experts beside a shared network after the first layers.

Names and order as in the transformers library's Cohere2MoeForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.cohere import NORM
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    number,
)
from graphacct_architectures.decoders.parts.router import TOP_SIGMOID, TOP_SOFTMAX
from graphacct_architectures.decoders.parts.sparse import at_most, network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Cohere2MoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(256000)
    hidden_size: Dim = fields.size(8192)
    intermediate_size: Dim = fields.size(22528)
    num_hidden_layers: Dim = fields.size(40)
    num_attention_heads: Dim = fields.size(64)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(8192)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    rms_norm_eps: float | None = number(None)
    sliding_window: Dim | None = fields.window(4096)
    sliding_window_pattern: int = fields.size(4)
    layer_types: tuple[str, ...] | None = layer_types()
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    first_k_dense_replace: int = fields.size(0, minimum=0)
    prefix_dense_sliding_window_pattern: int = fields.size(1)
    prefix_dense_intermediate_size: Dim | None = fields.optional_size()
    num_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(2)
    num_shared_experts: Dim = fields.size(0, minimum=0)
    shared_expert_combination_strategy: str = fields.choice("average", ("average", "sum"))
    expert_selection_fn: str = fields.choice("softmax", ("softmax", "sigmoid"))
    norm_topk_prob: bool = fields.flag(True)


def describe(config: Cohere2MoeConfig) -> Decoder:
    """Returns layers that differ in their window, their rotary positions and their network."""
    first, prefix = config.first_k_dense_replace, config.prefix_dense_sliding_window_pattern

    def usual(index: int) -> str:
        place, pattern = (index, prefix) if index < first else (index - first, config.sliding_window_pattern)
        return SLIDING if (place + 1) % pattern else FULL

    kinds = kinds_of_attention(config, usual)
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: index >= first)
    norm = NORM if config.rms_norm_eps is None else Norm()
    activation = ACTIVATIONS[config.hidden_act]
    softmax = config.expert_selection_fn == "softmax"
    shared = Mlp(config.intermediate_size * config.num_shared_experts, activation, module="shared_experts")
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.intermediate_size,
        activation,
        scoring=TOP_SOFTMAX if softmax else TOP_SIGMOID,
        top_upcast=softmax,
        normalised=config.norm_topk_prob and not softmax,
        downcast=True,
        shared=None if equal(config.num_shared_experts, 0) else shared,
        shared_averaged=config.shared_expert_combination_strategy == "average",
    )
    narrow = config.prefix_dense_intermediate_size
    dense = network(config, **({} if narrow is None else {"width": narrow}))

    def layer(kind: str, has: bool) -> Layer:
        slides = kind == SLIDING
        turned = slides or (not has and prefix == 1)
        attention = rotated_attention(
            config, rotary=config.d_head if turned else 0, window=config.sliding_window if slides else None
        )
        return Layer(attention, experts if has else dense, norm, mlp_norm="", parallel=True)

    layers = tuple(layer(kind, has) for kind, has in zip(kinds, sparse, strict=True))
    return around(config, layers, norm_kind=norm, logits_scaled=True)


ARCHITECTURE = decoder(
    "cohere2_moe",
    Cohere2MoeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="Command with experts: parallel layers, experts beside a shared network.",
)
