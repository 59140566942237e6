"""LFM2: short gated convolutions, and attention with normalized heads in some layers.

Liquid AI, "LFM2 Technical Report", 2025 (arXiv:2511.23404).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct_architectures.decoders import (
    Attention,
    Decoder,
    DecoderConfig,
    FeedForward,
    Layer,
    Mixing,
    Mlp,
    decoder,
)
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import Dim, PresetFiles, ceil_div, fields, frozen
from graphacct_mamba.kinds import CONVOLUTION, FULL, kinds_of, layer_kinds
from graphacct_mamba.short_convolution import ShortConvolution, short_convolution
from graphacct_mamba.sizes import indices, multiplier

CLASSES = (CAUSAL, ALONE)
BOTH_WAYS = "Lfm2BidirectionalModel"


@frozen(kw_only=True)
class Lfm2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on. Embedding models' class sees the whole text; it
    stands in their own repositories (`modeling_lfm2_bidirectional.py`)."""

    also_alone: ClassVar[tuple[str, ...]] = (BOTH_WAYS,)
    vocab_size: Dim = fields.size(65536)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(12288)
    num_key_value_heads: Dim | None = fields.size(8)
    max_position_embeddings: Dim = fields.size(128_000)
    tie_word_embeddings: bool = fields.flag(True)
    conv_bias: bool = fields.flag(False)
    conv_L_cache: Dim = fields.size(3)
    block_auto_adjust_ff_dim: bool = fields.flag(True)
    block_multiple_of: Dim = fields.switched_size(256, "block_auto_adjust_ff_dim")
    block_ffn_dim_multiplier: float | None = multiplier(1.0)
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, CONVOLUTION)
    full_attn_idxs: tuple[int, ...] | None = indices()

    @property
    def hidden_layer(self) -> Dim:
        """The width of a network's hidden layer: two thirds of the stated one, rounded up to a multiple."""
        width = self.intermediate_size
        if not self.block_auto_adjust_ff_dim:
            return width
        width = 2 * width // 3
        if self.block_ffn_dim_multiplier is None:
            return width
        if self.block_ffn_dim_multiplier != 1:
            width = int(self.block_ffn_dim_multiplier * width)
        return self.block_multiple_of * ceil_div(width, self.block_multiple_of)


def mixed(config: Any, kind: str, network: FeedForward) -> Layer:
    """Returns a layer with attention or a convolution."""
    wide = config.architectures == BOTH_WAYS
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        out="out_proj",
        rotary=config.d_head,
        qk_norm="head",
        qk_norm_names=("q_layernorm", "k_layernorm"),
        causal=not wide,
        unmasked=wide,
    )
    short = Mixing("conv", ShortConvolution(config.conv_L_cache, config.conv_bias, wide), short_convolution)
    return Layer(attention if kind == FULL else short, network, attention_norm="operator_norm", mlp_norm="ffn_norm")


def network(width: Dim) -> Mlp:
    """Returns a gated network under the names of this family."""
    return Mlp(width, "silu", module="feed_forward", gate="w1", up="w3", down="w2")


def lfm2(config: Any, layers: tuple[Layer, ...]) -> Decoder:
    """Returns the decoder around the layers."""
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        norm="embedding_norm",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


def describe(config: Lfm2Config) -> Decoder:
    """Returns layers with a convolution, except those with attention, which are listed; without any list all have
    attention."""

    def usual(index: int) -> str:
        return FULL if config.full_attn_idxs is None or index in config.full_attn_idxs else CONVOLUTION

    kinds = kinds_of(config.layer_types, config.num_hidden_layers, usual)
    return lfm2(config, tuple(mixed(config, kind, network(config.hidden_layer)) for kind in kinds))


ALIASES = {"tie_embedding": "tie_word_embeddings", "block_ff_dim": "intermediate_size"}
ARCHITECTURE = decoder(
    "lfm2",
    Lfm2Config,
    describe,
    PresetFiles(__file__),
    aliases=ALIASES,
    translated=ALIASES,
    classes=CLASSES,
    no_cost=dict.fromkeys(
        (
            *("block_dim", "block_mlp_init_scale", "block_norm_eps", "block_out_init_scale", "block_use_swiglu"),
            *("block_use_xavier_init", "conv_dim", "conv_dim_out", "conv_use_xavier_init", "use_pos_enc", "theta"),
        )
    ),
    doc="LFM2: short gated convolutions, attention with normalized heads in some layers.",
)
