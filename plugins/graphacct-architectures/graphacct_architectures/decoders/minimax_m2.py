"""MiniMax-M2: one norm over all queries and one over all keys, a part of each head rotated, experts chosen by corrected
sigmoids.

MiniMax, "MiniMax-M2", 2025; names and order as in the transformers library's MiniMaxM2ForCausalLM.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


def whole_attention() -> Any:
    """Returns the kinds of attention of the layers, all of them 1: 0 is MiniMax-01's lightning attention."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is not None and (not isinstance(value, (list, tuple)) or any(kind != 1 for kind in value)):
            raise ConfigError(f"{field.name} is a list of ones, full attention in each layer, not {brief(value)}")
        return None if value is None else tuple(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class MiniMaxM2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on. `rotary_dim` is how many dimensions of a head are
    rotated, unless the rotary settings say what fraction is."""

    vocab_size: Dim = fields.size(200064)
    hidden_size: Dim = fields.size(3072)
    intermediate_size: Dim = fields.size(1536)
    num_hidden_layers: Dim = fields.size(62)
    num_attention_heads: Dim = fields.size(48)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(196608)
    num_local_experts: Dim = fields.size(256)
    num_experts_per_tok: Dim = fields.size(8)
    attn_type_list: tuple[int, ...] | None = whole_attention()
    rotary_dim: Dim | None = fields.optional_size()
    partial_rotary_factor: float = fraction(1.0)

    @property
    def rotary(self) -> Dim:
        """How many dimensions of a head are rotated."""
        if self.rotary_dim is not None and "partial_rotary_factor" not in self.rope_parameters:
            return self.rotary_dim
        return rotary_dims(self)


def describe(config: MiniMaxM2Config) -> Decoder:
    """Returns a stack of equal layers."""
    rotary = config.rotary
    attention = rotated_attention(config, rotary=rotary, rotary_joined=True, qk_norm="width")
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        scores_upcast=True,
        scoring=SIGMOID,
        correction=True,
        corrected_by=Correction(beside=True, wide=False),
        normalised=True,
    )
    return around(config, Layer(attention, experts), rotary_tables=(("rotary_emb", rotary),))


ARCHITECTURE = decoder(
    "minimax_m2",
    MiniMaxM2Config,
    describe,
    PresetFiles(__file__),
    aliases={"num_experts": "num_local_experts"},
    translated=("num_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={
        "scoring_func": ("sigmoid",),
        "use_qk_norm": (True,),
        "qk_norm_type": ("per_layer",),
        "use_routing_bias": (True,),
        "shared_intermediate_size": (0,),
        **dict.fromkeys(
            (
                *("router_jitter_noise", "layernorm_full_attention_beta", "layernorm_linear_attention_beta"),
                *("layernorm_mlp_beta", "mlp_intermediate_size", "mtp_transformer_layers", "shared_moe_mode"),
            )
        ),
    },
    doc="MiniMax-M2: normed queries and keys, experts chosen by corrected sigmoids.",
)
