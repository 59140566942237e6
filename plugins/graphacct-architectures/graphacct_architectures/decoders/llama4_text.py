"""The language model of Llama 4: chunks of the sequence in three of four layers, every fourth without rotary positions,
experts beside a shared network.

Meta, "The Llama 4 herd", 2025. The library's class runs every token through every expert; what is not chosen is
multiplied by 0. Both are counted as the class does them.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import FULL, DecoderConfig, decoder, disagreeing, whole
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.decoders.smollm3 import rope_layers
from graphacct_architectures.heads import ALONE, CAUSAL

CHUNKED = "chunked_attention"


def _kinds() -> Any:
    """Returns the kind of attention of each layer, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(item not in (FULL, CHUNKED) for item in value):
            raise ConfigError(f"{field.name} is a list of {FULL} and {CHUNKED}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None)


def _places() -> Any:
    """Returns the indices of layers, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(type(item) is not int for item in value):
            raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Llama4TextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on.

    `no_rope_layers` has a 1 for a layer with rotary positions and a 0 for one without, as the class reads it.
    """

    vocab_size: Dim = fields.size(202048)
    hidden_size: Dim = fields.size(5120)
    intermediate_size: Dim = fields.size(8192)
    intermediate_size_mlp: Dim = fields.size(16384)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(40)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    num_local_experts: Dim = fields.size(16)
    num_experts_per_tok: Dim = fields.size(1)
    moe_layers: tuple[int, ...] | None = _places()
    interleave_moe_layer_step: int = fields.size(1)
    use_qk_norm: bool = fields.flag(True)
    no_rope_layers: tuple[int, ...] | None = rope_layers()
    no_rope_layer_interval: int = fields.size(4)
    attention_chunk_size: Dim | None = fields.optional_size(8192)
    layer_types: tuple[str, ...] | None = _kinds()
    attn_temperature_tuning: bool = fields.flag(True)


def describe(config: Llama4TextConfig) -> Decoder:
    """Returns layers that differ in their chunks, their rotary positions and their network."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    rotated = config.no_rope_layers
    if not rotated:  # an empty list is none
        rotated = tuple(int((index + 1) % config.no_rope_layer_interval != 0) for index in range(count))
    if len(rotated) != count:
        raise ConfigError(f"no_rope_layers has {len(rotated)} entries for num_hidden_layers {count}")
    kinds = config.layer_types or tuple(CHUNKED if turned else FULL for turned in rotated)
    if len(kinds) != count:
        raise disagreeing(len(kinds), count)
    if CHUNKED in kinds and config.attention_chunk_size is None:
        raise ConfigError(f"layer {kinds.index(CHUNKED)} has {CHUNKED}, but attention_chunk_size is not there")
    step = config.interleave_moe_layer_step
    sparse = range(step - 1, count, step) if config.moe_layers is None else config.moe_layers
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        activation,
        module="feed_forward",
        router="router",
        in_out=True,
        shared=Mlp(config.intermediate_size, activation, module="shared_expert"),
        every=True,
    )
    dense = network(config, width=config.intermediate_size_mlp, module="feed_forward")

    def layer(index: int) -> Layer:
        turned = bool(rotated[index])
        attention = rotated_attention(
            config,
            rotary=config.d_head if turned else 0,
            qk_norm="head" if turned and config.use_qk_norm else "",
            qk_norm_kind=Norm(weight=False),
            qk_norm_last=True,
            position_scaled=config.attn_temperature_tuning and not turned,
            position_scaled_wide=True,
            window=config.attention_chunk_size if kinds[index] == CHUNKED else None,
            chunked=kinds[index] == CHUNKED,
            upcast="",
        )
        return Layer(attention, experts if index in sparse else dense)

    return around(config, tuple(map(layer, range(count))), rotary_complex=True)


ARCHITECTURE = decoder(
    "llama4_text",
    Llama4TextConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={
        "attn_scale": None,
        "floor_scale": None,
        "router_jitter_noise": None,
        "for_llm_compressor": None,
    },
    doc="Llama 4's language model: chunks, every fourth layer without rotary positions, experts.",
)
