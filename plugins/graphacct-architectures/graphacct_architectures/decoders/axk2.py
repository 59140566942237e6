"""A.X K2: DeepSeek-V3.2's attention with a gate of its output, and norms whose result a small projection gates.

SK Telecom, "A.X K2", 2026; names and order as in the transformers library's AXK2ForCausalLM.
"""

from __future__ import annotations

import attrs

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.deepseek_v32 import NO_COST, DeepseekV32Config, indexed_by
from graphacct_architectures.decoders.parts.deepseek import corrected_experts, inexact, latent_of
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import layered, sparse_layers
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class AXK2Config(DeepseekV32Config):
    """The keys of the published config.json that the cost depends on. Without groups a token's experts are chosen among
    all."""

    vocab_size: Dim = fields.size(163840)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(5120)
    moe_intermediate_size: Dim = fields.size(512)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(32)
    max_position_embeddings: Dim = fields.size(131072)
    n_routed_experts: Dim = fields.size(128)
    kv_lora_rank: Dim = fields.size(128)
    q_lora_rank: Dim = fields.stated_size(384)
    qk_rope_head_dim: Dim = fields.size(32)
    v_head_dim: Dim = fields.size(64)
    qk_nope_head_dim: Dim = fields.size(64)
    n_group: Dim | None = fields.optional_size()
    topk_group: Dim | None = fields.optional_size()
    index_n_heads: Dim = fields.size(16)
    first_k_dense_replace: Dim = fields.size(1, minimum=0)
    moe_layer_freq: int = fields.size(1)
    gated_norm_rank: Dim = fields.size(16)


def describe(config: AXK2Config) -> Decoder:
    """Returns layers with a gated norm before attention, and before experts."""
    first, every = config.first_k_dense_replace, config.moe_layer_freq

    def usual(index: int) -> bool:
        return bool(index >= first and index % every == 0)

    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, usual)
    attention = latent_of(config, indexer=indexed_by(config), gate_wide=True)
    assert attention.latent is not None
    attention = attrs.evolve(attention, latent=attrs.evolve(attention.latent, gated=True))
    gated = Norm(gate_rank=config.gated_norm_rank)
    dense = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    experts = experts_of(config)

    def kind(index: int) -> Layer:
        if sparse[index]:
            return Layer(attention, experts, gated)
        return Layer(attention, dense, gated, mlp_norm_kind=Norm())

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layered(config.num_hidden_layers, len(set(sparse)) == 1, kind),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.qk_rope_head_dim),),
    )


def experts_of(config: AXK2Config) -> Experts:
    """Returns DeepSeek-V3's experts, chosen among groups if the file has them. Raises ConfigError for half of that."""
    if (config.n_group is None) != (config.topk_group is None):
        raise ConfigError(f"n_group is {config.n_group}, topk_group {config.topk_group}: give both, or none")
    return corrected_experts(config, grouped=config.n_group is not None)


ARCHITECTURE = decoder(
    "axk2",
    AXK2Config,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={key: value for key, value in NO_COST.items() if key != "moe_layer_freq"},
    doc="A.X K2: latent attention on keys that an indexer chooses, with a gate; gated norms.",
)
