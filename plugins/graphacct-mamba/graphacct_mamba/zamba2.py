"""Zamba2: Mamba-2's scans, and before some of them a transformer block that several layers share.

Glorioso et al., "The Zamba2 Suite", 2024 (arXiv:2411.15242).
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Attention, Decoder, DecoderConfig, Layer, Mixing, Mlp, Whole, decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen, has_value
from graphacct_mamba.hybrid import SCAN_NO_COST, of_the_chunks
from graphacct_mamba.kinds import LINEAR, kinds_of, layer_kinds
from graphacct_mamba.scan_heads import ScanHeads, scan_heads
from graphacct_mamba.shared_block import SharedBlock, hybrid_layer, scan_layer

HYBRID = "hybrid"
USUAL = (LINEAR, *((LINEAR,) * 5 + (HYBRID,)) * 7, *(LINEAR,) * 4, HYBRID, *(LINEAR,) * 3, HYBRID, LINEAR, LINEAR)
"""The kinds of the class's own 54 layers."""


@frozen(kw_only=True)
class Zamba2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim | None = fields.optional_size()
    num_hidden_layers: Dim = fields.size(54)
    layer_types: tuple[str, ...] | None = layer_kinds(LINEAR, HYBRID)
    hidden_act: str = activation("gelu")
    max_position_embeddings: Dim = fields.size(4096)
    use_long_context: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)
    attention_hidden_size: Dim | None = fields.optional_size()
    mamba_d_state: Dim = fields.size(64)
    mamba_d_conv: Dim = fields.size(4)
    mamba_expand: Dim = fields.size(2)
    mamba_ngroups: Dim = fields.size(1)
    mamba_headdim: Dim | None = fields.optional_size()
    n_mamba_heads: Dim = fields.size(8)
    chunk_size: Dim = fields.size(256)
    add_bias_linear: bool = fields.flag(False)
    num_mem_blocks: int = fields.size(1)
    use_shared_attention_adapter: bool = fields.flag(False)
    adapter_rank: Dim = fields.size(128)
    use_mem_rope: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        stated = self.attention_hidden_size
        if has_value(stated) and has_value(self.hidden_size) and stated != 2 * self.hidden_size:
            raise ConfigError(f"attention_hidden_size is {stated}: attention reads two streams of {self.hidden_size}")
        inner, heads = self.mamba_expand * self.hidden_size, self.n_mamba_heads * self.scan_width
        if has_value(inner) and has_value(heads) and inner != heads:
            raise ConfigError(f"the scan has {inner} channels, but n_mamba_heads times mamba_headdim is {heads}")
        exact_div(self.n_mamba_heads, self.mamba_ngroups, "n_mamba_heads / mamba_ngroups")
        widths = (self.num_attention_heads * self.d_head, self.kv_heads * self.d_head, 2 * self.hidden_size)
        if self.use_shared_attention_adapter and len({width for width in widths if has_value(width)}) > 1:
            raise ConfigError(
                "use_shared_attention_adapter is true: queries, keys and values then have the width of two streams, "
                f"not {widths[0]} and {widths[1]}"
            )

    @property
    def d_head(self) -> Dim:
        """The width of a head: of two streams divided by the heads, unless stated."""
        if self.head_dim is not None:
            return self.head_dim
        return exact_div(2 * self.hidden_size, self.num_attention_heads, "2 hidden_size / num_attention_heads")

    @property
    def scan_width(self) -> Dim:
        """Channels of a head of a scan."""
        if self.mamba_headdim is not None:
            return self.mamba_headdim
        return exact_div(self.mamba_expand * self.hidden_size, self.n_mamba_heads, "channels / n_mamba_heads")


def describe(config: Zamba2Config) -> Decoder:
    """Returns layers with a scan, some of them with a shared block before it. `num_mem_blocks` blocks take turns: the
    first of each has the weights, and adapters for all its layers, of which each layer uses its own."""
    scan = ScanHeads(
        config.n_mamba_heads,
        config.scan_width,
        config.mamba_ngroups,
        config.mamba_d_state,
        config.mamba_d_conv,
        config.chunk_size,
        "silu",
        bias=config.add_bias_linear,
        out_bias=config.add_bias_linear,
    )
    rotary = config.d_head if config.use_mem_rope else 0
    attention = Attention(
        config.num_attention_heads, config.kv_heads, config.d_head, rotary=rotary, dropout=config.attention_dropout
    )
    width = 4 * config.hidden_size if config.intermediate_size is None else config.intermediate_size
    network = Mlp(width, ACTIVATIONS[config.hidden_act], joint="gate_up_proj", bias=config.add_bias_linear)
    mix = Mixing("mamba", scan, scan_heads)
    kinds = kinds_of(config.layer_types, config.num_hidden_layers, usual(config))
    hybrids = [index for index, kind in enumerate(kinds) if kind == HYBRID]

    def layer(index: int, kind: str) -> Layer:
        if kind != HYBRID:
            return Layer(mix, network, whole=Whole(mix, scan_layer))
        place = hybrids.index(index)
        block = place % config.num_mem_blocks
        shared = SharedBlock(
            attention,
            network,
            mix,
            "shared_transformer",
            place,
            tuple(range(block, len(hybrids), config.num_mem_blocks)),
            config.adapter_rank,
            config.use_shared_attention_adapter,
            "" if place == block else f"layers.{starred(hybrids[block])}",
            config.ending != ALONE,
        )
        return Layer(attention, network, whole=Whole(shared, hybrid_layer))

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layer(index, kind) for index, kind in enumerate(kinds)),
        embedding_given=bool(hybrids),
        norm="final_layernorm",
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary),),
    )


def starred(index: int) -> str:
    """Returns the index of a layer in the path of a block that has it alone."""
    return f"*+{index}" if index else "*"


def usual(config: Zamba2Config) -> Any:
    """Returns each layer's kind by its index. Raises ConfigError if there are not as many layers as the class lists."""
    count = config.num_hidden_layers
    if config.layer_types is None and count != len(USUAL):
        raise ConfigError(f"num_hidden_layers is {count}, and layers_block_type is not there: list each layer's kind")
    return USUAL.__getitem__


ARCHITECTURE = decoder(
    "zamba2",
    Zamba2Config,
    describe,
    PresetFiles(__file__),
    aliases={"layers_block_type": "layer_types", "attention_head_dim": "head_dim"},
    classes=(CAUSAL, ALONE, SEQUENCE),
    context=lambda config: 16384 if config.use_long_context else config.max_position_embeddings,
    no_cost=dict.fromkeys(
        [
            *SCAN_NO_COST,
            "hybrid_layer_ids",
            "kv_channels",
            "num_query_groups",
            "time_step_floor",
            "use_conv_bias",
            "use_mem_eff_path",
        ]
    ),
    inexact=of_the_chunks,
    doc="Zamba2: Mamba-2's scans, and before some a transformer block that layers share.",
)
