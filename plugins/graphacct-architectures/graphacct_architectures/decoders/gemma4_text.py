"""The language model of Gemma 4: five layers with a window to one without, which has wider heads; keys and values that
later layers share, experts beside the network, an input of each layer's own.

Google DeepMind, "Gemma 4", 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
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
from graphacct_architectures.decoders.parts.gemma4 import (
    GAINLESS,
    NORM,
    Gemma4Layer,
    Gemma4Stack,
    gemma4_layer,
    gemma4_stack,
)
from graphacct_architectures.decoders.parts.lending import BORROWING, Lender, PerLayer, roles
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.heads import ALONE, CAUSAL

PATTERN = 6
"""Of as many layers the last sees all positions, unless a file names the kinds."""
ALL, VISION = "all", "vision"
OWN_KEYS = ("head_dim", "num_key_value_heads")
"""What layers may have of their own."""


def both_ways(default: str | None = None) -> Any:
    """Returns which tokens also see those after them: all, an image's, or none (None)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if value not in (None, ALL, VISION):
            raise ConfigError(f"{field.name} is {ALL!r}, {VISION!r} or null, not {brief(value)}")
        return value

    return fields.checked_field(check, default, metadata=fields.OPTIONAL)


def _by_layer() -> Any:
    """Returns what some layers have of their own: indices of layers, and their keys."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[int, Mapping[str, int]] | str:
        if value == "":
            return ""
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(own, Mapping) for own in value.values()):
            raise ConfigError(f"{field.name} is an object of layers' indices and their keys, not {brief(value)}")
        found = {}
        for index, own in value.items():
            if not str(index).isdecimal():
                raise ConfigError(f"{field.name} has {brief(index)}, which is no index of a layer")
            for key, size in own.items():
                if key not in OWN_KEYS:
                    raise ConfigError(f"{field.name} has {brief(key)}: of their own layers have {', '.join(OWN_KEYS)}")
                if type(size) is not int or size < 1:
                    raise ConfigError(f"{field.name} has {key} {brief(size)}, which is a positive number")
            found[int(index)] = dict(own)
        return found

    return fields.checked_field(check, "", metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Gemma4TextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on.

    Layers that see all positions have heads of `global_head_dim`, and with `attention_k_eq_v`
    `num_global_key_value_heads`; `per_layer_config` says it of each layer instead.
    """

    vocab_size: Dim = fields.size(262144)
    hidden_size: Dim = fields.size(2304)
    intermediate_size: Dim = fields.size(9216)
    num_hidden_layers: Dim = fields.size(30)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim | None = fields.size(4)
    head_dim: Dim | None = fields.size(256)
    hidden_activation: str = activation("gelu_pytorch_tanh")
    max_position_embeddings: Dim = fields.size(131072)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.size(512)
    layer_types: tuple[str, ...] | None = layer_types()
    final_logit_softcapping: float | None = number(None)
    use_bidirectional_attention: str | None = both_ways()
    vocab_size_per_layer_input: Dim = fields.size(262144)
    hidden_size_per_layer_input: Dim = fields.size(256, minimum=0)
    attention_k_eq_v: bool = fields.flag(False)
    num_kv_shared_layers: Dim = fields.size(0, minimum=0)
    enable_moe_block: bool = fields.flag(False)
    use_double_wide_mlp: bool = fields.flag(False)
    num_experts: Dim | None = fields.switched_size(None, "enable_moe_block", optional=True)
    top_k_experts: Dim | None = fields.switched_size(None, "enable_moe_block", optional=True)
    moe_intermediate_size: Dim | None = fields.switched_size(None, "enable_moe_block", optional=True)
    global_head_dim: Dim = fields.size(512)
    num_global_key_value_heads: Dim | None = fields.optional_size()
    per_layer_config: Any = _by_layer()

    @property
    def window(self) -> Dim:
        """How many positions the layers with a window see; if attention goes both ways half of the file's value on
        either side, and the token itself."""
        assert self.sliding_window is not None
        if self.use_bidirectional_attention == ALL:
            return floor_div(self.sliding_window, 2) + 1
        return self.sliding_window


