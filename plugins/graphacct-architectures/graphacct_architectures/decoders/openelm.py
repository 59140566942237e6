"""OpenELM: heads and networks that widen from layer to layer, a joint projection, normed queries and keys.

Mehta et al., 2024 (arXiv:2404.14619). The class stands in the models' own repositories (`modeling_openelm.py`), not in
the transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.heads import ALONE, CAUSAL, HeadConfig


def numbers(kind: type | tuple[type, ...]) -> Any:
    """Returns a list of positive numbers, one for each layer; an empty one if it is left out."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Any, ...]:
        if value == ():
            return ()
        good = isinstance(value, (list, tuple)) and value
        if not good or any(not _positive(item, kind) for item in value):
            raise ConfigError(f"{field.name} is a list of positive numbers, one a layer, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, (), metadata=fields.SIZED)


def multipliers() -> Any:
    """Returns a number or a list of numbers, which heads are computed from if they are not listed."""
    return fields.checked_field(lambda value, field: tuple(value) if isinstance(value, list) else value, 1.0)


def _positive(item: Any, kind: Any) -> bool:
    return isinstance(item, kind) and not isinstance(item, bool) and bool(item > 0)


@frozen(kw_only=True)
class OpenELMConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on. Published files list the heads and the networks'
    multipliers of all layers; without the lists, the class gives every layer what its defaults are."""

    vocab_size: Dim = fields.size(32000)
    max_context_length: Dim = fields.size(2048)
    num_transformer_layers: int = fields.size(12)
    model_dim: Dim = fields.size(2048)
    head_dim: Dim = fields.size(128)
    num_query_heads: tuple[int, ...] = numbers(int)
    num_kv_heads: tuple[int, ...] = numbers(int)
    qkv_multipliers: Any = multipliers()
    num_gqa_groups: Dim = fields.size(1)
    ffn_multipliers: tuple[float, ...] = numbers((int, float))
    ffn_dim_divisor: int = fields.size(256)
    ffn_with_glu: bool = fields.flag(True)
    normalize_qk_projections: bool = fields.flag(True)
    share_input_output_layers: bool = fields.flag(True)
    activation_fn_name: str = activation("swish")
    normalization_layer_name: str = fields.choice("rms_norm", ("rms_norm",))
    rope_parameters: Any = rope_parameters()
    dtype: str | None = fields.dtype()

    def of_each(self, key: str) -> tuple[Any, ...]:
        """Returns a list's values. Raises ConfigError if they are not as many as layers."""
        given, count = getattr(self, key) or self.usual(key), self.num_transformer_layers
        if len(given) != count:
            raise ConfigError(f"{key} has {len(given)} numbers, num_transformer_layers is {count}: they have to agree")
        return tuple(given)

    def usual(self, key: str) -> tuple[Any, ...]:
        """Returns the values of a list that is left out: four times the width, and as many heads as fill it."""
        if key == "ffn_multipliers":
            return (4.0,) * self.num_transformer_layers
        if (self.qkv_multipliers, self.num_gqa_groups) != (1.0, 1) or self.num_query_heads or self.num_kv_heads:
            raise ConfigError(f"{key} is left out: list it, one number a layer, as published files do")
        return (exact_div(self.model_dim, self.head_dim, "model_dim / head_dim"),) * self.num_transformer_layers


def divisible(width: Any, divisor: int) -> int:
    """Returns a width as a multiple of `divisor`: the nearest, at least one, and not below nine tenths of it."""
    found = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * width else found


def describe(config: OpenELMConfig) -> Decoder:
    """Returns layers that differ in their heads and in their networks."""

    def layer(heads: int, shared: int, times: float) -> Layer:
        exact_div(heads, shared, "num_query_heads / num_kv_heads")
        attention = Attention(
            heads,
            shared,
            config.head_dim,
            module="attn",
            joint="qkv_proj",
            out="out_proj",
            rotary=config.head_dim,
            qk_norm="head" if config.normalize_qk_projections else "",
        )
        width = divisible(times * config.model_dim, config.ffn_dim_divisor)
        operator = ACTIVATIONS[config.activation_fn_name]
        names = {"joint": "proj_1"} if config.ffn_with_glu else {"up": "proj_1", "gated": False}
        network = Mlp(width, operator, module="ffn", down="proj_2", **names)
        return Layer(attention, network, attention_norm="attn_norm", mlp_norm="ffn_norm")

    keys = ("num_query_heads", "num_kv_heads", "ffn_multipliers")
    return Decoder(
        config.vocab_size,
        config.model_dim,
        tuple(layer(*each) for each in zip(*map(config.of_each, keys), strict=True)),
        module="transformer",
        embedding="token_embeddings",
        tied=config.share_input_output_layers,
        rotary_tables=(("rotary_emb", config.head_dim),),
    )


ARCHITECTURE = decoder(
    "openelm",
    OpenELMConfig,
    describe,
    PresetFiles(__file__),
    context=lambda config: config.max_context_length,
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(("rope_freq_constant", "rope_max_length", "initializer_range")),
    doc="OpenELM: heads and networks that widen from layer to layer.",
)
