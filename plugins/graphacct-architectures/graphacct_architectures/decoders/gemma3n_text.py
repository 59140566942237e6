"""The language model of Gemma 3n: four streams of which each layer runs one, keys and values that later layers share,
inputs of each layer's own, gates that keep their largest elements.

Google DeepMind, "Gemma 3n", 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    number,
)
from graphacct_architectures.decoders.parts.gemma3n import (
    Gemma3nLayer,
    Gemma3nStack,
    Streams,
    gemma3n_layer,
    gemma3n_stack,
)
from graphacct_architectures.decoders.parts.gemma4 import GAINLESS, NORM
from graphacct_architectures.decoders.parts.lending import Lender, PerLayer, roles
from graphacct_architectures.heads import ALONE, CAUSAL

PATTERN = 5
"""Of as many layers the last sees all positions, unless a file names the kinds."""
SPARSE = 10
"""How many layers keep their gates' largest elements, of models with more, unless a file says it."""


def _widths(default: int) -> Any:
    """Returns the width of all layers' networks, or a list with one for each."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        items = value if isinstance(value, (list, tuple)) else [value]
        if not items or any(type(item) is int and not 0 < item < 2**31 for item in items):
            raise ConfigError(f"{field.name} is a positive number, or a list with one for each layer: {brief(value)}")
        if any(isinstance(item, (bool, str, float)) or item is None for item in items):
            raise ConfigError(f"{field.name} is a positive number, or a list with one for each layer: {brief(value)}")
        return tuple(value) if isinstance(value, (list, tuple)) else value

    return fields.checked_field(check, default, metadata=fields.SIZED)


def _shares() -> Any:
    """Returns the share of each layer's gate that is 0, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...] | None:
        if value is None:
            return None
        fits = isinstance(value, (list, tuple)) and all(
            isinstance(item, (int, float)) and not isinstance(item, bool) and 0 <= item < 1 for item in value
        )
        if not fits:
            raise ConfigError(f"{field.name} is a list of shares from 0 up to (not including) 1, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Gemma3nTextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(262400)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Any = _widths(16384)
    num_hidden_layers: Dim = fields.size(35)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim | None = fields.size(2)
    head_dim: Dim | None = fields.size(256)
    hidden_activation: str = activation("gelu_pytorch_tanh")
    max_position_embeddings: Dim = fields.size(32768)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.size(512)
    layer_types: tuple[str, ...] | None = layer_types()
    final_logit_softcapping: float | None = number(30.0)
    vocab_size_per_layer_input: Dim = fields.size(262144)
    hidden_size_per_layer_input: Dim = fields.size(256)
    altup_active_idx: int = fields.size(0, minimum=0)
    altup_coef_clip: float | None = number(120.0)
    altup_correct_scale: bool = fields.flag(True)
    altup_num_inputs: int = fields.size(4)
    num_kv_shared_layers: Dim = fields.size(15, minimum=0)
    laurel_rank: Dim = fields.size(64)
    activation_sparsity_pattern: tuple[float, ...] | None = _shares()


def of_each(value: Any, count: int, key: str) -> Sequence[Any]:
    """Returns one value for each layer. Raises ConfigError for a list of another length."""
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise ConfigError(f"{key} has {len(value)} entries for num_hidden_layers {count}: each layer needs one")
    return value


def describe(config: Gemma3nTextConfig) -> Decoder:
    """Returns layers that differ in their window, their width, their gate and whose keys and values they read."""
    words = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % PATTERN else FULL)
    count = len(words)
    duties = roles(words, config.num_kv_shared_layers)
    widths = of_each(config.intermediate_size, count, "intermediate_size")
    shares = config.activation_sparsity_pattern
    if shares is None:
        shares = tuple(0.95 if index < SPARSE < count else 0.0 for index in range(count))
    shares = tuple(of_each(shares, count, "activation_sparsity_pattern"))
    exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")
    streams = Streams(
        config.altup_num_inputs,
        config.altup_active_idx,
        clipped=config.altup_coef_clip is not None,
        scaled=config.altup_correct_scale,
    )
    if type(streams.count) is not int or streams.active >= streams.count:
        raise ConfigError(
            f"altup_active_idx is {streams.active}, of altup_num_inputs {streams.count} streams: give less"
        )
    act = ACTIVATIONS[config.hidden_activation]
    own = config.hidden_size_per_layer_input

    def layer(kind: str, role: str, width: Dim, share: float) -> Layer:
        attention = Attention(
            config.num_attention_heads,
            config.kv_heads,
            config.d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=config.d_head,
            rotary_tables=f"rotary_emb.{kind}",
            window=config.sliding_window if kind == SLIDING else None,
            qk_norm="head",
            scaled=False,
            dropout=config.attention_dropout,
            values_norm=GAINLESS,
        )
        network = Mlp(width, act)
        whole = Gemma3nLayer(attention, Lender(kind, role), network, share > 0, streams, config.laurel_rank, own)
        return Layer(attention, network, norm=NORM, whole=Whole(whole, gemma3n_layer))

    layers = tuple(layer(*one) for one in zip(words, duties, widths, shares, strict=True))
    inputs = PerLayer(config.vocab_size_per_layer_input, count, own, NORM, in_place=True)
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        embedding_scaled=True,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        logits_softcap=config.final_logit_softcapping is not None,
        rotary_tables=tuple((f"rotary_emb.{kind}", config.d_head) for kind in dict.fromkeys(words)),
        middle=Middle(Gemma3nStack(duties, words, inputs, streams), gemma3n_stack),
    )


ARCHITECTURE = decoder(
    "gemma3n_text",
    Gemma3nTextConfig,
    describe,
    PresetFiles(__file__),
    aliases={"hidden_act": "hidden_activation"},
    classes=(CAUSAL, ALONE),
    doc="Gemma 3n's language model: four streams, shared keys and values, layers' own inputs, sparse gates.",
)
