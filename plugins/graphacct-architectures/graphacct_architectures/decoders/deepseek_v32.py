"""DeepSeek-V3.2: DeepSeek-V3 with an indexer in each layer, which chooses the keys that a query sees.

DeepSeek-AI, "DeepSeek-V3.2", 2025 (arXiv:2512.02556); names and order as in the transformers library's
DeepseekV32ForCausalLM. As there, every score is computed and those of keys that were not chosen are masked, in a
decoding step too; the cache has the latents and the indexer's keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.deepseek_v3 import DeepseekV3Config
from graphacct_architectures.decoders.parts.deepseek import corrected_experts, deepseek, inexact
from graphacct_architectures.decoders.parts.description.attention import Indexer
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.sparse import network_types, sparse_layers
from graphacct_architectures.heads import ALONE, CAUSAL

INDEXED = ("indexed_attention", "deepseek_sparse_attention")
"""The one kind of attention, under its name of today and an older one."""


def indexed_layers() -> Any:
    """Returns a list of the kinds of attention, which all have to be the one that these families have; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(item not in INDEXED for item in value):
            raise ConfigError(f"{field.name} is a list of {INDEXED[0]}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class DeepseekV32Config(DeepseekV3Config):
    """The keys of the published config.json that the cost depends on. Without `mlp_layer_types` the first
    `first_k_dense_replace` layers have one network."""

    max_position_embeddings: Dim = fields.size(163840)
    q_lora_rank: Dim = fields.stated_size(1536)
    index_n_heads: Dim = fields.size(64)
    index_head_dim: Dim = fields.size(128)
    index_topk: Dim = fields.size(2048)
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    layer_types: tuple[str, ...] | None = indexed_layers()

    @property
    def layers_with_experts(self) -> tuple[bool, ...] | None:
        """Whether each layer has experts, if the file says it; None for all after the first ones."""
        if self.mlp_layer_types is None:
            return None
        first = whole(self.first_k_dense_replace, "first_k_dense_replace")
        return sparse_layers(self.mlp_layer_types, self.num_hidden_layers, lambda index: index >= first)


def describe(config: DeepseekV32Config) -> Decoder:
    """Returns DeepSeek-V3's layers, each with an indexer of its own."""
    return indexed(config, lambda kind: (kind,) * whole(config.num_hidden_layers, "num_hidden_layers"))


def indexed(config: DeepseekV32Config, indexers: Callable[[Indexer], tuple[Indexer, ...]]) -> Decoder:
    """Returns DeepSeek-V3's layers with the `indexers` of each, given the usual one."""
    dense = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    experts = corrected_experts(config)
    return deepseek(config, experts, dense, sparse=config.layers_with_experts, indexers=indexers(indexed_by(config)))


def indexed_by(config: DeepseekV32Config) -> Indexer:
    """Returns the usual indexer. Raises ConfigError if its heads are narrower than what is rotated of them."""
    width, rotated = config.index_head_dim, config.qk_rope_head_dim
    if has_value(width) and has_value(rotated) and width < rotated:
        raise ConfigError(
            f"index_head_dim is {width}, qk_rope_head_dim {rotated}: the rotated dimensions are a part of an indexer's "
            "head"
        )
    return Indexer(config.index_n_heads, config.index_head_dim, config.index_topk)


NO_COST = {
    "qk_head_dim": None,
    "moe_layer_freq": (1,),
    "scoring_func": ("sigmoid",),
    "topk_method": ("noaux_tc",),
    "head_dim": None,
    "mlp_bias": None,
}
"""Keys of these families' files that change no cost."""

ARCHITECTURE = decoder(
    "deepseek_v32",
    DeepseekV32Config,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    aliases={"num_local_experts": "n_routed_experts", "num_experts": "n_routed_experts"},
    translated=("num_local_experts", "num_experts"),
    classes=(CAUSAL, ALONE),
    no_cost=NO_COST,
    doc="DeepSeek-V3.2: DeepSeek-V3 with an indexer that chooses each query's keys.",
)
