"""Hy4: GLM-5's attention with a gate and sinks, between hyper-connections whose streams are not mixed.

Tencent, "Hy4", 2026; names and order as in the transformers library's HYV4ForCausalLM.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.deepseek_v32 import NO_COST, DeepseekV32Config, indexed_by
from graphacct_architectures.decoders.glm_moe_dsa import own_indexers, sharing
from graphacct_architectures.decoders.parts.deepseek import corrected_experts, latent_of
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import decoder, whole, written_out_alone
from graphacct_architectures.decoders.parts.hyper import (
    StreamLayer,
    Streams,
    plain_attention,
    stream_layer,
    stream_stack,
)
from graphacct_architectures.decoders.parts.sparse import sparse_layers
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class HYV4Config(DeepseekV32Config):
    """The keys of the published config.json that the cost depends on. `indexer_types` says which layers have an indexer
    of their own; without it the first one does, and then every fourth from the second on."""

    vocab_size: Dim = fields.size(120832)
    hidden_size: Dim = fields.size(2816)
    intermediate_size: Dim = fields.size(6912)
    moe_intermediate_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(34)
    num_attention_heads: Dim = fields.size(32)
    max_position_embeddings: Dim = fields.size(262144)
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    qk_nope_head_dim: Dim = fields.size(192)
    v_head_dim: Dim = fields.size(256)
    first_k_dense_replace: Dim = fields.size(1, minimum=0)
    index_n_heads: Dim = fields.size(16)
    indexer_types: tuple[bool, ...] | None = sharing()
    hc_mult: Dim = fields.size(4)


def describe(config: HYV4Config) -> Decoder:
    """Returns streams between layers, some of which take the keys that an earlier one chose."""
    streams = Streams(whole(config.hc_mult, "hc_mult"))
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    sparse = sparse_layers(config.mlp_layer_types, count, lambda index: index > 0)
    own = own_indexers(config.indexer_types, count, lambda index: index == 0 or (index - 1) % 4 == 0)
    experts = attrs.evolve(corrected_experts(config), activation="silu", cut_first=True)
    dense = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    indexer = attrs.evolve(indexed_by(config), halves=False, handed_on=True, last=True, stored_wide=True)

    def kind(index: int) -> Layer:
        attention = latent_of(
            config,
            ignored=True,
            indexer=attrs.evolve(indexer, own=own[index]),
            gate="gate_proj",
            values=config.v_head_dim,
            sinks=True,
            sinks_wide=True,
            upcast="",
        )
        network = experts if sparse[index] else dense
        layer = StreamLayer(streams, attention, plain_attention, network, Norm())
        return Layer(attention, network, whole=Whole(layer, stream_layer))

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(map(kind, range(count))),
        count,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.qk_rope_head_dim),),
        middle=Middle(streams, stream_stack),
        head_wide=True,
    )


ARCHITECTURE = decoder(
    "hy_v4",
    HYV4Config,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={**NO_COST, "hc_magnitude": None, "hc_eps": None, "learnable_sink_init": None, "swiglu_limit": None},
    doc="Hy4: latent attention on keys that an indexer chooses, with a gate and sinks; streams between layers.",
)
