"""Ling 3.0: Kimi delta attention with a bounded gate, gated latent attention in every sixth layer, small experts.

Inclusion AI, "Ling 3.0", 2026; names and order as in the transformers library's BailingHybridForCausalLM (5.23).
"""

from __future__ import annotations

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import (
    ATTENTION,
    Decoder,
    LatentConfig,
    Mixing,
    decoder,
    latent_of,
    network_types,
)
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_mamba.kda import Kda, kda
from graphacct_mamba.kimi_linear import layers_of
from graphacct_mamba.kinds import FULL, LINEAR, kinds_of, layer_kinds


@frozen(kw_only=True)
class BailingHybridConfig(LatentConfig):
    """The keys of the published config.json that the cost depends on. A file that the library wrote has the sizes of
    linear attention under their own keys, and the rotated width as `head_dim`."""

    vocab_size: Dim = fields.size(157184)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(6144)
    moe_intermediate_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(42)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(32)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(262144)
    n_routed_experts: Dim = fields.size(512)
    n_shared_experts: Dim = fields.size(1)
    num_experts_per_tok: Dim | None = fields.optional_size(8)
    n_group: Dim = fields.size(8)
    topk_group: Dim = fields.size(4)
    norm_topk_prob: bool = fields.flag(True)
    q_lora_rank: Dim | None = fields.optional_size()
    first_k_dense_replace: Dim = fields.size(2, minimum=0)
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, LINEAR)
    layer_group_size: int = fields.size(6)
    short_conv_kernel_size: Dim = fields.size(4)
    linear_head_dim: Dim | None = fields.optional_size()
    linear_num_heads: Dim | None = fields.optional_size()
    linear_conv_kernel_dim: Dim | None = fields.optional_size()
    kda_safe_gate: bool = fields.flag(True)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each layer's kind: as listed, or the last one of each group has full attention."""
        size = self.layer_group_size
        return kinds_of(self.layer_types, self.num_hidden_layers, lambda index: LINEAR if (index + 1) % size else FULL)


def describe(config: BailingHybridConfig) -> Decoder:
    """Returns the decoder, whose class never ties the head and projects queries directly."""
    attention = latent_of(
        attrs.evolve(config, q_lora_rank=None),
        gate="g_proj",
        gate_per_head=True,
        gate_wide=True,
        values=config.v_head_dim,
    )
    sizes = Kda(
        config.linear_num_heads or config.num_attention_heads,
        config.linear_head_dim or config.d_head,
        config.linear_conv_kernel_dim or config.short_conv_kernel_size,
        ACTIVATIONS[config.hidden_act],
        narrow=False,
        bounded=config.kda_safe_gate,
        wide=True,
    )
    layers = layers_of(config, {FULL: attention, LINEAR: Mixing("self_attn", sizes, kda)})
    tables = (("rotary_emb", config.qk_rope_head_dim),)
    return Decoder(config.vocab_size, config.hidden_size, layers, rotary_tables=tables)


ARCHITECTURE = decoder(
    "bailing_hybrid",
    BailingHybridConfig,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    aliases={
        "model_max_length": "max_position_embeddings",
        "moe_renormalize": "norm_topk_prob",
        "num_expert_group": "n_group",
        **dict.fromkeys(("num_experts", "num_local_experts"), "n_routed_experts"),
        "num_experts_per_token": "num_experts_per_tok",
        "num_shared_experts": "n_shared_experts",
    },
    classes=(CAUSAL, ALONE),
    stem="BailingHybrid",
    no_cost=dict.fromkeys(("kda_lower_bound", "mtp_loss_scaling_factor", "qk_head_dim")),
    doc="Ling 3.0: Kimi delta attention, gated latent attention in every sixth layer, small experts.",
)