def kinds(config: Gemma4TextConfig) -> tuple[str, ...]:
    """Returns the kind of each layer's attention; the last layer sees all positions, whatever a file says."""
    found = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % PATTERN else FULL)
    return (*found[:-1], FULL)


def heads(config: Gemma4TextConfig, index: int, kind: str) -> tuple[Dim, Dim]:
    """Returns a layer's heads of keys and values, and a head's width. Raises ConfigError unless they divide."""
    own: Mapping[str, Any] = {}
    if config.per_layer_config != "":
        own = config.per_layer_config.get(index, {})
    elif kind == FULL:
        own = {"head_dim": config.global_head_dim}
        if config.attention_k_eq_v and config.num_global_key_value_heads is not None:
            own = {**own, "num_key_value_heads": config.num_global_key_value_heads}
    count = own.get("num_key_value_heads", config.num_key_value_heads)
    exact_div(config.num_attention_heads, count, f"num_attention_heads / heads of keys and values in layer {index}")
    return count, own.get("head_dim", config.head_dim)


def experts(config: Gemma4TextConfig) -> Experts | None:
    """Returns the experts beside the network. Raises ConfigError for one of their sizes that is not there."""
    if not config.enable_moe_block:
        return None
    for key in ("num_experts", "top_k_experts", "moe_intermediate_size"):
        if getattr(config, key) is None:
            raise ConfigError(f"{key} is not there, and enable_moe_block is true: give a number")
    return Experts(
        config.num_experts,
        at_most(config.top_k_experts, config.num_experts, "top_k_experts, num_experts"),
        config.moe_intermediate_size,
        ACTIVATIONS[config.hidden_activation],
        router="router",
    )


def describe(config: Gemma4TextConfig) -> Decoder:
    """Returns layers that differ in their window, their heads and whose keys and values they read."""
    words = kinds(config)
    duties = roles(words, config.num_kv_shared_layers)
    act = ACTIVATIONS[config.hidden_activation]
    both = config.use_bidirectional_attention == ALL
    own = config.hidden_size_per_layer_input
    widths: dict[str, Dim] = {}

    def layer(index: int, kind: str, role: str) -> Layer:
        kv_heads, d_head = heads(config, index, kind)
        if widths.setdefault(kind, d_head) != d_head:
            raise ConfigError(f"layer {index} has head_dim {d_head}, and others of its kind {widths[kind]}: one width")
        attention = Attention(
            config.num_attention_heads,
            kv_heads,
            d_head,
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=d_head,
            rotary_tables=f"rotary_emb.{kind}",
            window=config.window if kind == SLIDING else None,
            qk_norm="head",
            scaled=False,
            causal=not both,
            reach=(config.window, config.window) if both else None,
            unmasked=both,
            dropout=config.attention_dropout,
            values_norm=GAINLESS,
            values_from_keys=config.attention_k_eq_v and kind == FULL,
        )
        times = 2 if config.use_double_wide_mlp and role == BORROWING else 1
        network = Mlp(times * config.intermediate_size, act)
        whole = Gemma4Layer(attention, Lender(kind, role), network, experts(config), own, act)
        return Layer(attention, network, norm=NORM, whole=Whole(whole, gemma4_layer))

    alike: dict[Any, Layer] = {}
    layers = []
    for index, (kind, role) in enumerate(zip(words, duties, strict=True)):
        key = (kind, role) if config.per_layer_config == "" else index  # a file may give sizes of each layer
        if key not in alike:
            alike[key] = layer(index, kind, role)
        layers.append(alike[key])
    inputs = PerLayer(config.vocab_size_per_layer_input, len(words), own, NORM) if own else None
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layers),
        embedding_scaled=True,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        logits_softcap=config.final_logit_softcapping is not None,
        rotary_tables=tuple((f"rotary_emb.{kind}", width) for kind, width in widths.items()),
        middle=Middle(Gemma4Stack(duties, words, inputs), gemma4_stack),
    )


ARCHITECTURE = decoder(
    "gemma4_text",
    Gemma4TextConfig,
    describe,
    PresetFiles(__file__),
    aliases={"hidden_act": "hidden_activation"},
    classes=(CAUSAL, ALONE),
    no_cost={"expert_intermediate_size": None},
    doc="Gemma 4's language model: wider heads every sixth layer, shared keys and values, experts, layers' own inputs.",
)
