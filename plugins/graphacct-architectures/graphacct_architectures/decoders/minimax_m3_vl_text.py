"""MiniMax-M3's text model: attention to blocks of keys that an indexer chooses, experts chosen by corrected sigmoids.

MiniMax, "MiniMax-M3", 2026; names and order as in the transformers library's MiniMaxM3VLTextModel. Files of the text
model alone call it `minimax_m3`. The modules that predict further tokens are not in the library's class and are not
counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen, has_value
from graphacct_architectures.decoders.parts.description.attention import Attention, BlockIndexer
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    disagreeing,
    fraction,
    rotary_dims,
    whole,
)
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, network_types, sparse_layers
from graphacct_architectures.heads import ALONE, CAUSAL

BLOCKS, FULL = "minimax_m3_sparse", "full_attention"
NORM = Norm(upcast="all", centred=True)
OLDER = {
    "index_n_heads": "sparse_num_index_heads",
    "index_head_dim": "sparse_index_dim",
    "index_block_size": "sparse_block_size",
    "index_topk_blocks": "sparse_topk_blocks",
    "index_local_blocks": "sparse_local_block",
}
"""Sizes of the indexer, and the names under which `sparse_attention_config` has them, which win."""
FREQUENCY = "sparse_attention_freq"


def attention_types() -> Any:
    """Returns the kind of each layer's attention, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(item not in (BLOCKS, FULL) for item in value):
            raise ConfigError(f"{field.name} is a list of {FULL} and {BLOCKS}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def switches() -> Any:
    """Returns a 0 or 1 of each layer, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[bool, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(item not in (0, 1) for item in value):
            raise ConfigError(f"{field.name} is a list of 0 and 1, not {brief(value)}")
        return tuple(map(bool, value))

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def indexer_settings() -> Any:
    """Returns the older object of the indexer's sizes."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object of settings, not {brief(value)}")
        for key in OLDER.values():
            size = value.get(key, 1)
            if type(size) is not int or size < (key == OLDER["index_local_blocks"] and -1) + 1:
                raise ConfigError(f"{field.name} has {key} {brief(size)}, which is no size")
        listed = value.get(FREQUENCY, ())
        if not isinstance(listed, (list, tuple)) or any(item not in (0, 1) for item in listed):
            raise ConfigError(f"{field.name} has {FREQUENCY} {brief(listed)}, which must be a list of 0 and 1")
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class MiniMaxM3TextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on. Older files have the indexer's sizes in
    `sparse_attention_config`, and `moe_layer_freq` for the kinds of networks."""

    vocab_size: Dim = fields.size(200064)
    hidden_size: Dim = fields.size(6144)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(60)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(524288)
    num_local_experts: Dim = fields.size(128)
    num_experts_per_tok: Dim = fields.size(4)
    dense_intermediate_size: Dim = fields.size(12288)
    shared_intermediate_size: Dim = fields.size(3072)
    partial_rotary_factor: float = fraction(1.0)
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    moe_layer_freq: tuple[bool, ...] | None = switches()
    layer_types: tuple[str, ...] | None = attention_types()
    index_n_heads: Dim = fields.size(4)
    index_head_dim: Dim = fields.size(128)
    index_block_size: Dim = fields.size(128)
    index_topk_blocks: Dim = fields.size(16)
    index_local_blocks: Dim = fields.size(1, minimum=0)
    sparse_attention_config: Mapping[str, Any] = indexer_settings()
    hidden_act: str = "silu"

    def of_indexer(self, key: str) -> Dim:
        """Returns a size of the indexer."""
        found: Dim = self.sparse_attention_config.get(OLDER[key], getattr(self, key))
        return found


def describe(config: MiniMaxM3TextConfig) -> Decoder:
    """Returns layers, each with full attention or an indexer, and one network or experts."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    rotary = rotary_dims(config)
    full = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        rotary=rotary,
        rotary_joined=True,
        qk_norm="head",
        dropout=config.attention_dropout,
    )
    indexer = BlockIndexer(
        heads=config.of_indexer("index_n_heads"),
        d_head=config.of_indexer("index_head_dim"),
        size=config.of_indexer("index_block_size"),
        top=config.of_indexer("index_topk_blocks"),
        near=whole(config.of_indexer("index_local_blocks"), "index_local_blocks"),
    )
    if has_value(rotary) and has_value(indexer.d_head) and rotary > indexer.d_head:
        raise ConfigError(
            f"index_head_dim is {indexer.d_head}, and {rotary} dimensions of a head are rotated: at most as many as an "
            "indexer's head has"
        )
    sparse = attrs.evolve(full, blocks=indexer)
    dense = Mlp(config.dense_intermediate_size, "silu", joint="gate_up_proj", clamped=True)
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        "silu",
        scores_upcast=True,
        scoring=SIGMOID,
        correction=True,
        corrected_by=Correction(wide=False),
        normalised=True,
        clamped=True,
        out_scaled=True,
        shared=attrs.evolve(dense, width=config.shared_intermediate_size, module="shared_experts"),
    )
    kinds = attentions(config, count)
    routed = sparse_layers(config.mlp_layer_types or config.moe_layer_freq, count, lambda index: True)
    layers = tuple(
        Layer(sparse if kinds[i] == BLOCKS else full, experts if routed[i] else dense, NORM) for i in range(count)
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        count,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
    )


def attentions(config: MiniMaxM3TextConfig, count: int) -> tuple[str, ...]:
    """Returns the kind of each layer's attention: full unless the file says otherwise."""
    given = config.layer_types
    if given is None and FREQUENCY in config.sparse_attention_config:
        given = tuple(BLOCKS if item else FULL for item in config.sparse_attention_config[FREQUENCY])
    if given is None:
        return (FULL,) * count
    if len(given) != count:
        raise disagreeing(len(given), count)
    return given


ARCHITECTURE = decoder(
    "minimax_m3_vl_text",
    MiniMaxM3TextConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_experts": "num_local_experts"},
    translated=("num_experts",),
    classes=(CAUSAL, ALONE),
    model_types=("minimax_m3_vl_text", "minimax_m3"),
    no_cost={
        "swiglu_alpha": None,
        "swiglu_limit": None,
        "routed_scaling_factor": None,
        "rotary_dim": None,
        "first_k_dense_replace": None,
        "moe_intermediate_size": None,
        "n_shared_experts": (1,),
        "num_mtp_modules": None,
        "num_nextn_predict_layers": None,
        "attention_output_gate": (False,),
        "scoring_func": ("sigmoid",),
        "use_qk_norm": (True,),
        "qk_norm_type": ("per_head",),
        "use_gemma_norm": (True,),
        "use_routing_bias": (True,),
        "router_jitter_noise": None,
    },
    doc="MiniMax-M3: attention to blocks of keys that an indexer chooses, experts chosen by corrected sigmoids.",
)
