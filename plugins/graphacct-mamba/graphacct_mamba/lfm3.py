"""LFM3: LFM2's short convolutions, attention with a gate of each head and windows in some layers, norms around each
part.

Liquid AI, "LFM3", 2026; names and order as in the transformers library's Lfm3ForCausalLM.
"""

from __future__ import annotations

import attrs
from graphacct_architectures.decoders import Attention, Decoder, DecoderConfig, Layer, Mixing, decoder

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_mamba.kinds import CONVOLUTION, FULL, kinds_of, layer_kinds
from graphacct_mamba.lfm2 import CLASSES, lfm2, network
from graphacct_mamba.short_convolution import ShortConvolution, short_convolution

SLIDING = "sliding_attention"


@frozen(kw_only=True)
class Lfm3Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128_000)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(7680)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.size(4)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(128_000)
    tie_word_embeddings: bool = fields.flag(True)
    conv_bias: bool = fields.flag(False)
    conv_L_cache: Dim = fields.size(7)
    sliding_window: Dim | None = fields.size(256)
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, SLIDING, CONVOLUTION)
    use_sandwich_norm: bool = fields.flag(True)
    use_attention_gate: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)


def usual(index: int) -> str:
    """Returns the kind of a layer of which the file does not say it."""
    if index % 4 == 2:
        return FULL
    return SLIDING if index and index % 4 == 0 else CONVOLUTION


def describe(config: Lfm3Config) -> Decoder:
    """Returns layers with a convolution, or attention over all positions or a window."""
    kinds = kinds_of(config.layer_types, config.num_hidden_layers, usual)
    if SLIDING in kinds and config.sliding_window is None:
        raise ConfigError(f"layer {kinds.index(SLIDING)} has {SLIDING}, but sliding_window is not there")
    short = Mixing("conv", ShortConvolution(config.conv_L_cache, config.conv_bias), short_convolution)
    after = ("post_operator_norm", "post_ffn_norm") if config.use_sandwich_norm else ("", "")

    def layer(kind: str) -> Layer:
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
            gate="g_proj" if config.use_attention_gate else "",
            gate_per_head=True,
            dropout=config.attention_dropout,
        )
        part = short if kind == CONVOLUTION else attention
        return Layer(
            part,
            network(config.intermediate_size),
            attention_norm="operator_norm",
            attention_post_norm=after[0],
            mlp_norm="ffn_norm",
            mlp_post_norm=after[1],
        )

    tables = tuple((f"rotary_emb.{kind}", config.d_head) for kind in (FULL, SLIDING) if kind in kinds)
    return attrs.evolve(lfm2(config, tuple(map(layer, kinds))), rotary_tables=tables, rotary_cast=False)


ARCHITECTURE = decoder(
    "lfm3",
    Lfm3Config,
    describe,
    PresetFiles(__file__),
    classes=CLASSES,
    no_cost={"norm_eps": None, "theta": None},
    doc="LFM3: short gated convolutions, gated attention with windows in some layers, norms around each part.",
)
