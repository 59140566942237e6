"""GPT-Neo: GPT-2 with every other layer's attention local, and scores that are not scaled.

Black et al., 2021 (doi:10.5281/zenodo.5297715).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder, whole, written_out_alone
from graphacct_architectures.heads import HeadConfig
from graphacct_architectures.losses import cross_entropy

NORM = Norm(LAYER_NORM, bias=True)
GLOBAL, LOCAL = "global", "local"
MOST_LAYERS = 2**16
"""The most layers whose kinds are listed one by one."""


def attention_types() -> Any:
    """Returns the kinds of attention: pairs of a list of kinds and its number of repeats, as `[[["global", "local"],
    12]]`."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if isinstance(value, tuple) and all(item in (GLOBAL, LOCAL) for item in value):
            return value  # a configuration made from another one
        kinds: list[str] = []
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if not isinstance(item, (list, tuple)) or len(item) != 2 or not isinstance(item[0], (list, tuple)):
                raise ConfigError(
                    f"{field.name} has {brief(item)}: it lists pairs such as [['{GLOBAL}', '{LOCAL}'], 12]"
                )
            names, times = item
            if type(times) is not int or not 0 < times * max(1, len(names)) <= MOST_LAYERS:
                raise ConfigError(f"{field.name} repeats {brief(names)} {brief(times)} times, not 1 to {MOST_LAYERS}")
            for name in names:
                if name not in (GLOBAL, LOCAL):
                    raise ConfigError(f"{field.name} has {brief(name)}: the kinds are {GLOBAL} and {LOCAL}")
            kinds += [*names] * times
        return tuple(kinds)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class GPTNeoConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50257)
    max_position_embeddings: Dim = fields.size(2048)
    hidden_size: Dim = fields.size(2048)
    num_layers: Dim = fields.size(24)
    attention_types: tuple[str, ...] | None = attention_types()
    num_heads: Dim = fields.size(16)
    intermediate_size: Dim | None = fields.optional_size()
    window_size: Dim = fields.size(256)
    activation_function: str = activation("gelu_new")
    resid_dropout: float = fields.probability(0.0)
    embed_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: GPTNeoConfig) -> Decoder:
    """Returns layers of the kinds in `attention_types`, or global and local ones in turn.

    A local layer's cache holds all tokens, as the transformers library's does, and its mask has the window.
    """
    layers = whole(config.num_layers, "num_layers")
    kinds = config.attention_types
    if kinds is None:
        kinds = tuple((GLOBAL, LOCAL)[i % 2] for i in range(layers))
    elif len(kinds) != layers:
        raise ConfigError(f"attention_types has {len(kinds)} layers and num_layers is {layers}: make them the same")
    each = {kind: layer(config, config.window_size if kind == LOCAL else None) for kind in (GLOBAL, LOCAL)}
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(each[kind] for kind in kinds),
        module="transformer",
        embedding="wte",
        positions=Positions("wpe", config.max_position_embeddings),
        most_positions=("max_position_embeddings", config.max_position_embeddings),
        stack="h",
        norm="ln_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        embedding_dropout=config.embed_dropout,
    )


def layer(config: GPTNeoConfig, window: Dim | None) -> Layer:
    """Returns a layer whose attention sees `window` positions, or all; its scores are in float32 in every dtype."""
    width = config.hidden_size
    return Layer(
        Attention(
            config.num_heads,
            config.num_heads,
            exact_div(width, config.num_heads, "hidden_size / num_heads"),
            module="attn.attention",
            out="out_proj",
            out_bias=True,
            window=window,
            window_stored=True,
            window_cached=False,
            scaled=False,
            upcast="scores",
            dropout=config.attention_dropout,
        ),
        Mlp(
            4 * width if config.intermediate_size is None else config.intermediate_size,
            ACTIVATIONS[config.activation_function],
            gated=False,
            up="c_fc",
            down="c_proj",
            bias=True,
        ),
        NORM,
        attention_norm="ln_1",
        mlp_norm="ln_2",
        dropout=config.resid_dropout,
    )


ARCHITECTURE = decoder(
    "gpt_neo",
    GPTNeoConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"num_attention_heads": "num_heads", "num_hidden_layers": "num_layers"},
    translated=("num_attention_heads", "num_hidden_layers"),
    dtype="float32",
    tokens="classifier",
    no_cost={"attention_layers": None},
    token_loss=cross_entropy,
    doc="GPT-Neo: learned positions, LayerNorm, global and local attention in turn, scores not scaled.",
)
