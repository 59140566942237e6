"""DBRX: experts whose weights are rows of one matrix, clamped queries, keys and values, LayerNorm without bias.

Databricks, "Introducing DBRX", 2024; names and order as in the transformers library's DbrxForCausalLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, expected
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder, number
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.heads import ALONE, CAUSAL, HeadConfig

NORM = Norm(LAYER_NORM)


def _activation() -> Any:
    """Returns the operators of `ffn_act_fn`, an object with the name of an activation."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        name = value.get("name", "silu") if isinstance(value, Mapping) else value or "silu"
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise ConfigError(f"{field.name} cannot be {brief(value)}{expected(str(name))}")
        return name

    return fields.checked_field(check, "silu")


@frozen(kw_only=True)
class DbrxAttentionConfig:
    """The keys of `attn_config` that the cost depends on."""

    attn_pdrop: float = fields.probability(0.0)
    clip_qkv: float | None = number(None)
    kv_n_heads: Dim = fields.size(1)


@frozen(kw_only=True)
class DbrxFFNConfig:
    """The keys of `ffn_config` that the cost depends on."""

    ffn_act_fn: str = _activation()
    ffn_hidden_size: Dim = fields.size(3584)
    moe_num_experts: Dim = fields.size(4)
    moe_top_k: Dim = fields.size(1)
    moe_normalize_expert_weights: float | None = number(1.0)


@frozen(kw_only=True)
class DbrxConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(32000)
    d_model: Dim = fields.size(2048)
    n_heads: Dim = fields.size(16)
    n_layers: Dim = fields.size(24)
    max_seq_len: Dim = fields.size(2048)
    resid_pdrop: float = fields.probability(0.0)
    emb_pdrop: float = fields.probability(0.0)
    attn_config: DbrxAttentionConfig | None = fields.nested(DbrxAttentionConfig, "dbrx")
    ffn_config: DbrxFFNConfig | None = fields.nested(DbrxFFNConfig, "dbrx")
    tie_word_embeddings: bool = fields.always(False)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    dtype: str | None = fields.dtype()


def describe(config: DbrxConfig) -> Decoder:
    """Returns a stack of equal layers."""
    own, ffn = config.attn_config or DbrxAttentionConfig(), config.ffn_config or DbrxFFNConfig()
    d_head = exact_div(config.d_model, config.n_heads, "d_model / n_heads")
    exact_div(config.n_heads, own.kv_n_heads, "n_heads / attn_config.kv_n_heads")
    layer = Layer(
        Attention(
            config.n_heads,
            own.kv_n_heads,
            d_head,
            module="norm_attn_norm.attn",
            joint="Wqkv",
            out="out_proj",
            clamped=True,
            rotary=d_head,
            dropout=own.attn_pdrop,
        ),
        Experts(
            ffn.moe_num_experts,
            at_most(ffn.moe_top_k, ffn.moe_num_experts, "ffn_config.moe_top_k, ffn_config.moe_num_experts"),
            ffn.ffn_hidden_size,
            ACTIVATIONS[ffn.ffn_act_fn],
            module="ffn",
            router="router.layer",
            normalised=ffn.moe_normalize_expert_weights is not None,
            apart=("mlp.w1", "mlp.v1", "mlp.w2"),
        ),
        NORM,
        attention_norm="norm_attn_norm.norm_1",
        mlp_norm="norm_attn_norm.norm_2",
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        config.d_model,
        layer,
        config.n_layers,
        module="transformer",
        embedding="wte",
        embedding_dropout=config.emb_pdrop,
        stack="blocks",
        norm="norm_f",
        norm_kind=NORM,
        rotary_tables=(("rotary_emb", d_head),),
    )


ARCHITECTURE = decoder(
    "dbrx",
    DbrxConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "max_position_embeddings": "max_seq_len",
    },
    translated=("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"),
    context=lambda config: config.max_seq_len,
    classes=(CAUSAL, ALONE),
    no_cost={"hidden_size": None},  # of ffn_config, where the class sets the width itself
    doc="DBRX: clamped queries, keys and values, experts stored as rows.",
)
