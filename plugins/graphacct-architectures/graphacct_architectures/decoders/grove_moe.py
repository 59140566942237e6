"""GroveMoE: Qwen3-MoE's layers, whose pairs of experts have a small expert of their own beside them.

Wu et al., 2025 (arXiv:2508.07785). The class stands in the models' own repositories (`modeling_grove_moe.py`), not in
the transformers library: names and shapes are that file's, which also fixes the small experts' width and how many
experts share one. The experts' weights, which the file has one by one, are counted as stacked. The choice by sigmoids
takes the same experts as the softmax, and is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen, prod
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.attention import attention
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.feed_forward import chosen
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.router import routed
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.decoders.qwen3_moe import Qwen3MoeConfig
from graphacct_architectures.heads import ALONE, CAUSAL

SHARING, NARROW = 2, 128
"""How many experts share a small one, and its width: constants of the class."""


@frozen(kw_only=True)
class GroveMoeConfig(Qwen3MoeConfig):
    """The keys of the published config.json that the cost depends on."""

    head_dim: Dim | None = fields.optional_size(128)
    num_hidden_layers: Dim = fields.size(48)


@frozen
class Grove:
    """The parts of a layer with both kinds of experts."""

    attention: Attention
    experts: Experts
    small: Experts


def layer(s: Grove, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream with attention, the chosen experts and their small ones added."""
    norm, shape = Norm(), x.spec.shape
    y = normed_by(b, "input_layernorm", x, norm)
    with b.scope(s.attention.module):
        y, weights = attention(s.attention, norm, workload, b, y, tables)
    b.hold(*weights)
    middle = b.apply("add", x, y, name="attn_residual")
    y = normed_by(b, "post_attention_layernorm", middle, norm)
    with b.scope(s.experts.module):
        rows = b.apply("reshape", y, name="tokens", shape=(prod(shape[:2]), shape[2]))
        ids, factors = routed(s.experts, b, rows)
        large = chosen(s.experts, b, rows, ids, factors)
        pair = b.apply("full", name="experts_of_pair", shape=(1,), dtype="int64")
        shared = b.apply("floor_divide", ids, pair, name="ids_of_pairs")
        small = chosen(s.small, b, rows, shared, factors)
        y = b.apply("add", b.apply("scale", small, name="small_scaled"), large, name="both")
        y = b.apply("reshape", y, name="sequences", shape=shape)
    return b.apply("add", middle, y, name="mlp_residual")


def describe(config: GroveMoeConfig) -> Decoder:
    """Returns a stack of equal layers. Raises ConfigError for a file in which some have no experts."""
    if not config.alike:
        raise ConfigError(
            "decoder_sparse_step and mlp_only_layers leave layers without experts, not modelled: set 1 and []"
        )
    count, act = config.num_local_experts, ACTIVATIONS[config.hidden_act]
    many = at_most(config.num_experts_per_tok, count, "num_experts_per_tok, num_experts")
    experts = Experts(count, many, config.moe_intermediate_size, act, normalised=True, downcast=True)
    pairs = exact_div(count, SHARING, "num_experts / experts that share a small one")
    small = Experts(pairs, many, NARROW, act, stack="chunk_experts")
    own = rotated_attention(config, qk_norm="head")
    return around(config, Layer(own, experts, whole=Whole(Grove(own, experts, small), layer)))


ARCHITECTURE = decoder(
    "grove_moe",
    GroveMoeConfig,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    aliases={"num_experts": "num_local_experts"},
    classes=(CAUSAL, ALONE),
    doc="GroveMoE: Qwen3-MoE's layers, small experts beside pairs of experts.",
)
