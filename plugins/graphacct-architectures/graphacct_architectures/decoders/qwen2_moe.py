"""Qwen1.5-MoE and Qwen2-MoE: many small experts and a shared one with its own gate.

Yang et al., 2024 (arXiv:2407.10671).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import at_most, layer_indices, layered
from graphacct_architectures.decoders.parts.windows import alternating
from graphacct_architectures.decoders.qwen2 import QwenConfig


@frozen(kw_only=True)
class SparseQwenConfig(QwenConfig):
    """The keys that both generations with experts have."""

    hidden_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(24)
    num_experts_per_tok: Dim = fields.size()
    moe_intermediate_size: Dim = fields.size()
    decoder_sparse_step: int = fields.size(1)
    mlp_only_layers: tuple[int, ...] = layer_indices()
    norm_topk_prob: bool = fields.flag(False)

    def sparse(self, index: int) -> bool:
        """Returns whether a layer has experts: each `decoder_sparse_step`th does, except the listed ones."""
        return index not in self.mlp_only_layers and (index + 1) % self.decoder_sparse_step == 0

    @property
    def alike(self) -> bool:
        """Whether all layers have experts."""
        return not self.mlp_only_layers and self.decoder_sparse_step == 1


@frozen(kw_only=True)
class Qwen2MoeConfig(SparseQwenConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    intermediate_size: Dim = fields.size(5632)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(16)
    num_experts: Dim = fields.size(60, minimum=0)
    num_experts_per_tok: Dim = fields.size(4)
    moe_intermediate_size: Dim = fields.size(1408)
    shared_expert_intermediate_size: Dim = fields.size(5632)
    qkv_bias: bool = fields.flag(True)


def many_experts(config: SparseQwenConfig, count: Dim, key: str, **more: Any) -> Experts:
    """Returns small experts, whose weights are cast to the stream's dtype before use."""
    per_token = at_most(config.num_experts_per_tok, count, f"num_experts_per_tok, {key}")
    activation = ACTIVATIONS[config.hidden_act]
    normalised = config.norm_topk_prob
    return Experts(
        count, per_token, config.moe_intermediate_size, activation, normalised=normalised, downcast=True, **more
    )


def describe(config: Qwen2MoeConfig) -> Decoder:
    """Returns layers that may differ in their window and in having experts."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.qkv_bias,
        rotary=config.d_head,
        dropout=config.attention_dropout,
    )
    activation = ACTIVATIONS[config.hidden_act]
    shared = Mlp(config.shared_expert_intermediate_size, activation, module="shared_expert")
    dense = Mlp(config.intermediate_size, activation)
    experts: Mlp | Experts = dense  # the class builds a dense network if there are no experts
    if not equal(config.num_experts, 0):
        more = {"shared": shared, "shared_gate": "shared_expert_gate"}
        experts = many_experts(config, config.num_experts, "num_experts", **more)

    def slides(index: int) -> bool:
        return index % 2 == 0 and bool(index < config.max_window_layers)

    windows = alternating(
        Layer(attention, experts), config.num_hidden_layers, config.window, config.layer_types, slides
    )

    def kind(index: int) -> Layer:
        layer = windows if isinstance(windows, Layer) else windows[index]
        return layer if config.sparse(index) else attrs.evolve(layer, feed_forward=dense)

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layered(config.num_hidden_layers, config.alike and isinstance(windows, Layer), kind),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "qwen2_moe",
    Qwen2MoeConfig,
    describe,
    PresetFiles(__file__),
    doc="Qwen1.5-MoE, Qwen2-MoE: small experts and a shared one.",
)
