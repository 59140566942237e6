"""Molmo 2's text model: Llama's layers with norms of queries and keys, and norms before or after each part.

Clark et al., 2026 (arXiv:2601.10611).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.sparse import layered
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

TABLES = ("rotary_emb", "rotary_emb_unscaled")


def _layers() -> Any:
    """Returns the key of the layers whose positions are scaled; None for all."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(type(item) is not int for item in value):
            raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Molmo2TextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151936)
    additional_vocab_size: Dim = fields.size(128, minimum=0)
    intermediate_size: Dim = fields.size(12288)
    num_hidden_layers: Dim = fields.size(36)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(36864)
    attention_bias: bool = fields.flag(False)
    qk_norm_type: str = fields.choice("qwen3", ("qwen3", "olmo"))
    norm_after: bool = fields.flag(False)
    rope_scaling_layers: tuple[int, ...] | None = _layers()


def describe(config: Molmo2TextConfig) -> Decoder:
    """Returns layers that differ at most in the table that rotates their heads."""
    norms = ("input_layernorm", "post_attention_layernorm")
    before, after = (("", ""), norms) if config.norm_after else (norms, ("", ""))

    def kind(index: int) -> Layer:
        scaled = config.rope_scaling_layers is None or index in config.rope_scaling_layers
        attention = rotated_attention(
            config,
            out_bias=False,
            qk_norm="head" if config.qk_norm_type == "qwen3" else "width",
            rotary_tables=TABLES[not scaled],
        )
        return Layer(
            attention,
            network(config, bias=False),
            attention_norm=before[0],
            attention_post_norm=after[0],
            mlp_norm=before[1],
            mlp_post_norm=after[1],
        )

    layers = layered(config.num_hidden_layers, config.rope_scaling_layers is None, kind)
    tables = tuple((name, config.d_head) for name in TABLES)
    return around(config, layers, rotary_tables=tables, embedding_spare=config.additional_vocab_size)


ARCHITECTURE = decoder(
    "molmo2_text",
    Molmo2TextConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    stem="Molmo2Text",
    aliases={"qkv_bias": "attention_bias"},
    translated=("qkv_bias",),
    no_cost=dict.fromkeys(("use_qk_norm", "embedding_dropout", "residual_dropout")),
    doc="Molmo 2's text model: Llama's layers, norms of queries and keys.",
)
