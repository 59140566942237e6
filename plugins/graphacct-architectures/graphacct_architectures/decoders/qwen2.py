"""Qwen2 and Qwen2.5: Llama's layers with biases on queries, keys and values.

Yang et al., 2024 (arXiv:2407.10671, arXiv:2412.15115).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, layer_types
from graphacct_architectures.decoders.parts.windows import alternating


@frozen(kw_only=True)
class QwenConfig(DecoderConfig):
    """The keys that all generations of Qwen have; a window counts only if `use_sliding_window` is true."""

    vocab_size: Dim = fields.size(151936)
    intermediate_size: Dim = fields.size(22016)
    num_key_value_heads: Dim | None = fields.optional_size(32)
    max_position_embeddings: Dim = fields.size(32768)
    use_sliding_window: bool = fields.flag(False)
    sliding_window: Dim | None = fields.switched_size(4096, "use_sliding_window", optional=True)
    max_window_layers: Dim = fields.switched_size(28, "use_sliding_window", minimum=0)
    layer_types: tuple[str, ...] | None = layer_types()

    @property
    def window(self) -> Dim | None:
        """How many positions the layers with a window see; None if none has one."""
        return self.sliding_window if self.use_sliding_window else None


@frozen(kw_only=True)
class Qwen2Config(QwenConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True


def upper_layers(config: QwenConfig, layer: Layer) -> Layer | tuple[Layer, ...]:
    """Returns the layers. Those from `max_window_layers` on have the window, unless the file names each layer's
    kind."""

    def slides(index: int) -> bool:
        return bool(index >= config.max_window_layers)

    return alternating(layer, config.num_hidden_layers, config.window, config.layer_types, slides)


def describe(config: Qwen2Config) -> Decoder:
    """Returns layers that differ at most in their window."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=True,
        rotary=config.d_head,
        dropout=config.attention_dropout,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        upper_layers(config, Layer(attention, Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]))),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "qwen2",
    Qwen2Config,
    describe,
    PresetFiles(__file__),
    span="transformer",
    doc="Qwen2, Qwen2.5: Llama's layers, biases on queries, keys and values.",
)
