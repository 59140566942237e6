"""Qwen3: queries and keys normalized per head, an explicit width of heads, no biases.

Yang et al., 2025 (arXiv:2505.09388).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.qwen2 import QwenConfig, upper_layers


@frozen(kw_only=True)
class Qwen3Config(QwenConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    head_dim: Dim | None = fields.optional_size(128)
    attention_bias: bool = fields.flag(False)
    use_qk_norm: bool = fields.always(True)


def normed_heads(config: Any, window: Dim | None = None) -> Attention:
    """Returns the attention of this generation, with and without experts."""
    return Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=config.d_head,
        window=window,
        qk_norm="head",
        dropout=config.attention_dropout,
    )


def qwen3(config: DecoderConfig, layers: Layer | tuple[Layer, ...]) -> Decoder:
    """Returns the decoder around the layers."""
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


def describe(config: Qwen3Config) -> Decoder:
    """Returns layers that differ at most in their window."""
    layer = Layer(normed_heads(config), Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]))
    return qwen3(config, upper_layers(config, layer))


ARCHITECTURE = decoder(
    "qwen3",
    Qwen3Config,
    describe,
    PresetFiles(__file__),
    span="transformer",
    doc="Qwen3: queries and keys normalized per head, no biases.",
)
