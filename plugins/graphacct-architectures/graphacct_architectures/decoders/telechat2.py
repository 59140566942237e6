"""TeleChat and TeleChat2: Llama's layers with keys and values from one projection, head by head, and biases after.

Tele-AI, 2024 (arXiv:2401.03804). The class stands in the models' own repositories (`modeling_telechat2.py`), not in the
transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


def _not_read(value: Any, field: attrs.Attribute[Any]) -> str:
    """Returns the activation that the class always uses, whatever a file names."""
    return "silu"


@frozen(kw_only=True)
class TeleChat2Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on. Published files name an activation that the class
    does not read."""

    vocab_size: Dim = fields.size(160256)
    ffn_hidden_size: Dim = fields.size(12288)
    num_hidden_layers: Dim = fields.size(30)
    max_position_embeddings: Dim = fields.size(8192)
    hidden_act: str = fields.checked_field(_not_read, "silu")
    hidden_dropout: float = fields.probability(0.0)
    embed_layernorm: bool = fields.always(False)
    apply_residual_connection_post_layernorm: bool = fields.always(False)


def describe(config: TeleChat2Config) -> Decoder:
    """Returns a stack of equal layers."""
    attention = rotated_attention(
        config, module="self_attention", q="query", kv_joint="key_value", out="dense", out_bias=True
    )
    feed_forward = network(config, width=config.ffn_hidden_size, down_bias=True)
    layer = Layer(attention, feed_forward, dropout=config.hidden_dropout)
    return around(config, layer, module="transformer", embedding="word_embeddings", stack="h", norm="ln_f")


ARCHITECTURE = decoder(
    "telechat2",
    TeleChat2Config,
    describe,
    PresetFiles(__file__),
    model_types=("telechat2", "telechat"),
    aliases={"n_layer": "num_hidden_layers", "n_head": "num_attention_heads", "seq_length": "max_position_embeddings"},
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(("intermediate_size", "logn", "training_seqlen", "base_seqlen", "layer_norm_epsilon")),
    doc="TeleChat2: keys and values from one projection, biases after attention and network.",
)
