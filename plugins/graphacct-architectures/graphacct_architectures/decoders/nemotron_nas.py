"""Llama-Nemotron (DeciLM): Llama's layers, of which a search has removed, replaced or narrowed parts; `block_configs`
in the file says how.

Bercovich et al., 2024 (arXiv:2411.19146) and 2025 (arXiv:2505.00949). The transformers library has no such class: names
and sizes are those of the model's own code, and no counter has confirmed the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import NOTHING, Layer
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import CAUSAL

ATTENTION_KEYS = ("n_heads_in_group", "no_op", "replace_with_linear")
NETWORK_KEYS = ("ffn_mult", "no_op", "replace_with_linear", "intermediate_size")
MULTIPLE = 256
"""Networks' widths are rounded up to a multiple of this."""


def _blocks() -> Any:
    """Returns the parts of each layer: for each an object with `attention` and `ffn`."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Mapping[str, Any], ...]:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{field.name} is a list with the parts of each layer, not {brief(value)}")
        for index, item in enumerate(value):
            for part, known in (("attention", ATTENTION_KEYS), ("ffn", NETWORK_KEYS)):
                own = item.get(part) if isinstance(item, Mapping) else None
                if not isinstance(own, Mapping):
                    raise ConfigError(f"{field.name}[{index}] has no {part}: each layer has attention and ffn")
                more = [key for key in own if key not in known and own[key] not in (None, False)]
                if more:
                    raise ConfigError(f"{field.name}[{index}].{part} has {more[0]}, which is not modelled")
        return tuple(value)

    return fields.checked_field(check, ())


@frozen(kw_only=True)
class NemotronNasConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on. Without `block_configs`, which every published
    file has, all layers are whole, with `num_key_value_heads` and `intermediate_size`."""

    vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(8192)
    num_attention_heads: Dim = fields.size(64)
    num_hidden_layers: Dim = fields.size(80)
    intermediate_size: Dim | None = fields.optional_size(28672)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    block_configs: tuple[Mapping[str, Any], ...] = _blocks()


def describe(config: NemotronNasConfig) -> Decoder:
    """Returns the layers that the file lists."""
    if not config.block_configs:
        if config.intermediate_size is None:
            raise ConfigError(
                "neither block_configs nor intermediate_size is there: one says how wide the networks are"
            )
        return around(config, Layer(rotated_attention(config), network(config)))
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    if len(config.block_configs) != count:
        raise ConfigError(
            f"block_configs has {len(config.block_configs)} layers, num_hidden_layers is {count}: they have to agree"
        )
    return around(config, tuple(layer(config, index, block) for index, block in enumerate(config.block_configs)))


def layer(config: NemotronNasConfig, index: int, block: Mapping[str, Any]) -> Layer:
    """Returns one layer from its entry in `block_configs`."""
    own, ffn = block["attention"], block["ffn"]
    attention = rotated_attention(attrs.evolve(config, num_key_value_heads=None))
    if not (own.get("no_op") or own.get("replace_with_linear")):
        group = positive(own.get("n_heads_in_group"), f"block_configs[{index}].attention.n_heads_in_group")
        shared = exact_div(config.num_attention_heads, group, "num_attention_heads / n_heads_in_group")
        attention = attrs.evolve(attention, kv_heads=shared)
    width = 1 if ffn.get("no_op") or ffn.get("replace_with_linear") else width_of(config, index, ffn)
    return Layer(
        attention,
        Mlp(width, ACTIVATIONS[config.hidden_act], bias=config.mlp_bias),
        attention_instead=NOTHING if own.get("no_op") else "linear_attn" if own.get("replace_with_linear") else "",
        network_instead=NOTHING if ffn.get("no_op") else "linear_mlp" if ffn.get("replace_with_linear") else "",
        instead_bias=(config.attention_bias, config.mlp_bias),
    )


def width_of(config: NemotronNasConfig, index: int, ffn: Mapping[str, Any]) -> int:
    """Returns a network's width: as stated, or 2/3 of the multiple of the stream's width, rounded up."""
    if ffn.get("intermediate_size") is not None:
        return int(positive(ffn["intermediate_size"], f"block_configs[{index}].ffn.intermediate_size"))
    times = ffn.get("ffn_mult")
    if isinstance(times, bool) or not isinstance(times, (int, float)) or not 0 < times < 1000:
        raise ConfigError(f"block_configs[{index}].ffn.ffn_mult is a positive number, not {brief(times)}")
    if type(config.hidden_size) is not int:
        raise ConfigError(f"hidden_size is {config.hidden_size}: give a number, from which ffn_mult makes widths")
    return -(-int(2 * times * config.hidden_size / 3) // MULTIPLE) * MULTIPLE


def positive(value: Any, name: str) -> int:
    """Returns a positive integer. Raises ConfigError, which names it, for anything else."""
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name} is a positive integer, not {brief(value)}")
    return value


ARCHITECTURE = decoder(
    "nemotron-nas",
    NemotronNasConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL,),
    no_cost={"rope_type": None},
    doc="Llama-Nemotron: Llama's layers with parts removed, replaced or narrowed by a list.",
)
