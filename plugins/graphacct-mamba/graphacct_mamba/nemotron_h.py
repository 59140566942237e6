"""Nemotron-H and Nemotron 3: layers of one part each, a Mamba-2 scan, attention, a network, or experts.

NVIDIA, "Nemotron-H", 2025 (arXiv:2504.03624).
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import (
    NOTHING,
    Attention,
    Decoder,
    DecoderConfig,
    Experts,
    Layer,
    Mixing,
    Mlp,
    Norm,
    at_most,
    decoder,
)
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_mamba.hybrid import SCAN_NO_COST, of_the_chunks
from graphacct_mamba.kinds import FULL, LINEAR, layer_kinds
from graphacct_mamba.scan_heads import ScanHeads, scan_heads

EXPERTS, NETWORK = "moe", "mlp"
LETTERS = {"M": LINEAR, "E": EXPERTS, "*": FULL, "-": NETWORK}
WIDE = Norm(upcast="all")


def pattern() -> Any:
    """Returns the kinds of the layers as letters, one for each, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value is not None and (not isinstance(value, str) or not set(value) <= LETTERS.keys()):
            raise ConfigError(f"{field.name} is {brief(value)}: it has the letters {' '.join(LETTERS)}, one a layer")
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class NemotronHConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on. The number of layers is that of their kinds,
    whatever `num_hidden_layers` says, as in the transformers library."""

    vocab_size: Dim = fields.size(131072)
    intermediate_size: Dim = fields.size(21504)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.size(128)
    max_position_embeddings: Dim = fields.size(4096)
    layer_types: tuple[str, ...] | None = layer_kinds(*LETTERS.values())
    hybrid_override_pattern: str | None = pattern()
    mlp_hidden_act: str = activation("relu2")
    mlp_bias: bool = fields.flag(False)
    ssm_state_size: Dim = fields.size(128)
    mamba_num_heads: Dim = fields.size(128)
    mamba_head_dim: Dim = fields.size(64)
    mamba_hidden_act: str = activation("silu")
    n_groups: Dim = fields.size(8)
    conv_kernel: Dim = fields.size(4)
    use_conv_bias: bool = fields.flag(True)
    use_bias: bool = fields.flag(False)
    chunk_size: Dim = fields.size(128)
    n_routed_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(2)
    moe_intermediate_size: Dim = fields.size(7688)
    moe_shared_expert_intermediate_size: Dim = fields.size(7688)
    moe_latent_size: Dim | None = fields.optional_size()
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    norm_topk_prob: bool = fields.flag(True)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each layer's kind."""
        if self.layer_types is not None:
            return self.layer_types
        if self.hybrid_override_pattern is not None:
            return tuple(LETTERS[letter] for letter in self.hybrid_override_pattern)
        return (LINEAR, EXPERTS, FULL, NETWORK)


def parts(config: NemotronHConfig) -> dict[str, Layer]:
    """Returns the layer of each kind."""
    exact_div(config.mamba_num_heads, config.n_groups, "mamba_num_heads / n_groups")
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        module="mixer",
        dropout=config.attention_dropout,
    )
    scan = ScanHeads(
        config.mamba_num_heads,
        config.mamba_head_dim,
        config.n_groups,
        config.ssm_state_size,
        config.conv_kernel,
        config.chunk_size,
        ACTIVATIONS[config.mamba_hidden_act],
        bias=config.use_bias,
        conv_bias=config.use_conv_bias,
        out_bias=config.use_bias,
    )
    act = ACTIVATIONS[config.mlp_hidden_act]
    network = Mlp(config.intermediate_size, act, gated=False, module="mixer", bias=config.mlp_bias)
    experts = Experts(
        config.n_routed_experts,
        at_most(config.num_experts_per_tok, config.n_routed_experts, "num_experts_per_tok, n_routed_experts"),
        config.moe_intermediate_size,
        act,
        module="mixer",
        router_upcast=True,
        scoring="sigmoid",
        normalised=config.norm_topk_prob,
        correction=True,
        grouped=True,
        above_zero="shift",
        scaled=True,
        groups=config.n_group,
        chosen_groups=config.topk_group,
        gated=False,
        latent=config.moe_latent_size,
        latent_bias=config.mlp_bias,
        shared=Mlp(
            config.moe_shared_expert_intermediate_size,
            act,
            gated=False,
            module="shared_experts",
            bias=config.mlp_bias,
        ),
    )
    scans = Mixing("mixer", scan, scan_heads)
    return {
        FULL: Layer(attention, network, WIDE, attention_norm="norm", network_instead=NOTHING),
        LINEAR: Layer(scans, network, WIDE, attention_norm="norm", network_instead=NOTHING),
        NETWORK: Layer(scans, network, WIDE, mlp_norm="norm", attention_instead=NOTHING),
        EXPERTS: Layer(scans, experts, WIDE, mlp_norm="norm", attention_instead=NOTHING),
    }


def describe(config: NemotronHConfig) -> Decoder:
    """Returns layers of one part each."""
    kinds = parts(config)
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(kinds[kind] for kind in config.kinds),
        embedding="embeddings",
        norm="norm_f",
        norm_kind=WIDE,
    )


ARCHITECTURE = decoder(
    "nemotron_h",
    NemotronHConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "layers_block_type": "layer_types",
        "attention_head_dim": "head_dim",
        "num_local_experts": "n_routed_experts",
        "mamba_n_groups": "n_groups",
        "mamba_d_conv": "conv_kernel",
        "mamba_conv_bias": "use_conv_bias",
        "mamba_chunk_size": "chunk_size",
    },
    translated={"mamba_n_groups", "mamba_d_conv", "mamba_conv_bias", "mamba_chunk_size"},
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(
        [
            *SCAN_NO_COST,
            "attention_bias",
            "expand",
            "hidden_dropout",
            "mamba_proj_bias",
            "mamba_ssm_cache_dtype",
            "mtp_layers_block_type",
            "moe_shared_expert_overlap",
            "n_shared_experts",
            "rescale_prenorm_residual",
            "residual_in_fp32",
            "routed_scaling_factor",
            "sliding_window",
            "tie_word_embeddings",
            "time_step_floor",
        ]
    ),
    inexact=of_the_chunks,
    doc="Nemotron-H, Nemotron 3: layers of a Mamba-2 scan, attention, a network, or experts.",
)
