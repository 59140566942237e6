"""Moshi's text model: Llama's layers with one projection for gate and up, and rotary tables that each layer makes.

Défossez et al., 2024 (arXiv:2410.00037). The whole model, which hears and speaks beside it, is refused by name: a file
that names it is read with `--set architectures=MoshiForCausalLM`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.decode import serial
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.tables import rotary_tables

TABLES = "rotary_emb"


@frozen(kw_only=True)
class MoshiConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    intermediate_size: Dim = fields.size(22528)  # `ffn_dim` of the files: gate and up together
    max_position_embeddings: Dim = fields.size(3000)
    sliding_window: Dim = fields.size(3000)


def turning(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Adds a layer that makes its own rotary tables."""
    assert isinstance(kind.attention, Attention)
    one = Decoder(1, 1, kind, 1, rotary_tables=((TABLES, kind.attention.rotary),))
    with b.scope("self_attn"):
        own = rotary_tables(one, workload, b)
    return serial(kind, workload, b, x, {**tables, **own})


def layer(config: Any) -> Layer:
    """Returns a layer of Moshi and of its kin."""
    inner = exact_div(config.intermediate_size, 2, "ffn_dim / 2")
    names: dict[str, Any] = {part: f"{part}_proj.linear" for part in ("q", "k", "v")}
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        **names,
        out="o_proj.linear",
        rotary=config.d_head,
        window=config.sliding_window,
        dropout=config.attention_dropout,
    )
    network = Mlp(inner, ACTIVATIONS[config.hidden_act], joint="fc1", down="fc2")
    plain = Layer(attention, network)
    return attrs.evolve(plain, whole=Whole(plain, turning))


def describe(config: MoshiConfig) -> Decoder:
    """Returns a stack of equal layers; the embedding has a row more than the head."""
    if config.tie_word_embeddings:
        raise ConfigError("tie_word_embeddings is true: the embedding has a row more than the head; set it to false")
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer(config),
        config.num_hidden_layers,
        embedding_spare=1,
    )


ARCHITECTURE = decoder(
    "moshi",
    MoshiConfig,
    describe,
    PresetFiles(__file__),
    doc="Moshi's text model: RMSNorm, RoPE, SwiGLU with one projection in.",
    classes=("ForCausalLM", "Model"),
    aliases={"ffn_dim": "intermediate_size"},
    no_cost=dict.fromkeys(("num_codebooks", "audio_vocab_size", "depth_decoder_config", "audio_encoder_config")),
)
