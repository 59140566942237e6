"""Gemma 2: norms before and after each part, every other layer with a window, scores and logits capped by a tanh.

Gemma Team, 2024 (arXiv:2408.00118).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.gemma import CENTRED
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    number,
    written_out_alone,
)
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class Gemma2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on; without `layer_types` the first layer has a
    window."""

    vocab_size: Dim = fields.size(256000)
    hidden_size: Dim = fields.size(2304)
    intermediate_size: Dim = fields.size(9216)
    num_hidden_layers: Dim = fields.size(26)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(256)
    hidden_activation: str = activation("gelu_pytorch_tanh")
    max_position_embeddings: Dim = fields.size(8192)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    use_bidirectional_attention: bool = fields.flag(False)
    sliding_window: Dim | None = fields.window(4096)
    layer_types: tuple[str, ...] | None = layer_types()
    attn_logit_softcapping: float | None = number(50.0)
    final_logit_softcapping: float | None = number(30.0)

    @property
    def window(self) -> Dim | None:
        """How many positions the layers with a window see."""
        return self.sliding_window


def describe(config: Gemma2Config) -> Decoder:
    """Returns layers that alternate with and without a window."""
    kinds = kinds_of_attention(config, lambda index: FULL if index % 2 else SLIDING)
    return sandwiched(config, kinds, rotary_tables=dict.fromkeys((FULL, SLIDING), "rotary_emb"))


def sandwiched(
    config: Any, kinds: tuple[str, ...], *, rotary_tables: Mapping[str, str], qk_norm: str = "", capped: bool = True
) -> Decoder:
    """Returns the decoder of Gemma 2, and of Gemma 3 with a norm of queries and keys, rotary tables for each kind, and
    scores that are not `capped`, whatever the file says. Attention that goes both ways always has a mask."""

    def layer(kind: str) -> Layer:
        return Layer(
            Attention(
                config.num_attention_heads,
                config.kv_heads,
                config.d_head,
                bias=config.attention_bias,
                out_bias=config.attention_bias,
                rotary=config.d_head,
                rotary_tables=rotary_tables[kind],
                window=config.window if kind == SLIDING else None,
                qk_norm=qk_norm,
                causal=not config.use_bidirectional_attention,
                masked=config.use_bidirectional_attention,
                softcap=capped and config.attn_logit_softcapping is not None,
                dropout=config.attention_dropout,
            ),
            Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_activation]),
            norm=CENTRED,
            attention_post_norm="post_attention_layernorm",
            mlp_norm="pre_feedforward_layernorm",
            mlp_post_norm="post_feedforward_layernorm",
        )

    tables = dict.fromkeys(rotary_tables[kind] for kind in kinds)
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layer(kind) for kind in kinds),
        embedding_scaled=True,
        norm_kind=CENTRED,
        tied=config.tie_word_embeddings,
        logits_softcap=config.final_logit_softcapping is not None,
        rotary_tables=tuple((name, config.d_head) for name in tables),
    )


ARCHITECTURE = decoder(
    "gemma2",
    Gemma2Config,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"hidden_act": "hidden_activation"},
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    doc="Gemma 2: norms around each part, a window in every other layer, capped scores and logits.",
)
