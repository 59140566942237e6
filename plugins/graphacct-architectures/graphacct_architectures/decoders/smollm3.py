"""SmolLM3: every fourth layer without rotary positions (NoPE), grouped queries, SwiGLU.

Names and order as in the transformers library's SmolLM3ForCausalLM; Yang et al., 2025 (arXiv:2501.18795) for NoPE.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
)


def rope_layers() -> Any:
    """Returns a list with 1 for each layer with rotary positions and 0 for each without, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(item not in (0, 1) for item in value):
            raise ConfigError(f"{field.name} is a list of 1 and 0, not {brief(value)}")
        return tuple(int(item) for item in value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class SmolLM3Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on.

    `no_rope_layers` has a 1 for a layer with rotary positions and a 0 for one without; unless it is given, each
    `no_rope_layer_interval`th has none.
    """

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(36)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    max_position_embeddings: Dim = fields.size(32768)
    tie_word_embeddings: bool = fields.flag(True)
    use_sliding_window: bool = fields.flag(False)
    sliding_window: Dim | None = fields.switched_size(None, "use_sliding_window", optional=True)
    layer_types: tuple[str, ...] | None = layer_types()
    no_rope_layers: tuple[int, ...] | None = rope_layers()
    no_rope_layer_interval: int = fields.size(4)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


def describe(config: SmolLM3Config) -> Decoder:
    """Returns layers with and without rotary positions; only those without may have a window."""

    def rotated(index: int) -> bool:
        given = config.no_rope_layers
        if given is None:
            return (index + 1) % config.no_rope_layer_interval != 0
        if index >= len(given):
            raise ConfigError(
                f"no_rope_layers has {len(given)} entries for num_hidden_layers {config.num_hidden_layers}"
            )
        return bool(given[index])

    windowed = config.use_sliding_window and config.sliding_window is not None
    kinds = kinds_of_attention(config, lambda index: SLIDING if windowed and not rotated(index) else FULL)

    def layer(index: int, kind: str) -> Layer:
        return Layer(
            Attention(
                config.num_attention_heads,
                config.kv_heads,
                config.d_head,
                bias=config.attention_bias,
                out_bias=config.attention_bias,
                rotary=config.d_head if rotated(index) else 0,
                window=config.sliding_window if kind == SLIDING else None,
                dropout=config.attention_dropout,
            ),
            Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], bias=config.mlp_bias),
        )

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layer(index, kind) for index, kind in enumerate(kinds)),
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "smollm3",
    SmolLM3Config,
    describe,
    PresetFiles(__file__),
    span="transformer",
    doc="SmolLM3: every fourth layer without rotary positions.",
)
