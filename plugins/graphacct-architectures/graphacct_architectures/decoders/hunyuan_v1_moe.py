"""Hunyuan-A13B: Hunyuan's attention, experts in every layer beside a shared network of the same width.

Tencent Hunyuan Team, "Hunyuan-A13B Technical Report", 2025.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.hunyuan_v1_dense import SWITCHES, HunyuanConfig, normed_last
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, network
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE


def _of_layers() -> Any:
    """Returns a number for all layers, or a list with one for each."""

    def check(value: Any, field: attrs.Attribute[Any]) -> int | tuple[int, ...]:
        items = value if isinstance(value, (list, tuple)) else (value,)
        if not items or any(type(item) is not int or item < 1 for item in items):
            raise ConfigError(
                f"{field.name} is a positive number, or a list with one for each layer, not {brief(value)}"
            )
        return value if isinstance(value, int) else tuple(value)

    return fields.checked_field(check, 1)


@frozen(kw_only=True)
class HunyuanMoeConfig(HunyuanConfig):
    """The keys of the published config.json that the cost depends on."""

    num_experts: Dim = fields.size(1)
    moe_topk: int | tuple[int, ...] = _of_layers()


def describe(config: HunyuanMoeConfig) -> Decoder:
    """Returns layers that differ at most in how many experts a token runs through."""
    attention = normed_last(config)

    def layer(per_token: int) -> Layer:
        experts = Experts(
            config.num_experts,
            at_most(per_token, config.num_experts, "moe_topk, num_experts"),
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            router="gate.wg",
            router_wide=True,
            router_upcast=True,
            normalised=True,
            shared=network(config, module="shared_mlp"),
        )
        return Layer(attention, experts)

    each = config.moe_topk
    if isinstance(each, int):
        return around(config, layer(each))
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    if len(each) < count:
        raise ConfigError(f"moe_topk has {len(each)} numbers, num_hidden_layers is {count}: each layer needs one")
    return around(config, tuple(map(layer, each[:count])))


ARCHITECTURE = decoder(
    "hunyuan_v1_moe",
    HunyuanMoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "num_experts", "num_experts_per_tok": "moe_topk"},
    translated=("num_local_experts", "num_experts_per_tok"),
    stem="HunYuanMoEV1",
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost={
        **SWITCHES,
        "moe_layer_num_skipped": (0,),
        "norm_topk_prob": (True,),
        "use_mla": (False,),
        "moe_intermediate_size": None,
        "num_shared_expert": None,
        "use_mixed_mlp_moe": None,
    },
    doc="Hunyuan-A13B: queries and keys normalized after they are rotated, experts and a shared network.",
)
