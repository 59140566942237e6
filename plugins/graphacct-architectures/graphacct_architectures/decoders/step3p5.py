"""Step 3.5 and the text model of Step 3.7: a gate of each head, more heads in layers with a window, experts chosen by
corrected sigmoids, clamped networks.

StepFun, "Step 3.5 Flash", 2026; names and order as in the transformers library's Step3p7TextModel (5.23) with a head,
which the published class Step3p5ForCausalLM has. The layers that predict further tokens are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    layer_types,
    rotary_dims_of,
    whole,
)
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, network_types
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

CENTRED = Norm(centred=True, upcast="all")
HEAD_KEYS = frozenset(["attention_type", "head_dim", "num_attention_groups", "num_attention_heads", "true_head_dim"])
"""Keys of the object in which published files have the heads of layers with a window."""


def listed_layers() -> Any:
    """Returns the layers with experts, by index: a list, or a text with commas; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        items = value.split(",") if isinstance(value, str) else value
        parts = [str(item).strip() for item in items] if isinstance(items, (list, tuple)) else ["?"]
        if not all(part.isdecimal() for part in parts if part):
            raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
        return tuple(int(part) for part in parts if part)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def fractions() -> Any:
    """Returns the rotated part of a head of each layer, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, (int, float)) for item in value):
            raise ConfigError(f"{field.name} is a list of fractions, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def bases() -> Any:
    """Returns the base of rotary positions, or those of each layer, which change no cost."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...]:
        items = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(item, bool) or not isinstance(item, (int, float)) or not item > 0 for item in items):
            raise ConfigError(f"{field.name} is a positive number, or one for each layer, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, (10000.0,))


def other_heads() -> Any:
    """Returns the heads of layers with a window, as older files have them: an object of sizes."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping) or any(key not in HEAD_KEYS for key in value):
            raise ConfigError(f"{field.name} is an object with {', '.join(sorted(HEAD_KEYS))}, not {brief(value)}")
        return value

    return fields.checked_field(check, None, metadata={"settings": HEAD_KEYS})


@frozen(kw_only=True)
class Step3p5Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128815)
    intermediate_size: Dim = fields.size(11264)
    num_hidden_layers: Dim = fields.size(45)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    num_sliding_attention_heads: Dim | None = fields.optional_size()
    attention_other_setting: Mapping[str, Any] = other_heads()
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(128000)
    moe_intermediate_size: Dim = fields.size(1280)
    n_routed_experts: Dim = fields.size(288)
    num_experts_per_tok: Dim = fields.size(8)
    share_expert_dim: Dim = fields.size(1280)
    sliding_window: Dim | None = fields.window()
    layer_types: tuple[str, ...] | None = layer_types()
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    moe_layers_enum: tuple[int, ...] | None = listed_layers()
    rope_theta: tuple[float, ...] = bases()
    partial_rotary_factors: tuple[float, ...] | None = fractions()
    num_nextn_predict_layers: int = fields.size(0, minimum=0)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    use_head_wise_attn_gate: bool = fields.always(True)

    def of_each(self, given: tuple[Any, ...] | None, key: str) -> tuple[Any, ...] | None:
        """Returns the values of the layers that are counted: lists of published files also have those of the layers
        that predict further tokens."""
        count = whole(self.num_hidden_layers, "num_hidden_layers")
        if given is None or len(given) == count:
            return given
        if len(given) != count + self.num_nextn_predict_layers:
            raise ConfigError(f"{key} has {len(given)} entries, num_hidden_layers is {count}: they have to agree")
        return given[:count]


def describe(config: Step3p5Config) -> Decoder:
    """Returns layers that differ in their heads, their window, their rotary tables and their network."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    kinds = config.of_each(config.layer_types, "layer_types") or (FULL,) * count
    if SLIDING in kinds and config.sliding_window is None:
        raise ConfigError(f"layer {kinds.index(SLIDING)} has {SLIDING}, but sliding_window is not there")
    listed = range(3, count) if config.moe_layers_enum is None else config.moe_layers_enum
    sparse = config.of_each(config.mlp_layer_types, "mlp_layer_types") or tuple(i in listed for i in range(count))
    older = config.attention_other_setting.get("num_attention_heads", config.num_attention_heads)
    sliding = older if config.num_sliding_attention_heads is None else config.num_sliding_attention_heads
    factors = config.of_each(config.partial_rotary_factors, "partial_rotary_factors")
    rotary = {
        kind: rotary_dims_of(config, kind, None if factors is None else factors[kinds.index(kind)])
        for kind in dict.fromkeys(kinds)
    }
    shared = config.kv_heads
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.n_routed_experts,
        at_most(config.num_experts_per_tok, config.n_routed_experts, "num_experts_per_tok, n_routed_experts"),
        config.moe_intermediate_size,
        activation,
        scores_upcast=True,
        scoring=SIGMOID,
        correction=True,
        normalised=True,
        shared=Mlp(config.share_expert_dim, activation, module="shared_experts", bias=config.mlp_bias, cut=True),
        out_scaled=True,
        cut=True,
    )
    dense = network(config, cut=True)

    def layer(kind: str, has: bool) -> Layer:
        heads = sliding if kind == SLIDING else config.num_attention_heads
        exact_div(heads, shared, "query heads of a layer / num_key_value_heads")
        attention = rotated_attention(
            config,
            rotary=rotary[kind],
            rotary_tables=f"rotary_emb.{kind}",
            rotary_joined=True,
            qk_norm="head",
            window=config.sliding_window if kind == SLIDING else None,
            gate="g_proj",
            gate_per_head=True,
        )
        attention = attrs.evolve(attention, heads=heads, kv_heads=shared)
        return Layer(attention, experts if has else dense, norm=CENTRED)

    layers = tuple(layer(kind, has) for kind, has in zip(kinds, sparse, strict=True))
    tables = tuple((f"rotary_emb.{kind}", width) for kind, width in rotary.items())
    return around(config, layers, rotary_tables=tables, norm_kind=CENTRED)


ARCHITECTURE = decoder(
    "step3p5",
    Step3p5Config,
    describe,
    PresetFiles(__file__),
    aliases={
        "num_attention_groups": "num_key_value_heads",
        **dict.fromkeys(("num_local_experts", "moe_num_experts"), "n_routed_experts"),
        "moe_top_k": "num_experts_per_tok",
        "share_expert_dims": "share_expert_dim",
        "num_mtp_layers": "num_nextn_predict_layers",
    },
    classes=(CAUSAL, ALONE),
    stem="Step3p5",
    no_cost=dict.fromkeys(
        (
            *("moe_router_scaling_factor", "query_pre_attn_scalar", "swiglu_limits", "swiglu_limits_shared"),
            *("mtp_layer_types", "mtp_mlp_layer_types", "yarn_only_types", "norm_expert_weight", "per_layer_config"),
        )
    ),
    doc="Step 3.5: a gate of each head, more heads in layers with a window, clamped networks.",
)
