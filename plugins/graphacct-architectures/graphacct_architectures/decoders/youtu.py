"""Youtu-LLM: DeepSeek-V3's latent attention and one network in every layer.

Tencent Youtu Lab, 2025 (arXiv:2512.24618).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.minicpm3 import MiniCPM3Config
from graphacct_architectures.decoders.minicpm3 import describe as minicpm3
from graphacct_architectures.decoders.parts.deepseek import ATTENTION
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class YoutuConfig(MiniCPM3Config):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(6144)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(16)
    max_position_embeddings: Dim = fields.size(131072)
    mlp_bias: bool = fields.always(False)
    kv_lora_rank: Dim = fields.size(512)
    q_lora_rank: Dim | None = fields.optional_size(1536)
    qk_nope_head_dim: Dim = fields.size(128)
    qk_rope_head_dim: Dim = fields.size(64)
    v_head_dim: Dim | None = fields.optional_size(128)


def describe(config: YoutuConfig) -> Decoder:
    """Returns a stack of equal layers."""
    scaled = minicpm3(config)
    assert isinstance(scaled.layer, Layer)
    layer = attrs.evolve(scaled.layer, residual_scaled=False)
    return attrs.evolve(scaled, layer=layer, embedding_scaled=False, stream_scaled=False)


ARCHITECTURE = decoder(
    "youtu",
    YoutuConfig,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    classes=(CAUSAL, ALONE),
    no_cost={"qk_head_dim": None, "embedding_initializer_range": None},
    doc="Youtu-LLM: DeepSeek-V3's attention, one network in every layer.",
)
