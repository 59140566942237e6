"""DeepSeek-V4: streams between hyper-connections, attention to a window of tokens and to entries that stand for several
each, experts chosen by a table in the first layers.

DeepSeek-AI, "DeepSeek-V4", 2026; names and order as in the transformers library's DeepseekV4ForCausalLM. As there,
every score is computed, and those of entries that the indexer did not choose are masked. The module that predicts a
second token is not in the library's class and is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.compressed import Chooser, Compressed, compressed_attention
from graphacct_architectures.decoders.parts.compressor import Compressor
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    disagreeing,
    number,
    whole,
    written_out_alone,
)
from graphacct_architectures.decoders.parts.hyper import StreamLayer, Streams, stream_layer, stream_stack
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.decoders.parts.router import SIGMOID, SQRT_SOFTPLUS
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.heads import ALONE, CAUSAL

WINDOW, SPARSE, HEAVY = "sliding_attention", "compressed_sparse_attention", "heavily_compressed_attention"
KINDS = {0: WINDOW, 4: SPARSE, 128: HEAVY}
"""The kinds of attention, by the number for each in older files."""
HASHED, ROUTED = "hash_moe", "moe"
MAIN, COMPRESS = "main", "compress"
"""The kinds of rotary settings: of layers with a window alone, and of all others."""
SCORES = {"sqrtsoftplus": SQRT_SOFTPLUS, "sigmoid": SIGMOID}
NORM = Norm(upcast="all", stored_wide=True)


def listed(kinds: Sequence[Any]) -> Any:
    """Returns a list of which each item is one of `kinds`, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Any, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{field.name} is a list, one item for each layer, not {brief(value)}")
        for item in value:
            if isinstance(item, bool) or item not in kinds:
                raise ConfigError(f"{field.name} has {brief(item)}; known: {', '.join(map(str, kinds))}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def compress_rates() -> Any:
    """Returns how many tokens an entry stands for, by the kind of attention, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, int] | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object of a rate for each kind of attention, not {brief(value)}")
        for key, rate in value.items():
            if key in (SPARSE, HEAVY) and (type(rate) is not int or rate < 1):
                raise ConfigError(f"{field.name} has {key} {brief(rate)}, which is no number of tokens")
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class DeepseekV4Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on. Older files have `compress_ratios`,
    `compress_rate_csa`, `compress_rate_hca`, `num_hash_layers` and `qk_rope_head_dim` in place of lists and shares."""

    vocab_size: Dim = fields.size(129280)
    intermediate_size: Dim | None = fields.optional_size()  # another name of the next one, which wins
    moe_intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(43)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(1)
    head_dim: Dim = fields.size(512)
    q_lora_rank: Dim = fields.size(1024)
    max_position_embeddings: Dim = fields.size(1048576)
    num_experts_per_tok: Dim = fields.size(6)
    n_routed_experts: Dim = fields.size(256)
    scoring_func: str = fields.choice("sqrtsoftplus", tuple(SCORES))
    layer_types: tuple[str, ...] | None = listed(tuple(KINDS.values()))
    compress_ratios: tuple[int, ...] | None = listed(tuple(KINDS))
    compress_rates: Mapping[str, int] | None = compress_rates()
    compress_rate_csa: Dim | None = fields.optional_size()
    compress_rate_hca: Dim | None = fields.optional_size()
    hc_mult: Dim = fields.size(4)
    hc_sinkhorn_iters: Dim = fields.size(20)
    mlp_layer_types: tuple[str, ...] | None = listed((HASHED, ROUTED))
    num_hash_layers: Dim = fields.size(3, minimum=0)
    sliding_window: Dim = fields.size(128)
    o_groups: Dim = fields.size(8)
    o_lora_rank: Dim = fields.size(1024)
    index_n_heads: Dim = fields.size(64)
    index_head_dim: Dim = fields.size(128)
    index_topk: Dim = fields.size(512)
    rope_parameters: Mapping[str, Any] = rope_parameters(layers=(MAIN, COMPRESS))
    partial_rotary_factor: float | None = number(None)
    qk_rope_head_dim: Dim | None = fields.optional_size()
    mlp_bias: bool = fields.flag(False)


def describe(config: DeepseekV4Config) -> Decoder:
    """Returns streams between layers whose attention and experts are of the kinds that the file lists."""
    streams = Streams(
        whole(config.hc_mult, "hc_mult"),
        whole(config.hc_sinkhorn_iters, "hc_sinkhorn_iters"),
        tokens=HASHED in networks(config),
    )
    layers = tuple(
        map(lambda word, network: layer(config, streams, word, network), attentions(config), networks(config))
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        config.num_hidden_layers,
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        rotary_tables=tuple((word, rotated(config, word)) for word in (MAIN, COMPRESS)),
        rotary_halves=True,
        middle=Middle(streams, stream_stack),
    )


def attentions(config: DeepseekV4Config) -> tuple[str, ...]:
    """Returns the kind of each layer's attention. Files may list further layers, which predict more tokens."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    given = config.layer_types
    if given is None and config.compress_ratios is not None:
        given = tuple(KINDS[ratio] for ratio in config.compress_ratios)
    if given is None:
        return tuple(SPARSE if i > 1 and i % 2 else HEAVY for i in range(count))
    if len(given) < count:
        raise disagreeing(len(given), count)
    return given[:count]


def networks(config: DeepseekV4Config) -> tuple[str, ...]:
    """Returns how each layer's experts are chosen."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    given = config.mlp_layer_types
    if given is None:
        hashed = whole(config.num_hash_layers, "num_hash_layers")
        return tuple(HASHED if i < hashed else ROUTED for i in range(count))
    if len(given) < count:
        raise ConfigError(
            f"mlp_layer_types names {len(given)} layers, num_hidden_layers is {count}: they have to agree"
        )
    return given[:count]


def layer(config: DeepseekV4Config, streams: Streams, word: str, network: str) -> Layer:
    """Returns one layer of a kind of attention and a kind of experts."""
    settings = MAIN if word == WINDOW else COMPRESS
    attention = Attention(
        config.num_attention_heads,
        1,
        config.head_dim,
        rotary=rotated(config, settings),
        rotary_tables=settings,
        window=config.sliding_window,
        upcast="",
        sinks=True,
        sinks_wide=True,
        masked=True,
        dropout=config.attention_dropout,
    )
    c = Compressed(attention, config.q_lora_rank, whole(config.o_groups, "o_groups"), config.o_lora_rank)
    if word != WINDOW:
        entries = Compressor(rate(config, word), config.head_dim, attention.rotary, word == SPARSE, NORM)
        c = attrs.evolve(c, compressor=entries)
        if word == SPARSE:
            keys = attrs.evolve(entries, width=config.index_head_dim, graded=False)
            c = attrs.evolve(c, chooser=Chooser(config.index_n_heads, keys, config.index_topk))
    experts = experts_of(config, hashed=network == HASHED)
    return Layer(
        attention,
        experts,
        NORM,
        whole=Whole(StreamLayer(streams, c, compressed_attention, experts, NORM), stream_layer),
    )


def experts_of(config: DeepseekV4Config, *, hashed: bool) -> Experts:
    """Returns the experts, chosen by a table or by their scores with a correction, and one that all tokens have."""
    activation = ACTIVATIONS[config.hidden_act]
    width = config.moe_intermediate_size if config.intermediate_size is None else config.intermediate_size
    return Experts(
        config.n_routed_experts,
        at_most(config.num_experts_per_tok, config.n_routed_experts, "num_experts_per_tok, n_routed_experts"),
        width,
        activation,
        scoring=SCORES[config.scoring_func],
        normalised=True,
        above_zero="shift",
        scaled=True,
        correction=not hashed,
        hashed=config.vocab_size if hashed else None,
        cut_first=True,
        shared=Mlp(width, activation, module="shared_experts", bias=config.mlp_bias, cut_first=True),
    )


def rate(config: DeepseekV4Config, word: str) -> int:
    """Returns how many tokens an entry stands for."""
    own = config.compress_rate_csa if word == SPARSE else config.compress_rate_hca
    if own is not None:
        return whole(own, "compress_rate_csa" if word == SPARSE else "compress_rate_hca")
    usual = next(number for number, kind in KINDS.items() if kind == word)
    if config.compress_rates is None:
        return usual
    if word not in config.compress_rates:
        raise ConfigError(f"compress_rates has no {word}, which layers of this model have")
    return config.compress_rates[word]


def rotated(config: DeepseekV4Config, word: str) -> Dim:
    """Returns how many dimensions of a head are rotated in layers with one kind of rotary settings."""
    settings = config.rope_parameters
    share = config.partial_rotary_factor
    if all(isinstance(settings.get(key), Mapping) for key in (MAIN, COMPRESS)):
        share = settings[word].get("partial_rotary_factor", 1.0)
    elif share is None and config.qk_rope_head_dim is not None:
        return checked(config, config.qk_rope_head_dim)
    elif share is None:
        share = 64 / 512
    width = whole_width(config.head_dim)
    return checked(config, int(width * share))


def whole_width(width: Dim) -> int:
    """Returns a head's width as an int, of which a share is rotated."""
    if type(width) is not int:
        raise ConfigError(f"head_dim is {width}: give a number, a share of its dimensions is rotated")
    return width


def checked(config: DeepseekV4Config, width: Dim) -> Dim:
    """Returns the number of rotated dimensions. Raises ConfigError if it is odd, or more than a head has."""
    least = min(whole_width(config.head_dim), whole_width(config.index_head_dim))
    if has_value(width) and (width % 2 or not 0 < width <= least):
        raise ConfigError(
            f"{width} dimensions of a head are rotated, by partial_rotary_factor or qk_rope_head_dim: an even number, "
            f"at most head_dim {config.head_dim} and index_head_dim {config.index_head_dim}"
        )
    return width


ARCHITECTURE = decoder(
    "deepseek_v4",
    DeepseekV4Config,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={
        "compress_rope_theta": None,
        "hc_eps": None,
        "swiglu_limit": None,
        "expert_dtype": None,  # read with the weights' format
        "norm_topk_prob": None,
        "n_shared_experts": None,
        "num_nextn_predict_layers": None,
        "routed_scaling_factor": None,
        "topk_method": ("noaux_tc",),
        "attention_bias": None,
        "router_jitter_noise": None,
    },
    doc="DeepSeek-V4: streams between hyper-connections, a window and entries that stand for several tokens each.",
)
