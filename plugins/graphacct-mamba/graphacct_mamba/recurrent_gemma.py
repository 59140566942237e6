"""RecurrentGemma: Griffin's recurrent blocks, and attention over a window in every third layer.

Botev et al., 2024 (arXiv:2404.07839).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import (
    Attention,
    Decoder,
    DecoderConfig,
    Layer,
    Mixing,
    Mlp,
    Norm,
    decoder,
    rotary_dims,
    whole,
)
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import ConfigError, Dim, PresetFiles, Workload, brief, exact_div, fields, frozen
from graphacct_mamba.griffin import Griffin, griffin
from graphacct_mamba.sizes import inexact

RECURRENT, ATTENTION = "recurrent", "attention"
NORM = Norm(centred=True, upcast="all")
CONTEXT = 8192
"""The default tokens per sequence, on which the published models were trained; a configuration has no limit."""


def _blocks() -> Any:
    """Returns the kinds of layers that alternate."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...]:
        fits = isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value)
        if not fits:
            raise ConfigError(f"{field.name} is a list of {RECURRENT} and {ATTENTION}, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, (RECURRENT, RECURRENT, ATTENTION))


@frozen(kw_only=True)
class RecurrentGemmaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(256000)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(7680)
    num_hidden_layers: Dim = fields.size(26)
    num_attention_heads: Dim = fields.size(10)
    lru_width: Dim | None = fields.optional_size()
    attention_window_size: Dim = fields.size(2048)
    conv1d_width: Dim = fields.size(4)
    hidden_activation: str = activation("gelu_pytorch_tanh")
    block_types: tuple[str, ...] = _blocks()
    attention_bias: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)
    partial_rotary_factor: float = 0.5


def describe(config: RecurrentGemmaConfig) -> Decoder:
    """Returns layers by their kinds, which alternate; what is not recurrent is attention."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    kinds = config.block_types
    d_head = exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")
    rotary = rotary_dims(config)
    act = ACTIVATIONS[config.hidden_activation]
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        d_head,
        module="temporal_block",
        bias=config.attention_bias,
        out_bias=True,
        rotary=rotary,
        rotary_joined=True,
        window=config.attention_window_size,
        dropout=config.attention_dropout,
    )
    width = config.hidden_size if config.lru_width is None else config.lru_width
    recurrent = Mixing("temporal_block", Griffin(width, config.num_attention_heads, config.conv1d_width, act), griffin)
    network = Mlp(config.intermediate_size // 2, act, module="mlp_block", bias=True)

    def layer(index: int) -> Layer:
        part = recurrent if kinds[index % len(kinds)] == RECURRENT else attention
        return Layer(part, network, NORM, attention_norm="temporal_pre_norm", mlp_norm="channel_pre_norm")

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(map(layer, range(count))),
        embedding_scaled=True,
        norm="final_norm",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        logits_softcap=True,
        rotary_tables=(("rotary_emb", rotary),),
    )


def tables_of_layers(config: RecurrentGemmaConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact of the library's saved tensors."""
    apart = "saved tensors: the library's class makes rotary tables in each layer, here layers share them"
    return (*((apart,) if workload.phase == "train" else ()), *inexact(config, workload, dtype))


NO_COST: Mapping[str, tuple[Any, ...] | None] = dict.fromkeys(
    (
        *("logits_soft_cap", "w_init_variance_scale", "final_w_init_variance_scale", "embeddings_scale_by_sqrt_dim"),
        *("_block_types", "rope_theta"),
    )
)
ARCHITECTURE = decoder(
    "recurrent_gemma",
    RecurrentGemmaConfig,
    describe,
    PresetFiles(__file__),
    aliases={"sliding_window": "attention_window_size", "hidden_act": "hidden_activation"},
    context=lambda config: CONTEXT,
    classes=(CAUSAL, ALONE),
    no_cost=NO_COST,
    inexact=tables_of_layers,
    doc="RecurrentGemma: gated linear recurrences, attention over a window in every third layer.",
)
