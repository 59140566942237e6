"""Zamba: Mamba's scans in independent heads, and before some of them one transformer block that all of these share.

Glorioso et al., 2024 (arXiv:2405.16712); names and order as in the transformers library's ZambaForCausalLM (5.23).
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import (
    EMBEDDING,
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
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear, norm

from graphacct import Builder, Dim, PresetFiles, Value, Workload, ceil_div, exact_div, fields, floor_div, frozen
from graphacct_mamba.kinds import LINEAR, kinds_of, layer_kinds
from graphacct_mamba.mixer_heads import MixerHeads, mixer_heads
from graphacct_mamba.shared_block import SharedBlock, shared_attention, shared_linear, shared_norm
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


def scan_layer(s: MixerHeads, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after a layer with a scan alone."""
    y = norm(b, "input_layernorm", x, "rms_norm")
    with b.scope("mamba"):
        y = mixer_heads(s, workload, b, y)
    return b.apply("add", x, y, name="residual")


def hybrid_layer(s: SharedBlock, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after a layer with the shared block: the scan reads the stream plus the block's output."""
    width = x.spec.shape[-1]
    with b.scope("shared_transf"):
        both = b.apply("concat", x, tables[EMBEDDING], name="with_embedding", dim=-1)
        both = shared_norm(s, b, "input_layernorm", both)
        with b.scope("self_attn"):
            y = shared_attention(s, workload, b, both, width, tables)
        y = shared_norm(s, b, "pre_ff_layernorm", y)
        with b.scope("feed_forward"):
            gate = shared_linear(s, b, "feed_forward", "gate_proj", y, s.network.width)
            gate = activated(b, s.network.activation, gate)
            up = shared_linear(s, b, "feed_forward", "up_proj", y, s.network.width)
            y = shared_linear(s, b, "feed_forward", "down_proj", b.apply("mul", gate, up, name="gated"), width)
    y = linear(b, "linear", y, width, bias=False)
    with b.scope("mamba_decoder"):
        y = b.apply("add", x, y, name="with_block")
        y = norm(b, "input_layernorm", y, "rms_norm")
        with b.scope("mamba"):
            y = mixer_heads(s.scan, workload, b, y)
        return b.apply("add", x, y, name="residual")


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
            return Layer(mix, network, whole=Whole(scan, scan_layer))
        place = hybrids.index(index)
        owner = "" if place == 0 or not config.tie_word_embeddings else f"layers.{starred(hybrids[0])}.shared_transf"
        headed = config.ending != ALONE
        shared = SharedBlock(attention, network, scan, place, (), 0, False, owner, headed)
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
