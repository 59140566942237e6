"""The keys of a config.json: which ones a configuration takes, and which ones it must not ignore.

A file holds only the values that differ from its class's defaults, and older files use older keys. An unknown key that
changes the cost is an error; every other unknown key is ignored.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import attrs

from graphacct.errors import ConfigError, ReadError, brief

NONE: Mapping[str, str] = {}
OFF: tuple[Any, ...] = (None, False, 0, 0.0, 1, 1.0, "", "none", [], {})
"""Values with which a key changes nothing."""
COSTLY = frozenset(
    [
        "add_cross_attention",
        "alibi",
        "attention_bias",
        "attn_logit_softcapping",
        "clip_qkv",
        "cross_attention_hidden_size",
        "decoder_layers",
        "encoder_layers",
        "final_logit_softcapping",
        "first_k_dense_replace",
        "kv_lora_rank",
        "layer_types",
        "mlp_bias",
        "mlp_only_layers",
        "moe_intermediate_size",
        "moe_layer_freq",
        "multi_query",
        "n_routed_experts",
        "n_shared_experts",
        "new_decoder_architecture",
        "num_experts",
        "num_experts_per_tok",
        "num_local_experts",
        "num_kv_heads",
        "num_key_value_heads",
        "parallel_attn",
        "per_layer_config",
        "q_lora_rank",
        "qk_layernorm",
        "quantization_config",
        "shared_expert_intermediate_size",
        "sliding_window",
        "use_parallel_residual",
        "use_bidirectional_attention",
        "use_sliding_window",
        "use_qk_norm",
    ]
)
"""Keys that change the cost of the families that know them. In any other family they are an error."""
WITHOUT = {"quantization_config": "; a file without it is the model with its weights unpacked"}
"""Advice for the error: what a file describes without the key."""


def filled(
    config: type[Any],
    content: Mapping[str, Any],
    owner: str,
    aliases: Mapping[str, str] = NONE,
    translated: Container[str] = (),
) -> Any:
    """Returns the configuration from the keys that its class knows.

    A file may have a key in several spellings. The configuration's own spelling wins, except over an alias that is
    `translated`. Raises ReadError for a key that changes the cost and that the family `owner` does not know;
    ConfigError for a value that does not fit, with the key as the file spells it.
    """
    fields = {field.name: field for field in attrs.fields(config)}
    given: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    fixed: set[str] = set()
    for key, value in content.items():
        name = aliases.get(key, key)
        if name not in fields:
            if key in COSTLY and (value is True or value not in OFF):  # True equals 1
                raise ReadError(
                    f"{key} is {brief(value)}, which {owner} does not know and which changes the cost"
                    f"{WITHOUT.get(key, '')}"
                )
            continue
        if value is None and fields[name].default is not None and not fields[name].metadata.get("optional"):
            continue
        if key in translated and value is not None:
            fixed.add(name)
        elif name in fixed or (key != name and content.get(name) is not None) or given.get(name) is not None:
            continue
        given[name], spelled[name] = value, key
    try:
        return config(**given)
    except ConfigError as error:
        name = str(error).partition(" ")[0]
        if spelled.get(name, name) != name:  # name the key as the file spells it
            raise ConfigError(f"{spelled[name]} {str(error)[len(name) + 1 :]}") from error
        raise
