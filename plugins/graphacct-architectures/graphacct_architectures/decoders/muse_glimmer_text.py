"""The text model of Muse Glimmer: norms around each part whose weights are gains minus 1, a gate of attention's output,
every fourth layer without positions and the others in a window, counted from the last.

Meta, 2026 (Muse Glimmer).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
)
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

PERIOD = 4


def thetas() -> Any:
    """Returns the base of each layer's rotary positions, 0 for none; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or not all(
            isinstance(item, (int, float)) and not isinstance(item, bool) and item >= 0 for item in value
        ):
            raise ConfigError(f"{field.name} is a list of numbers, 0 for a layer without positions, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class MuseGlimmerTextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(202048)
    hidden_size: Dim = fields.size(6656)
    intermediate_size: Dim = fields.size(19968)
    num_hidden_layers: Dim = fields.size(52)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    head_dim: Dim | None = fields.optional_size(128)
    hidden_activation: str = activation("silu")
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.window(2048)
    layer_types: tuple[str, ...] | None = layer_types()
    layer_rope_theta: tuple[float, ...] | None = thetas()


def describe(config: MuseGlimmerTextConfig) -> Decoder:
    """Returns the layers, those in windows rotated by position, unless the file says which are."""
    count: Any = config.num_hidden_layers
    kinds = kinds_of_attention(config, lambda index: SLIDING if (count - 1 - index) % PERIOD else FULL)
    bases = config.layer_rope_theta
    if bases is not None and len(bases) != len(kinds):
        raise ConfigError(
            f"layer_rope_theta names {len(bases)} layers, num_hidden_layers is {len(kinds)}: they have to agree"
        )
    wide = Norm(upcast="all")

    def layer(index: int) -> Layer:
        turned = bool(bases[index]) if bases is not None else bool((count - 1 - index) % PERIOD)
        attention = rotated_attention(
            config,
            rotary=config.d_head if turned else 0,
            window=config.sliding_window if kinds[index] == SLIDING else None,
            qk_norm="head",
            qk_norm_kind=Norm(weight=False, upcast="all"),
            query_scaled=True,
            gate="gate_proj",
        )
        return Layer(
            attention,
            Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_activation]),
            attention_post_norm="post_attention_layernorm",
            mlp_norm="pre_feedforward_layernorm",
            mlp_post_norm="post_feedforward_layernorm",
            norm=Norm(centred=True, upcast="all"),
        )

    return around(
        config,
        tuple(map(layer, range(len(kinds)))),
        norm_kind=wide,
        embedding_normed=Norm(weight=False, upcast="all"),
        logits_scaled=True,
        logits_softcap=True,
    )


ARCHITECTURE = decoder(
    "muse_glimmer_text",
    MuseGlimmerTextConfig,
    describe,
    PresetFiles(__file__),
    stem="MuseGlimmerText",
    classes=(CAUSAL, ALONE),
    no_cost={
        **dict.fromkeys(("qk_scale_factor", "output_multiplier", "post_norm_eps", "final_logit_softcapping")),
        "hidden_act": None,
    },
    inexact=lambda config, workload, dtype: ("saved tensors of its norms were not found equal to the library's",),
    doc="Muse Glimmer's text model: gated attention in windows, every fourth layer without positions.",
)
