"""Qwen3-Next: gated delta networks, gated attention in every fourth layer, many small experts and a shared one.

Qwen Team, "Qwen3-Next: Towards Ultimate Training & Inference Efficiency", 2025; the library's `qwen3_next`.
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import (
    Attention,
    Decoder,
    DecoderConfig,
    Experts,
    FeedForward,
    Layer,
    Mixing,
    Mlp,
    Norm,
    at_most,
    decoder,
    layer_indices,
    rotary_dims,
)

from graphacct import Dim, PresetFiles, Workload, equal, exact_div, fields, frozen, has_value
from graphacct_mamba.gated_delta import APART, JOINT, GatedDelta, gated_delta, of_whole_chunks
from graphacct_mamba.kinds import FULL, LINEAR, kinds_of, layer_kinds

CENTRED = Norm(centred=True, upcast="all")


@frozen(kw_only=True)
class GatedDeltaConfig(DecoderConfig):
    """The keys that all stacks of gated delta networks and gated attention have."""

    hidden_size: Dim = fields.size(2048)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.size(2)
    head_dim: Dim | None = fields.size(256)
    max_position_embeddings: Dim = fields.size(32768)
    attention_bias: bool = fields.flag(False)
    partial_rotary_factor: float = 0.25
    linear_conv_kernel_dim: Dim = fields.size(4)
    linear_key_head_dim: Dim = fields.size(128)
    linear_value_head_dim: Dim = fields.size(128)
    linear_num_key_heads: Dim = fields.size(16)
    linear_num_value_heads: Dim = fields.size(32)
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, LINEAR)
    full_attention_interval: int = fields.size(4)

    def __attrs_post_init__(self) -> None:
        exact_div(
            self.linear_num_value_heads, self.linear_num_key_heads, "linear_num_value_heads / linear_num_key_heads"
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each layer's kind: without a list, one of `full_attention_interval` has attention."""
        every = self.full_attention_interval
        return kinds_of(self.layer_types, self.num_hidden_layers, lambda index: LINEAR if (index + 1) % every else FULL)


@frozen(kw_only=True)
class Qwen3NextConfig(GatedDeltaConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151936)
    intermediate_size: Dim = fields.size(5632)
    num_hidden_layers: Dim = fields.size(48)
    decoder_sparse_step: int = fields.size(1)
    mlp_only_layers: tuple[int, ...] = layer_indices()
    moe_intermediate_size: Dim = fields.size(512)
    shared_expert_intermediate_size: Dim = fields.size(512)
    num_experts_per_tok: Dim = fields.size(10)
    num_experts: Dim = fields.size(512, minimum=0)
    norm_topk_prob: bool = fields.flag(True)

    def sparse(self, index: int) -> bool:
        """Returns whether a layer has experts."""
        every = (index + 1) % self.decoder_sparse_step == 0
        return index not in self.mlp_only_layers and not equal(self.num_experts, 0) and every


def mixers(config: Any, *, joint: bool) -> dict[str, Attention | Mixing]:
    """Returns the gated attention and the gated delta network of a configuration, by the layers' kind."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=rotary_dims(config),
        rotary_joined=True,
        qk_norm="head",
        dropout=config.attention_dropout,
        gated=True,
    )
    return {FULL: attention, LINEAR: Mixing("linear_attn", delta_of(config, joint=joint), gated_delta)}


def delta_of(config: Any, *, joint: bool = False) -> GatedDelta:
    """Returns the sizes of a gated delta network."""
    return GatedDelta(
        config.linear_num_key_heads,
        config.linear_key_head_dim,
        config.linear_num_value_heads,
        config.linear_value_head_dim,
        config.linear_conv_kernel_dim,
        ACTIVATIONS[config.hidden_act],
        form=JOINT if joint else APART,
    )


def of_the_rule(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors."""
    return of_whole_chunks(delta_of(config), workload, dtype)


def of_sequences(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns the same of Qwen3.5, whose classes make rotary tables for each sequence."""
    found = of_the_rule(config, workload, dtype)
    if has_value(workload.batch) and workload.batch == 1:
        return found
    return (*found, "saved tensors have one pair of rotary tables, of which the library's class has one a sequence")


def shared_experts(config: Any, *, normalised: bool) -> Experts:
    """Returns many small experts beside one that each token runs through, behind a gate."""
    activation = ACTIVATIONS[config.hidden_act]
    return Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        activation,
        normalised=normalised,
        downcast=True,
        shared=Mlp(config.shared_expert_intermediate_size, activation, module="shared_expert"),
        shared_gate="shared_expert_gate",
    )


def mixed_decoder(config: Any, layers: tuple[Layer, ...]) -> Decoder:
    """Returns the decoder around the layers."""
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        norm_kind=CENTRED,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", rotary_dims(config)),),
    )


def describe(config: Qwen3NextConfig) -> Decoder:
    """Returns layers that differ in what mixes positions, and in having experts."""
    parts = mixers(config, joint=True)
    dense: FeedForward = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    sparse = dense if equal(config.num_experts, 0) else shared_experts(config, normalised=config.norm_topk_prob)
    layers = (
        Layer(parts[kind], sparse if config.sparse(index) else dense, norm=CENTRED)
        for index, kind in enumerate(config.kinds)
    )
    return mixed_decoder(config, tuple(layers))


ARCHITECTURE = decoder(
    "qwen3_next",
    Qwen3NextConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    inexact=of_the_rule,
    doc="Qwen3-Next: gated delta networks, gated attention in every fourth layer, many small experts.",
)
