"""Lille: Llama's layers whose norms belong to attention and network, and a network of eight thirds of the width.

Nikity, "Lille-130M", 2025. The class stands in the model's own repository, not in the transformers library: names,
shapes and order are those of mlx-lm's `lille-130m.py`.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, width_over_heads
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

UNIT = 256
"""The network's width is the nearest multiple of it."""


@frozen(kw_only=True)
class LilleConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(32768)
    hidden_size: Dim = fields.size(640)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(10)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    max_position_embeddings: Dim = fields.size(512)
    tie_word_embeddings: bool = fields.always(True)

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return width_over_heads(self)

    @property
    def network_width(self) -> int:
        """Eight thirds of the stream's width, as a multiple of UNIT."""
        if type(self.hidden_size) is not int:
            raise ConfigError(f"n_embd is {self.hidden_size}: the network's width is rounded, so give a number")
        return UNIT * round(int(8 * self.hidden_size / 3) / UNIT)


def describe(config: LilleConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = Layer(
        rotated_attention(config, module="attention", joint="qkv_proj", out="out_proj"),
        network(config, module="feed_forward", width=config.network_width),
        attention_norm="attention.norm",
        mlp_norm="feed_forward.norm",
    )
    return around(config, layer, module="transformer", embedding="tok_embeddings")


ARCHITECTURE = decoder(
    "lille-130m",
    LilleConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "n_embd": "hidden_size",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "block_size": "max_position_embeddings",
    },
    classes=(CAUSAL, ALONE),
    stem="Lille130m",
    no_cost={"layer_norm_eps": None},
    doc="Lille: norms inside attention and network.",
)
