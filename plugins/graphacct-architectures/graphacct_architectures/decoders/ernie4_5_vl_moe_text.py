"""The text model of ERNIE 4.5 VL: ERNIE 4.5 with experts for text and others for images, beside shared ones.

Baidu ERNIE Team, "ERNIE 4.5 Technical Report", 2025.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, PresetFiles, brief, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.ernie4_5 import ernie
from graphacct_architectures.decoders.ernie4_5_moe import ErnieMoeConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.modal_experts import ModalExperts, modal
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

DENSE, SPARSE = "dense", "sparse"


def kinds() -> Any:
    """Returns the kind of each layer's network, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(item in (DENSE, SPARSE) for item in value):
            raise ConfigError(f"{field.name} is a list of {DENSE} and {SPARSE}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class ErnieVLTextConfig(ErnieMoeConfig):
    """The keys of the published config.json that the cost depends on; an expert for text and one for images have the
    two widths of `moe_intermediate_size`."""

    mlp_layer_types: tuple[str, ...] | None = kinds()
    moe_intermediate_size: tuple[int, ...] = fields.counts((1536, 512), 2)
    moe_layer_start_index: int = fields.size(1, minimum=0)


def describe(config: ErnieVLTextConfig) -> Decoder:
    """Returns layers with one network, and others with experts."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    given = config.mlp_layer_types
    if given is not None and len(given) != count:
        raise ConfigError(
            f"mlp_layer_types names {len(given)} layers, num_hidden_layers is {count}: they have to agree"
        )
    kinds = (DENSE, *(SPARSE,) * (count - 1)) if given is None else given
    bias, activation = config.use_bias, ACTIVATIONS[config.hidden_act]
    text, images = (
        Experts(
            config.moe_num_experts,
            at_most(config.moe_k, config.moe_num_experts, "moe_k, moe_num_experts"),
            width,
            activation,
            module=module,
            router_upcast=True,
            router_wide=True,
            normalised=True,
            above_zero="clamp",
            correction=True,
            corrected_by=Correction("moe_statics.e_score_correction_bias", frozen=True, row=True),
            downcast=True,
        )
        for width, module in zip(config.moe_intermediate_size, ("text_moe", "vision_moe"), strict=True)
    )
    width = config.moe_intermediate_size[0] * config.moe_num_shared_experts
    shared = None if equal(width, 0) else Mlp(width, activation, module="shared_experts", bias=bias)
    attention = rotated_attention(config, bias=bias, out_bias=bias, dropout=0.0)
    dense = Layer(attention, network(config, bias=bias))
    sparse = modal(Layer(attention, dense.feed_forward), ModalExperts(text, images, shared))
    return ernie(config, tuple(sparse if kind == SPARSE else dense for kind in kinds))


ARCHITECTURE = decoder(
    "ernie4_5_vl_moe_text",
    ErnieVLTextConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_experts": "moe_num_experts", "num_experts_per_tok": "moe_k"},
    translated=("num_experts", "num_experts_per_tok"),
    stem="Ernie4_5_VLMoeText",
    classes=(CAUSAL, ALONE),
    no_cost={"moe_norm_min": None},
    inexact=lambda config, workload, dtype: ("saved tensors of its router were not found equal to the library's",),
    doc="ERNIE 4.5 VL's text model: experts for text and others for images, beside shared ones.",
)
