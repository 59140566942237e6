"""Moonshine: convolutions over samples, an encoder and a decoder with rotary positions.

Jeffries et al., 2024 (arXiv:2410.15608).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    ceil_div,
    differ,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import fraction, rotary_dims
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Entry,
    Head,
    Part,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "MoonshineForConditionalGeneration", "MoonshineModel"
RATE = 16_000
"""Samples in a second."""
KERNELS, STRIDES = (127, 7, 3), (64, 3, 2)
ROTATED = 0.9
"""The share of a head that is rotated, where a file does not say it."""
NORM = Norm(LAYER_NORM)


@frozen(kw_only=True)
class MoonshineConfig:
    """The keys of the published config.json that the cost depends on. The class gives the encoder's heads to the
    decoder too, whatever the file says."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    vocab_size: Dim = fields.size(32768)
    hidden_size: Dim = fields.size(288)
    intermediate_size: Dim = fields.size(1152)
    encoder_num_hidden_layers: Dim = fields.size(6)
    decoder_num_hidden_layers: Dim = fields.size(6)
    encoder_num_attention_heads: Dim = fields.size(8)
    encoder_num_key_value_heads: Dim | None = fields.optional_size()
    pad_head_dim_to_multiple_of: Dim | None = fields.optional_size()
    head_dim: Dim | None = fields.optional_size()
    encoder_hidden_act: str = activation("gelu")
    decoder_hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(512)
    partial_rotary_factor: float = fraction(ROTATED)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return floor_div(self.hidden_size, self.encoder_num_attention_heads) if self.head_dim is None else self.head_dim

    def __attrs_post_init__(self) -> None:
        check_heads("encoder_", self.encoder_num_attention_heads, self.encoder_num_key_value_heads)


def check_heads(side: str, heads: Dim, shared: Dim | None) -> None:
    """Raises ConfigError unless keys and values have as many heads as queries; the keys' names begin with `side`."""
    if shared is not None and differ(shared, heads):
        raise ConfigError(
            f"{side}num_key_value_heads is {shared} and {side}num_attention_heads {heads}: the class runs only with as "
            "many of both"
        )


def self_attention(config: Any, heads: Dim) -> Attention:
    """Returns attention with a part of each head rotated, and heads padded with zeros to a multiple."""
    multiple, d_head = config.pad_head_dim_to_multiple_of, config.d_head
    return Attention(
        heads,
        d_head,
        "self_attn",
        out="o_proj",
        bias=config.attention_bias,
        out_bias=False,
        dropout=config.attention_dropout,
        rotary=rotary_dims(config, paired=True),
        padded=0 if multiple is None else multiple * ceil_div(d_head, multiple) - d_head,
    )


def convolved(width: Dim, b: Builder, samples: Value) -> Value:
    """Returns samples (batch, samples) as a stream (batch, positions, width)."""
    batch, count = samples.spec.shape
    x = b.apply("reshape", samples, name="one_channel", shape=(batch, 1, count))
    x = convolution(b, "conv1", x, width, KERNELS[0], bias=False, stride=STRIDES[0])
    x = b.apply("tanh", x, name="conv1_act")
    scale, shift = (b.parameter(f"groupnorm.{part}", (width,)) for part in ("weight", "bias"))
    x = b.apply("group_norm", x, scale, shift, name="groupnorm", groups=1)
    for place, wide in ((1, 2 * width), (2, width)):
        x = convolution(b, f"conv{place + 1}", x, wide, KERNELS[place], stride=STRIDES[place])
        x = b.apply("gelu", x, name=f"conv{place + 1}_act")
    return b.apply("permute", x, name="positions_last", dims=(0, 2, 1))


def check_length(workload: Workload) -> None:
    """Raises ConfigError for a sound that is shorter than one position."""
    least = 1
    for kernel, stride in zip(reversed(KERNELS), reversed(STRIDES), strict=True):
        least = (least - 1) * stride + kernel
    if has_value(workload.samples) and workload.samples < least:
        raise ConfigError(f"samples is {workload.samples}: the model's convolutions need {least} for one position")


def samples(workload: Workload, b: Builder) -> Value:
    """Adds the samples, (batch, samples)."""
    check_length(workload)
    return b.input("input_values", (workload.batch, workload.samples))


def decoder_layer(config: Any, own: Attention) -> tuple[Part, ...]:
    """Returns the parts of a decoder's layer: what a token reads of those before it, what it reads of the sound, and a
    gated network. `own` is the first of them."""
    act = ACTIVATIONS[config.decoder_hidden_act]
    inner = Mlp(config.intermediate_size, act, gated=True, joint="fc1", down="fc2", bias=True)
    cross = attrs.evolve(own, module="encoder_attn", cross=True, rotary=0)
    return (
        Part(own, "input_layernorm"),
        Part(cross, "post_attention_layernorm"),
        Part(inner, "final_layernorm"),
    )


def describe(config: MoonshineConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks, with norms that have no bias."""
    width, own = config.hidden_size, self_attention(config, config.encoder_num_attention_heads)
    act = ACTIVATIONS[config.encoder_hidden_act]
    network = Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True)
    encoder = Stack(
        (Part(own, "input_layernorm"), Part(network, "post_attention_layernorm")),
        config.encoder_num_hidden_layers,
        "encoder",
        norm="layer_norm",
        norm_kind=NORM,
        entry=Entry(samples, lambda workload, b, x: convolved(width, b, x)),
    )
    decoder = Stack(
        decoder_layer(config, own), config.decoder_num_hidden_layers, "decoder", norm="norm", norm_kind=NORM
    )
    return both(config, encoder, decoder)


def both(config: Any, encoder: Stack, decoder: Stack) -> EncoderDecoder:
    """Returns the two stacks, with the head of words in a class that has one."""
    headed = not config.architectures.endswith("Model")
    return EncoderDecoder(
        config.vocab_size,
        config.hidden_size,
        encoder,
        decoder,
        module="model" if headed else "",
        shared="",
        head=Head("proj_out", tied=config.tie_word_embeddings) if headed else None,
    )


ARCHITECTURE = encoder_decoder(
    "moonshine",
    MoonshineConfig,
    describe,
    PresetFiles(__file__),
    doc="Moonshine: convolutions over samples, an encoder and a decoder with rotary positions and a gated network.",
    context=lambda config: config.max_position_embeddings,
    sounds={"samples": lambda config: RATE},
    per_second={"samples": lambda config: RATE},
    no_cost={
        **dict.fromkeys(("decoder_num_attention_heads", "decoder_num_key_value_heads", "num_attention_heads")),
        "num_key_value_heads": None,
    },
    aliases={"num_hidden_layers": "decoder_num_hidden_layers", "hidden_act": "decoder_hidden_act"},
)
