"""Hunyuan of 2025 without experts: Llama's layers, queries and keys normalized per head after they are rotated.

Tencent Hunyuan Team, "Hunyuan-7B", 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

SWITCHES: Mapping[str, tuple[Any, ...] | None] = {
    **dict.fromkeys(
        (
            *("add_classification_head", "class_num", "pool_type", "skip_cls_token", "mask_init_id", "dense_list"),
            *("anyres_pooling_size", "anyres_vit_max_image_size", "num_media_embeds", "org_vocab_size", "pad_id"),
            *("text_start_id", "text_end_id", "image_token_id", "moe_drop_tokens", "moe_random_routing_dropped_token"),
            *("cla_share_factor", "alpha", "use_rotary_pos_emb", "xdrope_section"),
        )
    ),
    "group_limited_greedy": (False,),
    "mlp_bias": (False,),
    "n_group": (False, None, 1),
    "norm_type": ("rms",),
    "position_embedding_xdrope": (False,),
    "topk_group": (False, None, 1),
    "use_cla": (False,),
    "use_qk_norm": (True,),
}
"""Keys of the published files, with what the class does."""


@frozen(kw_only=True)
class HunyuanConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(290943)
    attention_bias: bool = fields.flag(False)


def normed_last(config: HunyuanConfig) -> Attention:
    """Returns the attention of this generation, with and without experts."""
    names = ("query_layernorm", "key_layernorm")
    return rotated_attention(config, qk_norm="head", qk_norm_names=names, qk_norm_last=True)


def describe(config: HunyuanConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return around(config, Layer(normed_last(config), network(config)))


ARCHITECTURE = decoder(
    "hunyuan_v1_dense",
    HunyuanConfig,
    describe,
    PresetFiles(__file__),
    stem="HunYuanDenseV1",
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost={**SWITCHES, "num_experts": (1,)},
    doc="Hunyuan: Llama's layers, queries and keys normalized after they are rotated.",
)
