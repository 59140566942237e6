"""GLM-5: DeepSeek-V3.2's layers in GLM's sizes; several layers can share the keys that one of them chose.

Z.ai, "GLM-5", 2026; sharing as in IndexCache (arXiv:2603.12201). Names and order as in the transformers library's
GlmMoeDsaForCausalLM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.decoders.deepseek_v32 import NO_COST, DeepseekV32Config, indexed
from graphacct_architectures.decoders.parts.deepseek import inexact
from graphacct_architectures.decoders.parts.description.attention import Indexer
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.heads import ALONE, CAUSAL

FULL, SHARED = "full", "shared"
LETTERS = {"F": FULL, "S": SHARED, FULL: FULL, SHARED: SHARED}


def sharing() -> Any:
    """Returns whether each layer has an indexer of its own, as a list of `full` and `shared` or as letters; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[bool, ...] | None:
        if value is None:
            return None
        if isinstance(value, tuple) and all(type(item) is bool for item in value):
            return value  # a configuration made from another one
        if not isinstance(value, (list, tuple, str)) or any(item not in LETTERS for item in value):
            raise ConfigError(f"{field.name} is a list of {FULL} and {SHARED}, not {brief(value)}")
        return tuple(LETTERS[item] == FULL for item in value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class GlmMoeDsaConfig(DeepseekV32Config):
    """The keys of the published config.json that the cost depends on. `indexer_types` says which layers have an indexer
    of their own, or else `index_topk_pattern`, or else one of `index_topk_freq` layers after the first ones."""

    vocab_size: Dim = fields.size(154880)
    hidden_size: Dim = fields.size(6144)
    intermediate_size: Dim = fields.size(12288)
    num_hidden_layers: Dim = fields.size(78)
    num_attention_heads: Dim = fields.size(64)
    max_position_embeddings: Dim = fields.size(202752)
    q_lora_rank: Dim = fields.stated_size(2048)
    qk_nope_head_dim: Dim = fields.size(192)
    v_head_dim: Dim = fields.size(256)
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    index_n_heads: Dim = fields.size(32)
    indexer_types: tuple[bool, ...] | None = sharing()
    index_topk_pattern: tuple[bool, ...] | None = sharing()
    index_topk_freq: int = fields.size(1)
    index_skip_topk_offset: int = fields.size(2, minimum=0)

    @property
    def layers_with_indexers(self) -> tuple[bool, ...]:
        """Whether each layer has an indexer of its own."""
        count = whole(self.num_hidden_layers, "num_hidden_layers")
        given = self.indexer_types or self.index_topk_pattern
        if given is None:
            offset, every = self.index_skip_topk_offset, self.index_topk_freq
            return tuple(max(index - offset + 1, 0) % every == 0 for index in range(count))
        return own_indexers(given, count, lambda index: True)


def own_indexers(given: tuple[bool, ...] | None, count: int, usual: Callable[[int], bool]) -> tuple[bool, ...]:
    """Returns whether each layer has an indexer of its own: as `indexer_types` says, or else `usual(index)`."""
    if given is None:
        return tuple(map(usual, range(count)))
    if len(given) < count:
        raise ConfigError(f"indexer_types names {len(given)} layers, num_hidden_layers is {count}")
    if not given[0]:
        raise ConfigError(f"indexer_types begins with {SHARED}: no layer before the first one chose keys")
    return given[:count]


def describe(config: GlmMoeDsaConfig) -> Decoder:
    """Returns layers, some of which take the keys that an earlier one chose."""

    def indexers(kind: Indexer) -> tuple[Indexer, ...]:
        kind = attrs.evolve(kind, halves=False, handed_on=True)
        return tuple(attrs.evolve(kind, own=own) for own in config.layers_with_indexers)

    return indexed(config, indexers)


ARCHITECTURE = decoder(
    "glm_moe_dsa",
    GlmMoeDsaConfig,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    aliases={"num_local_experts": "n_routed_experts", "num_experts": "n_routed_experts"},
    translated=("num_local_experts", "num_experts"),
    classes=(CAUSAL, ALONE),
    no_cost={
        **NO_COST,
        "indexer_rope_interleave": None,
        "index_share_for_mtp_iteration": None,
        "moe_router_dtype": None,
    },
    doc="GLM-5: latent attention on keys that an indexer chooses, some layers sharing it.",
)
