"""Speech2Text: convolutions over frames of a spectrum, an encoder, and a decoder of the text.

Wang et al., 2020 (arXiv:2010.05171).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Entry,
    Head,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.embeddings import placed
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.layers import dropped

LM, MODEL = "Speech2TextForConditionalGeneration", "Speech2TextModel"
SPARE = 2
"""Rows of the position tables before the first position."""


@frozen(kw_only=True)
class Speech2TextConfig:
    """The keys of the published config.json that the cost depends on."""

    STRIDE: ClassVar[int] = 2

    architectures: str = fields.model_class(LM, (LM, MODEL))
    vocab_size: Dim = fields.size(10000)
    encoder_layers: Dim = fields.size(12, minimum=0)
    encoder_ffn_dim: Dim = fields.size(2048)
    encoder_attention_heads: Dim = fields.size(4)
    decoder_layers: Dim = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(2048)
    decoder_attention_heads: Dim = fields.size(4)
    encoder_layerdrop: float = fields.probability(0.0)
    decoder_layerdrop: float = fields.probability(0.0)
    activation_function: str = activation("relu")
    d_model: Dim = fields.size(256)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    max_source_positions: Dim = fields.size(6000)
    max_target_positions: Dim = fields.size(1024)
    num_conv_layers: Dim = fields.size(2)
    conv_kernel_sizes: tuple[Dim, ...] = fields.counts((5, 5))
    conv_channels: Dim = fields.size(1024)
    input_feat_per_channel: Dim = fields.size(80)
    input_channels: Dim = fields.size(1)
    pad_token_id: Dim = fields.size(1, minimum=0)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if len(self.conv_kernel_sizes) != self.num_conv_layers:
            raise ConfigError(
                f"conv_kernel_sizes has {len(self.conv_kernel_sizes)} values and num_conv_layers is "
                f"{self.num_conv_layers}: one for each convolution"
            )


def given(config: Speech2TextConfig, workload: Workload, b: Builder) -> Value:
    """Adds the frames, (batch, frames, bins)."""
    bins = config.input_feat_per_channel * config.input_channels
    return b.input("input_features", (workload.batch, workload.frames, bins))


def subsampled(config: Speech2TextConfig, b: Builder, x: Value) -> Value:
    """Returns the stream of frames (batch, frames, bins) after the convolutions, each of which leaves half of them."""
    x = b.apply("contiguous", b.apply("transpose", x, name="channels_first", dims=(1, 2)), name="channels_together")
    for index, kernel in enumerate(config.conv_kernel_sizes):
        last = index == len(config.conv_kernel_sizes) - 1
        width = 2 * config.d_model if last else config.conv_channels
        name = f"conv.conv_layers.{index}"
        x = convolution(b, name, x, width, kernel, stride=config.STRIDE, padding=kernel // 2)
        x = b.apply("glu", x, name=f"{name}_glu", dim=1)
    x = b.apply("contiguous", b.apply("transpose", x, name="positions_last", dims=(1, 2)), name="positions_together")
    return b.apply("scale", x, name="frames_scaled")


def entered(config: Speech2TextConfig, table: Positions, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the stream that enters the encoder's layers."""
    x = placed(table, True, workload, b, subsampled(config, b, x))
    return dropped(b, "drop", x, config.dropout, workload)


def describe(config: Speech2TextConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks. A sequence for which a table of positions is too short makes a longer one,
    which changes no FLOPs."""
    width = config.d_model
    spent = config.pad_token_id + 1

    def attention(module: str, heads: Dim, cross: bool = False) -> Part:
        d_head = exact_div(width, heads, "d_model / attention heads")
        own = Attention(heads, d_head, module, cross, dropout=config.attention_dropout, written_out=True)
        return Part(own, f"{module}_layer_norm")

    def network(inner: Dim) -> Part:
        act, drop = ACTIVATIONS[config.activation_function], config.activation_dropout
        module = Mlp(inner, act, gated=False, module="", up="fc1", down="fc2", bias=True, dropout=drop)
        return Part(module, "final_layer_norm")

    def positions(count: Dim) -> Positions:
        count += SPARE
        return Positions("embed_positions", count, count - spent, per_sequence=True, computed=True)

    own = attention("self_attn", config.encoder_attention_heads)
    encoder = Stack(
        (own, network(config.encoder_ffn_dim)),
        config.encoder_layers,
        "encoder",
        norm="layer_norm",
        norm_kind=Norm(LAYER_NORM, bias=True),
        entry=Entry(partial(given, config), partial(entered, config, positions(config.max_source_positions))),
    )
    causal = attention("self_attn", config.decoder_attention_heads)
    other = attention("encoder_attn", config.decoder_attention_heads, cross=True)
    decoder = Stack(
        (causal, other, network(config.decoder_ffn_dim)),
        config.decoder_layers,
        "decoder",
        table_scaled=True,  # by 1 if `scale_embedding` is false
        positions=positions(config.max_target_positions),
        norm="layer_norm",
        norm_kind=Norm(LAYER_NORM, bias=True),
    )
    headed = config.architectures == LM
    return EncoderDecoder(
        config.vocab_size,
        width,
        encoder,
        decoder,
        module="model" if headed else "",
        shared="",
        head=Head(tied=config.tie_word_embeddings) if headed else None,
        dropout=config.dropout,
    )


ARCHITECTURE = encoder_decoder(
    "speech_to_text",
    Speech2TextConfig,
    describe,
    PresetFiles(__file__),
    doc="Speech2Text: convolutions over frames, an encoder and a decoder, sinusoidal positions, LayerNorm first.",
    context=lambda config: config.max_target_positions,
    sounds={"frames": lambda config: config.max_source_positions},
    per_second={"frames": lambda config: 100},
    aliases={
        "hidden_size": "d_model",
        "num_attention_heads": "encoder_attention_heads",
        "num_hidden_layers": "encoder_layers",
    },
)
