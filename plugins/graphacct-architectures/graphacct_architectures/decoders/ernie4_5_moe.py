"""ERNIE 4.5 with experts: chosen by a softmax with a correction, beside shared ones, in a range of layers.

Baidu ERNIE Team, "ERNIE 4.5 Technical Report", 2025.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.ernie4_5 import ErnieConfig, ernie, paired
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.sparse import at_most, layered
from graphacct_architectures.decoders.parts.usual import network
from graphacct_architectures.heads import ALONE, CAUSAL


def last_layer() -> Any:
    """Returns a key that is the index of a layer, -1 for the last: no size, because nothing is that many."""

    def check(value: Any, field: attrs.Attribute[Any]) -> int:
        if type(value) is not int or value < -1:
            raise ConfigError(f"{field.name} is the index of a layer, or -1 for the last, not {brief(value)}")
        return value

    return fields.checked_field(check, -1)


@frozen(kw_only=True)
class ErnieMoeConfig(ErnieConfig):
    """The keys of the published config.json that the cost depends on.

    Every `moe_layer_interval`th layer from `moe_layer_start_index` to `moe_layer_end_index` (-1: the last) has experts.
    """

    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(12288)
    num_hidden_layers: Dim = fields.size(28)
    num_attention_heads: Dim = fields.size(20)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    moe_intermediate_size: Dim = fields.size(1536)
    moe_k: Dim = fields.size(6)
    moe_num_experts: Dim = fields.size(64)
    moe_num_shared_experts: Dim = fields.size(2, minimum=0)
    moe_layer_start_index: int = fields.size(1, minimum=0)
    moe_layer_end_index: int = last_layer()
    moe_layer_interval: int = fields.size(1)


def describe(config: ErnieMoeConfig) -> Decoder:
    """Returns layers with experts, and others around them with one network."""
    bias, activation = config.use_bias, ACTIVATIONS[config.hidden_act]
    width = config.moe_intermediate_size * config.moe_num_shared_experts
    experts = Experts(
        config.moe_num_experts,
        at_most(config.moe_k, config.moe_num_experts, "moe_k, moe_num_experts"),
        config.moe_intermediate_size,
        activation,
        router_upcast=True,
        router_wide=True,
        normalised=True,
        above_zero="clamp",
        correction=True,
        corrected_by=Correction("moe_statics.e_score_correction_bias", frozen=True, row=True),
        downcast=True,
        shared=None if equal(width, 0) else Mlp(width, activation, module="shared_experts", bias=bias),
    )
    dense = network(config, bias=bias)
    attention = paired(config)
    first, every = config.moe_layer_start_index, config.moe_layer_interval
    last = config.moe_layer_end_index

    def kind(index: int) -> Layer:
        sparse = (index + 1) % every == 0 and first <= index and (last == -1 or index <= last)
        return Layer(attention, experts if sparse else dense)

    alike = first == 0 and every == 1 and last == -1
    if not alike:
        whole(config.num_hidden_layers, "num_hidden_layers")
    return ernie(config, layered(config.num_hidden_layers, alike, kind), head_bias=bias)


ARCHITECTURE = decoder(
    "ernie4_5_moe",
    ErnieMoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_experts": "moe_num_experts", "num_experts_per_tok": "moe_k"},
    translated=("num_experts", "num_experts_per_tok"),
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(
        (
            *("moe_norm_min", "moe_capacity", "moe_gate", "moe_use_aux_free", "moe_dropout_prob", "moe_group"),
            *("moe_aux_loss_lambda", "moe_orthogonal_loss_lambda", "moe_all_to_all_dropout", "moe_use_hard_gate"),
        )
    ),
    doc="ERNIE 4.5 with experts: chosen by a corrected softmax, in a range of layers.",
)
