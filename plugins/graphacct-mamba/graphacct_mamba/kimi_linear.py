"""Kimi Linear: Kimi delta attention, latent attention without positions in every fourth layer, DeepSeek-V3's experts.

Kimi Team, 2025 (arXiv:2510.26692); names and order as in the transformers library's KimiLinearForCausalLM (5.23).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import (
    ATTENTION,
    Attention,
    Decoder,
    LatentConfig,
    Layer,
    Mixing,
    Mlp,
    corrected_experts,
    decoder,
    latent_of,
    network_types,
    sparse_layers,
    whole,
)
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_mamba.kda import Kda, kda
from graphacct_mamba.kinds import FULL, LINEAR, kinds_of, layer_kinds

OLDER_KEYS = frozenset(["full_attn_layers", "head_dim", "kda_layers", "num_heads", "short_conv_kernel_size"])
"""Keys of `linear_attn_config`, the object that published files have in place of the class's own keys."""


def older_settings() -> Any:
    """Returns the object of published files, which has the sizes of linear attention and lists of layers from 1."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object of settings, not {brief(value)}")
        for key in ("full_attn_layers", "kda_layers"):
            held = value.get(key)
            if held is not None and not (isinstance(held, list) and all(type(item) is int for item in held)):
                raise ConfigError(f"{field.name} has {key} {brief(held)}, which must be a list of layers, from 1")
        for key in ("head_dim", "num_heads", "short_conv_kernel_size"):
            held = value.get(key, 1)
            if type(held) is not int or held < 1:
                raise ConfigError(f"{field.name} has {key} {brief(held)}, which must be a positive number")
        return value

    return fields.checked_field(check, None, metadata={"settings": OLDER_KEYS})


@frozen(kw_only=True)
class KimiLinearConfig(LatentConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(163840)
    hidden_size: Dim = fields.size(2304)
    intermediate_size: Dim = fields.size(9216)
    moe_intermediate_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(27)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(32)
    max_position_embeddings: Dim = fields.size(1048576)
    n_routed_experts: Dim = fields.size(256)
    n_shared_experts: Dim = fields.size(1)
    num_experts_per_tok: Dim | None = fields.optional_size(8)
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    norm_topk_prob: bool = fields.flag(True)
    q_lora_rank: Dim | None = fields.optional_size()
    first_k_dense_replace: Dim = fields.size(1, minimum=0)
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, LINEAR)
    linear_head_dim: Dim = fields.size(128)
    linear_num_heads: Dim = fields.size(32)
    linear_conv_kernel_dim: Dim = fields.size(4)
    linear_attn_config: Mapping[str, Any] = older_settings()
    mla_use_nope: bool = fields.always(True)

    @property
    def linear(self) -> tuple[Dim, Dim, Dim]:
        """Heads of linear attention, their width, and the positions that its convolution sees."""
        older = self.linear_attn_config
        return (
            older.get("num_heads", self.linear_num_heads),
            older.get("head_dim", self.linear_head_dim),
            older.get("short_conv_kernel_size", self.linear_conv_kernel_dim),
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each layer's kind: as listed, or every fourth after the first one has full attention."""
        older = self.linear_attn_config
        count = whole(self.num_hidden_layers, "num_hidden_layers")
        full, rest = older.get("full_attn_layers"), older.get("kda_layers")
        if self.layer_types is not None or full is None or rest is None:
            return kinds_of(self.layer_types, count, lambda index: FULL if index and index % 4 == 0 else LINEAR)
        if sorted([*full, *rest]) != list(range(1, count + 1)):
            raise ConfigError(
                f"linear_attn_config lists {len(full)} layers in full_attn_layers and {len(rest)} in kda_layers: "
                f"together they have to be 1 to num_hidden_layers, {count}"
            )
        return tuple(FULL if index + 1 in full else LINEAR for index in range(count))


def layers_of(config: Any, parts: Mapping[str, Attention | Mixing]) -> tuple[Layer, ...]:
    """Returns layers that differ in what mixes positions, and in having experts."""
    first = whole(config.first_k_dense_replace, "first_k_dense_replace")
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: index >= first)
    experts, dense = corrected_experts(config), Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    both = zip(config.kinds, sparse, strict=True)
    return tuple(Layer(parts[kind], experts if has else dense) for kind, has in both)


def describe(config: KimiLinearConfig) -> Decoder:
    """Returns the decoder, which has no positions at all; its class never ties the head."""
    heads, width, taps = config.linear
    mixing = Mixing("self_attn", Kda(heads, width, taps, ACTIVATIONS[config.hidden_act]), kda)
    layers = layers_of(config, {FULL: latent_of(config, turned=False), LINEAR: mixing})
    return Decoder(config.vocab_size, config.hidden_size, layers)


ARCHITECTURE = decoder(
    "kimi_linear",
    KimiLinearConfig,
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
    no_cost={
        **dict.fromkeys(("head_dim", "rope_theta", "use_grouped_topk", "moe_layer_freq", "qk_head_dim")),
        "moe_router_activation_func": ("sigmoid",),
    },
    doc="Kimi Linear: Kimi delta attention, latent attention in every fourth layer, small experts.",
)
