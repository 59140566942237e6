"""LongCat-Flash: two latent attentions and two networks in each layer, with experts beside the first network whose
output is added at the layer's end; experts that give back what they get.

Meituan, "LongCat-Flash", 2025 (arXiv:2509.01322); names and order as in the transformers library's
LongcatFlashForCausalLM, whose stacked weights have rows of the first projection for idle experts too. How many of a
token's experts are idle depends on the token: here their share of its choices is their share of all experts, which is
what the model was trained to. The module that predicts a second token is not in the library's class and is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, differ, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.attention import attention
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, latent_of
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, whole
from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.derived import agree, derived
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class LongcatFlashConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on. `num_hidden_layers` counts attentions, of which a
    layer has two."""

    vocab_size: Dim = fields.size(131072)
    hidden_size: Dim = fields.size(6144)
    num_layers: Dim = fields.size(28)
    num_hidden_layers: Dim | None = fields.optional_size()
    num_attention_heads: Dim = fields.size(64)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    intermediate_size: Dim = fields.size(12288)
    q_lora_rank: Dim = fields.size(1536)
    kv_lora_rank: Dim = fields.size(512)
    qk_nope_head_dim: Dim = fields.size(128)
    qk_rope_head_dim: Dim = fields.size(64)
    qk_head_dim: Any = derived()
    v_head_dim: Dim = fields.size(128)
    head_dim: Dim = fields.size(64)
    num_experts_per_tok: Dim = fields.size(12)
    n_routed_experts: Dim = fields.size(512)
    zero_expert_num: Dim = fields.size(256, minimum=0)
    moe_intermediate_size: Dim = fields.size(2048)

    def __attrs_post_init__(self) -> None:
        agree("qk_head_dim", self.qk_head_dim, self.qk_nope_head_dim + self.qk_rope_head_dim)

    @property
    def layers(self) -> Dim:
        """The number of layers."""
        if self.num_hidden_layers is None:
            return self.num_layers
        return whole(self.num_hidden_layers, "num_hidden_layers") // 2


@frozen
class Pair:
    """A layer of two attentions and two networks, all alike.

    Attributes:
        attention: The attentions.
        mlp: The networks.
        experts: The experts that read what the first network reads.
    """

    attention: Attention
    mlp: Mlp
    experts: Experts


def pair(s: Pair, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after attention and network, twice, and the experts' output of the first half."""
    beside: Value | None = None
    for i in range(2):
        y = normed_by(b, f"input_layernorm.{i}", x, Norm())
        with b.scope(f"{s.attention.module}.{i}"):
            y, weights = attention(s.attention, Norm(), workload, b, y, tables)
        b.hold(*weights)
        x = b.apply("add", x, y, name=f"attn_residual_{i}")
        y = normed_by(b, f"post_attention_layernorm.{i}", x, Norm())
        if beside is None:
            with b.scope(s.experts.module):
                b.hold(y)
                beside = experts(s.experts, b, y)
            b.hold(beside)
        with b.scope(f"{s.mlp.module}.{i}"):
            b.hold(y)
            y = mlp(s.mlp, b, y, workload)
        x = b.apply("add", x, y, name=f"mlp_residual_{i}")
    assert beside is not None
    out: Value = b.apply("add", x, beside, name="experts_residual")
    return out


def describe(config: LongcatFlashConfig) -> Decoder:
    """Returns a stack of equal layers."""
    activation = ACTIVATIONS[config.hidden_act]
    latent = latent_of(config)
    assert latent.latent is not None
    attention = attrs.evolve(latent, latent=attrs.evolve(latent.latent, scaled=True))
    dense = Mlp(config.intermediate_size, activation, module="mlps")
    every = config.n_routed_experts + config.zero_expert_num
    chosen = Experts(
        config.n_routed_experts,
        at_most(config.num_experts_per_tok, every, "num_experts_per_tok, all experts"),
        config.moe_intermediate_size,
        activation,
        router="router",
        router_weight="classifier.weight",
        router_upcast=True,
        correction=True,
        scaled=True,
        idle=config.zero_expert_num,
    )
    if differ(config.head_dim, config.qk_rope_head_dim):
        raise ConfigError(
            f"head_dim is {config.head_dim}, qk_rope_head_dim {config.qk_rope_head_dim}: both are how many dimensions "
            "of a head are rotated"
        )
    if has_value(config.layers) and config.layers < 1:
        raise ConfigError(f"num_hidden_layers is {config.num_hidden_layers}: a layer has two of these attentions")
    layer = Layer(attention, dense, whole=Whole(Pair(attention, dense, chosen), pair))
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.qk_rope_head_dim),),
    )


ARCHITECTURE = decoder(
    "longcat_flash",
    LongcatFlashConfig,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    aliases={
        "num_local_experts": "n_routed_experts",
        "moe_topk": "num_experts_per_tok",
        "ffn_hidden_size": "intermediate_size",
        "expert_ffn_hidden_size": "moe_intermediate_size",
    },
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={
        "routed_scaling_factor": None,
        "zero_expert_type": ("identity",),
        "mla_scale_q_lora": (True,),
        "mla_scale_kv_lora": (True,),
        "attention_method": ("MLA",),
        "router_bias": (False,),
        "router_dtype": None,
    },
    doc="LongCat-Flash: two attentions and two networks a layer, experts beside the first, some of which do nothing.",
)
