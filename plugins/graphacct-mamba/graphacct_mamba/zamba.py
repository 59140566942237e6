"""Zamba: Mamba's scans in independent heads, and before some of them one transformer block that all of these share.

Glorioso et al., 2024 (arXiv:2405.16712); names and order as in the transformers library's ZambaForCausalLM (5.23).
"""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import (
    Attention,
    Decoder,
    DecoderConfig,
    Layer,
    Mixing,
    Mlp,
    Whole,
    decoder,
)
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

from graphacct import Dim, PresetFiles, Workload, ceil_div, exact_div, fields, floor_div, frozen
from graphacct_mamba.kinds import LINEAR, kinds_of, layer_kinds
from graphacct_mamba.mixer_heads import MixerHeads, mixer_heads
from graphacct_mamba.shared_block import SharedBlock, hybrid_layer, scan_layer
from graphacct_mamba.sizes import rank as rank_of_steps
from graphacct_mamba.zamba2 import HYBRID, starred


@frozen(kw_only=True)
class ZambaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(3712)
    intermediate_size: Dim = fields.size(14848)
    num_hidden_layers: Dim = fields.size(76)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(16)
    hidden_act: str = activation("gelu")
    hidden_mamba_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(4096)
    tie_word_embeddings: bool = fields.flag(True)
    attention_hidden_size: Dim | None = fields.optional_size()
    layer_types: tuple[str, ...] | None = layer_kinds(LINEAR, HYBRID)
    attn_layer_period: int = fields.size(6)
    attn_layer_offset: int = fields.size(4, minimum=0)
    n_mamba_heads: int = fields.size(2)
    mamba_d_state: Dim = fields.size(16)
    mamba_d_conv: Dim = fields.size(4)
    mamba_expand: Dim = fields.size(2)
    mamba_dt_rank: Dim | None = rank_of_steps()
    mamba_conv_bias: bool = fields.flag(True)
    mamba_proj_bias: bool = fields.flag(False)

    @property
    def d_head(self) -> Dim:
        """The width of a head: of two streams divided by the heads, rounded down, unless stated."""
        return floor_div(2 * self.hidden_size, self.num_attention_heads) if self.head_dim is None else self.head_dim

    @property
    def rank(self) -> Dim:
        """The width from which time steps are computed."""
        return ceil_div(self.hidden_size, 16) if self.mamba_dt_rank is None else self.mamba_dt_rank

    def usual(self, index: int) -> str:
        """Returns a layer's kind unless the file lists them: the third has the shared block, then one in a period."""
        if index < 3:
            return HYBRID if index == 2 else LINEAR
        return HYBRID if (index - 3) % self.attn_layer_period == self.attn_layer_offset else LINEAR


def describe(config: ZambaConfig) -> Decoder:
    """Returns layers with a scan, some of them with the shared block before it, whose weights the first of them has.
    As in the library, `tie_word_embeddings: false` gives each of them its own."""
    inner = config.mamba_expand * config.hidden_size
    scan = MixerHeads(
        config.n_mamba_heads,
        exact_div(inner, config.n_mamba_heads, "mamba_expand hidden_size / n_mamba_heads"),
        config.mamba_d_state,
        config.rank,
        config.mamba_d_conv,
        ACTIVATIONS[config.hidden_mamba_act],
        config.mamba_proj_bias,
        config.mamba_conv_bias,
    )
    attention = Attention(config.num_attention_heads, config.kv_heads, config.d_head, dropout=config.attention_dropout)
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    mix = Mixing("mamba", scan, mixer_heads)
    kinds = kinds_of(config.layer_types, config.num_hidden_layers, config.usual)
    hybrids = [index for index, kind in enumerate(kinds) if kind == HYBRID]

    def layer(index: int, kind: str) -> Layer:
        if kind != HYBRID:
            return Layer(mix, network, whole=Whole(mix, scan_layer))
        place = hybrids.index(index)
        owner = "" if place == 0 or not config.tie_word_embeddings else f"layers.{starred(hybrids[0])}"
        headed = config.ending != ALONE
        shared = SharedBlock(attention, network, mix, "shared_transf", place, (), 0, False, owner, headed)
        return Layer(attention, network, whole=Whole(shared, hybrid_layer))

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layer(index, kind) for index, kind in enumerate(kinds)),
        embedding_given=bool(hybrids),
        norm="final_layernorm",
        tied=config.tie_word_embeddings,
    )


def inexact(config: ZambaConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors."""
    return ("saved tensors of scans in heads were not measured",) if workload.phase == "train" else ()


ARCHITECTURE = decoder(
    "zamba",
    ZambaConfig,
    describe,
    PresetFiles(__file__),
    aliases={"layers_block_type": "layer_types", "attention_head_dim": "head_dim"},
    classes=(CAUSAL, ALONE, SEQUENCE),
    inexact=inexact,
    no_cost=dict.fromkeys(
        (
            *("time_step_min", "time_step_max", "time_step_floor", "use_mamba_kernels", "use_associative_scan"),
            *("num_logits_to_keep", "calc_logits_for_entire_prompt", "attention_hidden_size"),
        )
    ),
    doc="Zamba: Mamba's scans in heads, and before some a transformer block that layers share.",
)
