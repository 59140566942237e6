"""MiMo-V2-Flash: windows with learned sinks and twice the heads of keys and values, narrower values, experts.

Xiaomi LLM-Core, 2026 (arXiv:2601.02780). The layers that predict further tokens are not in the library's class and are
not counted.
"""

from __future__ import annotations

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.decoders.glm4_moe import CorrectedConfig
from graphacct_architectures.decoders.parts.deepseek import corrected_experts
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    decoder,
    kinds_of_attention,
    layer_types,
    rotary_dims_of,
    written_out_alone,
)
from graphacct_architectures.decoders.parts.sparse import network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.decoders.smollm3 import rope_layers
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class MiMoV2FlashConfig(CorrectedConfig):
    """The keys of the published config.json that the cost depends on.

    The older file lists what the class takes for granted: which layers have a window (`hybrid_layer_pattern`) and which
    have experts (`moe_layer_freq`), and the sizes of those with a window (`swa_…`).
    """

    vocab_size: Dim = fields.size(152576)
    intermediate_size: Dim = fields.size(16384)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(192)
    v_head_dim: Dim = fields.size(128)
    max_position_embeddings: Dim = fields.size(131072)
    moe_intermediate_size: Dim = fields.size(2048)
    n_routed_experts: Dim = fields.size(256)
    n_shared_experts: Dim | None = fields.optional_size()
    num_experts_per_tok: Dim | None = fields.optional_size(8)
    sliding_window: Dim | None = fields.window(129)
    layer_types: tuple[str, ...] | None = layer_types()
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    sliding_window_size: Dim | None = fields.optional_size()
    hybrid_layer_pattern: tuple[int, ...] | None = rope_layers()
    moe_layer_freq: tuple[int, ...] | None = rope_layers()
    swa_num_attention_heads: Dim | None = fields.optional_size()
    swa_num_key_value_heads: Dim | None = fields.optional_size()
    swa_head_dim: Dim | None = fields.optional_size()
    swa_v_head_dim: Dim | None = fields.optional_size()

    @property
    def window(self) -> Dim | None:
        """How many positions layers with a window see: in older files, one more than the file says."""
        return self.sliding_window if self.sliding_window_size is None else self.sliding_window_size + 1

    @property
    def fraction(self) -> float:
        """The rotated part of a head unless the settings say it."""
        return 0.334


def describe(config: MiMoV2FlashConfig) -> Decoder:
    """Returns layers of which the first and every sixth see all positions, the first with one network."""
    kinds = kinds_of_attention(config, lambda index: SLIDING if index and (index + 1) % 6 else FULL)
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: index > 0)
    check_older(config, kinds, sparse)
    usual = None if config.rope_parameters else config.fraction
    rotary = {kind: rotary_dims_of(config, kind, usual) for kind in dict.fromkeys(kinds)}
    experts, dense = corrected_experts(config, shared=False), network(config)

    def attention(kind: str) -> Attention:
        slides = kind == SLIDING
        shared = config.kv_heads * 2 if slides else config.kv_heads
        exact_div(config.num_attention_heads, shared, "num_attention_heads / heads of keys and values with a window")
        whole = rotated_attention(
            config,
            out_bias=False,
            rotary=rotary[kind],
            rotary_tables=f"rotary_emb.{kind}",
            rotary_joined=True,
            window=config.window if slides else None,
            values=config.v_head_dim,
            values_scaled=True,
            sinks=slides,
            less_largest=True,
            upcast="",
        )
        return attrs.evolve(whole, kv_heads=shared)

    layers = tuple(Layer(attention(kind), experts if has else dense) for kind, has in zip(kinds, sparse, strict=True))
    return around(config, layers, rotary_tables=tuple((f"rotary_emb.{kind}", width) for kind, width in rotary.items()))


def check_older(config: MiMoV2FlashConfig, kinds: tuple[str, ...], sparse: tuple[bool, ...]) -> None:
    """Raises ConfigError, which names the key, if the older file's keys say other than the class makes."""
    heads, shared = config.num_attention_heads, config.kv_heads * 2
    says = {
        "hybrid_layer_pattern": tuple(int(kind == SLIDING) for kind in kinds),
        "moe_layer_freq": tuple(map(int, sparse)),
        "swa_num_attention_heads": heads,
        "swa_num_key_value_heads": shared,
        "swa_head_dim": config.d_head,
        "swa_v_head_dim": config.v_head_dim,
    }
    for key, own in says.items():
        given = getattr(config, key)
        if given is not None and given != own:
            raise ConfigError(f"{key} is {brief(given)}, but the class makes {brief(own)}")


ARCHITECTURE = decoder(
    "mimo_v2_flash",
    MiMoV2FlashConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={
        "add_swa_attention_sink_bias": (True,),
        "add_full_attention_sink_bias": (False,),
        "attention_chunk_size": None,
        "layernorm_epsilon": None,
        "swa_rope_theta": None,
        "partial_rotary_factor": None,
        "attention_value_scale": None,
        "scoring_func": ("sigmoid",),
        "topk_method": ("noaux_tc",),
    },
    doc="MiMo-V2-Flash: windows with sinks, narrower values, experts.",
)
