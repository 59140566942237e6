"""DeepSeek-V3 and R1: latent attention; experts chosen by sigmoids plus a correction, among the best groups.

DeepSeek-AI, 2024 (arXiv:2412.19437). It was published in FP8, which its config.json says; the presets are in
bfloat16, and `--weights fp8:block=128` counts them as published. The
module that predicts a second token is not in the library's class and is not counted.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.deepseek import (
    ATTENTION,
    LatentConfig,
    corrected_experts,
    deepseek,
    inexact,
)
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class DeepseekV3Config(LatentConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(129280)
    hidden_size: Dim = fields.size(7168)
    intermediate_size: Dim = fields.size(18432)
    num_hidden_layers: Dim = fields.size(61)
    num_attention_heads: Dim = fields.size(128)
    max_position_embeddings: Dim = fields.size(4096)
    first_k_dense_replace: Dim = fields.size(3, minimum=0)
    moe_intermediate_size: Dim = fields.size(2048)
    n_routed_experts: Dim = fields.size(256)
    n_shared_experts: Dim = fields.stated_size(1)
    num_experts_per_tok: Dim | None = fields.optional_size(8)
    n_group: Dim = fields.size(8)
    topk_group: Dim = fields.size(4)
    norm_topk_prob: bool = fields.flag(True)


def describe(config: DeepseekV3Config) -> Decoder:
    """Returns layers whose experts are chosen with the correction; their weights are normalised without it."""
    return deepseek(config, corrected_experts(config), Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]))


ARCHITECTURE = decoder(
    "deepseek_v3",
    DeepseekV3Config,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    inexact=inexact,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={"qk_head_dim": None, "moe_layer_freq": None, "scoring_func": ("sigmoid",)},
    doc="DeepSeek-V3, R1: latent attention, experts chosen by corrected sigmoids among the best groups.",
)
