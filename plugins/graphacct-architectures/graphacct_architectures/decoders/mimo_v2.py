"""MiMo-V2.5 and V2.6: MiMo-V2-Flash's layers, with a kind for each by two lists and one projection for q, k and v.

Xiaomi LLM-Core, 2026. The class stands in the models' own repositories (`modeling_mimo_v2.py`), not in the transformers
library: names and shapes are that file's. Its rows of queries, keys and values lie by shard of the training run, which
changes no cost. The layers that predict further tokens are not counted.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen, has_value
from graphacct_architectures.decoders.mimo_v2_flash import MiMoV2FlashConfig
from graphacct_architectures.decoders.parts.deepseek import corrected_experts
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, fraction, number, whole
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, network
from graphacct_architectures.heads import ALONE, CAUSAL

TABLES = "rotary_emb", "swa_rotary_emb"
SPLIT, FUSED = "split", "fused_qkv"


def tower() -> Any:
    """Returns a key that describes a tower, which is not modelled. Raises ConfigError if there is one."""

    def check(value: Any, field: attrs.Attribute[Any]) -> None:
        if value:
            raise ConfigError(
                f"{field.name} is there: towers of this family are not modelled; remove it, and the text model is read"
            )

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class MiMoV2Config(MiMoV2FlashConfig):
    """The keys of the published config.json that the cost depends on."""

    partial_rotary_factor: float = fraction(0.334)
    add_swa_attention_sink_bias: bool = fields.flag(True)
    add_full_attention_sink_bias: bool = fields.flag(False)
    attention_projection_layout: str = fields.choice(SPLIT, (SPLIT, FUSED))
    attention_value_scale: float | None = number(None)
    sliding_window: Dim | None = fields.window(128)
    vision_config: Any = tower()
    audio_config: Any = tower()


def layers_by(given: tuple[int, ...] | None, count: int, key: str, usual: Any) -> tuple[int, ...]:
    """Returns 0 or 1 for each layer. Raises ConfigError, which names the key, for a list of another length."""
    found = tuple(map(usual, range(count))) if given is None else given
    if len(found) != count:
        raise ConfigError(f"{key} is {brief(list(found))}, but num_hidden_layers is {count}: each layer needs one")
    return found


def describe(config: MiMoV2Config) -> Decoder:
    """Returns layers of which some have a window and some experts, as two lists say."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    slides = layers_by(
        config.hybrid_layer_pattern, count, "hybrid_layer_pattern", lambda index: int(index > 0 and (index + 1) % 6 > 0)
    )
    sparse = layers_by(config.moe_layer_freq, count, "moe_layer_freq", lambda index: int(index > 0))

    def attention(slid: int) -> Attention:
        heads, shared, width, values = config.num_attention_heads, config.kv_heads, config.d_head, config.v_head_dim
        if slid:
            heads = config.swa_num_attention_heads or heads
            shared = config.swa_num_key_value_heads or shared
            width, values = config.swa_head_dim or width, config.swa_v_head_dim or values
        return Attention(
            heads,
            shared,
            width,
            joint="qkv_proj" if config.attention_projection_layout == FUSED else "",
            rotary=rotary(config, width),
            rotary_tables=TABLES[slid],
            rotary_joined=True,
            window=config.window if slid else None,
            values=values,
            values_scaled=config.attention_value_scale is not None,
            sinks=config.add_swa_attention_sink_bias if slid else config.add_full_attention_sink_bias,
            bias=False,
            dropout=config.attention_dropout,
            less_largest=True,
            upcast="",
        )

    experts = corrected_experts(config, shared=False) if any(sparse) else network(config)
    dense = network(config)
    kinds = attention(0), attention(1)
    layers = tuple(Layer(kinds[slid], experts if has else dense) for slid, has in zip(slides, sparse, strict=True))
    used = sorted(set(slides))
    return around(config, layers, rotary_tables=tuple((TABLES[slid], kinds[slid].rotary) for slid in used))


def rotary(config: MiMoV2Config, width: Dim) -> Dim:
    """Returns how many dimensions of a head are rotated."""
    return int(width * config.partial_rotary_factor) if has_value(width) else width


ARCHITECTURE = decoder(
    "mimo_v2",
    MiMoV2Config,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    attention=("eager", "fused"),
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    stem="MiMoV2",
    no_cost={
        **dict.fromkeys(
            ("attention_chunk_size", "layernorm_epsilon", "swa_rope_theta", "num_nextn_predict_layers", "vision_start")
        ),
        **dict.fromkeys(("routed_scaling_factor", "processor_config", "image_token_id", "video_token_id")),
        "scoring_func": ("sigmoid",),
        "topk_method": ("noaux_tc",),
    },
    doc="MiMo-V2.5: windows with sinks, narrower values, one projection of queries, keys and values, experts.",
)
