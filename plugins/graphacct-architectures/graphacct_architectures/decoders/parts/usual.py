"""The parts as most families have them, from the keys that most families have; a family gives what differs."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer


def rotated_attention(config: Any, **more: Any) -> Attention:
    """Returns attention whose heads are rotated by position, with biases if the configuration has `attention_bias`."""
    bias = getattr(config, "attention_bias", False)
    usual = {"bias": bias, "out_bias": bias, "rotary": config.d_head, "dropout": config.attention_dropout}
    return Attention(config.num_attention_heads, config.kv_heads, config.d_head, **{**usual, **more})


def network(config: Any, **more: Any) -> Mlp:
    """Returns a gated network, with biases if the configuration has `mlp_bias`."""
    usual = {"width": config.intermediate_size, "bias": getattr(config, "mlp_bias", False)}
    return Mlp(activation=ACTIVATIONS[config.hidden_act], **{**usual, **more})


def around(config: Any, layers: Layer | tuple[Layer, ...], **more: Any) -> Decoder:
    """Returns the decoder around its layers, with one pair of rotary tables."""
    usual = {"tied": config.tie_word_embeddings, "rotary_tables": (("rotary_emb", config.d_head),)}
    return Decoder(config.vocab_size, config.hidden_size, layers, config.num_hidden_layers, **{**usual, **more})
