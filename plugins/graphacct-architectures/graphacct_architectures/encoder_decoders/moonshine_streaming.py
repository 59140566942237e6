"""Moonshine for streams: short frames of samples, an encoder without positions, Moonshine's decoder.

Jeffries et al., 2024 (arXiv:2410.15608), and the transformers library's class. No sound is masked: windows of the
encoder change no cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.decoders.parts.attention import attention as grouped
from graphacct_architectures.decoders.parts.description.attention import Attention as Grouped
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import fraction
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoder_decoders.moonshine import (
    NORM,
    RATE,
    both,
    check_heads,
    decoder_layer,
    self_attention,
)
from graphacct_architectures.encoder_decoders.parts.description import (
    EncoderDecoder,
    Entry,
    Part,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.embeddings import looked_up
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.layers import linear

LM, MODEL = "MoonshineStreamingForConditionalGeneration", "MoonshineStreamingModel"
ROTATED = 0.8
"""The share of a head that is rotated, where a file does not say it."""


def milliseconds(default: float) -> Any:
    """Returns a key that is a positive number."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if type(value) not in (int, float) or not 0 < value < 1e6:
            raise ConfigError(f"{field.name} is a positive number, not {brief(value)}")
        return float(value)

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class HeardConfig:
    """The encoder's keys that the cost depends on."""

    hidden_size: Dim = fields.size(320)
    intermediate_size: Dim = fields.size(1280)
    hidden_act: str = activation("gelu")
    num_hidden_layers: Dim = fields.size(6)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim = fields.size(8)
    head_dim: Dim | None = fields.optional_size()
    attention_dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(False)
    sample_rate: Dim = fields.size(RATE)
    frame_ms: float = milliseconds(5.0)

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return floor_div(self.hidden_size, self.num_attention_heads) if self.head_dim is None else self.head_dim

    @property
    def frame(self) -> int:
        """Samples of a frame. Raises ConfigError if the rate is no number."""
        if type(self.sample_rate) is not int:
            raise ConfigError("encoder_config.sample_rate must be a number: it says how long a frame is")
        return round(self.sample_rate * self.frame_ms / 1000.0)


@frozen(kw_only=True)
class MoonshineStreamingConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    encoder_config: HeardConfig | None = fields.nested(HeardConfig, "moonshine_streaming")
    vocab_size: Dim = fields.size(32768)
    hidden_size: Dim = fields.size(320)
    intermediate_size: Dim = fields.size(1280)
    num_hidden_layers: Dim = fields.size(6)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim | None = fields.optional_size()
    decoder_hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(4096)
    partial_rotary_factor: float = fraction(ROTATED)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    head_dim: Dim | None = fields.optional_size()
    pad_head_dim_to_multiple_of: Dim | None = fields.optional_size()
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return floor_div(self.hidden_size, self.num_attention_heads) if self.head_dim is None else self.head_dim

    @property
    def heard(self) -> HeardConfig:
        """The encoder."""
        return self.encoder_config or HeardConfig()

    def __attrs_post_init__(self) -> None:
        check_heads("", self.num_attention_heads, self.num_key_value_heads)


def samples(config: HeardConfig, workload: Workload, b: Builder) -> Value:
    """Adds the samples, (batch, samples)."""
    return b.input("input_values", (workload.batch, workload.samples))


def entered(config: HeardConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns samples (batch, samples) as a stream (batch, positions, width) after all layers and the last norm."""
    with b.scope("embedder"):
        x = embedded(config, b, x)
    attention = Grouped(
        config.num_attention_heads,
        config.num_key_value_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        causal=False,
        unmasked=True,
        dropout=config.attention_dropout,
    )
    act = ACTIVATIONS[config.hidden_act]
    network = Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True)
    x = b.repeat("layers", config.num_hidden_layers, partial(layer, attention, network, workload), x)
    return normed(b, "final_norm", x)


def embedded(config: HeardConfig, b: Builder, x: Value) -> Value:
    """Returns the frames of samples, normalized, compressed and projected, after two convolutions that see earlier
    frames alone."""
    batch, count = x.spec.shape
    width, length = config.hidden_size, config.frame
    frames = exact_div(count, length, f"samples / {length} of a frame")
    x = b.apply("reshape", x, name="frames", shape=(batch, frames, length))
    with b.scope("cmvn"):
        x = b.apply("sub", x, b.apply("mean", x, name="mean", dim=-1, keepdim=True), name="centred")
        power = b.apply("mean", b.apply("square", x, name="squares"), name="power", dim=-1, keepdim=True)
        x = b.apply("div", x, b.apply("sqrt", b.apply("shift", power, name="least"), name="rms"), name="normalized")
    with b.scope("comp"):
        factor = b.apply("exp", b.parameter("log_k", ()), name="factor")
        x = b.apply("asinh", b.apply("mul", factor, x, name="scaled"), name="compressed")
    x = b.apply("silu", linear(b, "linear", x, width, bias=False), name="act")
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    for name, wide in (("conv1", 2 * width), ("conv2", width)):
        x = b.apply("pad", x, name=f"{name}_padded", padding=((4, 0),))
        x = convolution(b, name, x, wide, 5, stride=2)
        if name == "conv1":
            x = b.apply("silu", x, name="conv1_act")
    return b.apply("transpose", x, name="positions_first", dims=(1, 2))


def normed(b: Builder, name: str, x: Value) -> Value:
    """Returns x normalized, times a learned gain plus 1."""
    with b.scope(name):
        y = b.apply("layer_norm", x, name="ln")
        gain = b.apply("shift", b.parameter("gamma", x.spec.shape[-1:]), name="gain")
        return b.apply("mul", y, gain, name="normed")


def layer(attention: Grouped, network: Mlp, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, positions, width) after attention and a network of one hidden layer."""
    b.hold(x)
    y = normed(b, "input_layernorm", x)
    inner = attrs.evolve(workload, phase="train" if workload.phase == "train" else "forward", cache_len=None)
    with b.scope("self_attn"):
        y, weights = grouped(attention, Norm(), inner, b, y, {})
    b.hold(*weights)
    x = b.apply("add", x, y, name="attn_residual")
    y = normed(b, "post_attention_layernorm", x)
    with b.scope("mlp"):
        y = mlp(network, b, y)
    return b.apply("add", x, y, name="mlp_residual")


def taken(config: MoonshineStreamingConfig, workload: Workload, b: Builder, states: Value) -> Value:
    """Returns what the decoder's layers read of the encoder's output: positions are added, and a projection if it is
    not as wide."""
    _, seq, width = states.spec.shape
    most = config.max_position_embeddings
    if has_value(seq) and has_value(most) and seq > most:
        raise ConfigError(f"the sound has {seq} positions, and the model has learned {most}: take fewer samples")
    places = b.apply("arange", name="pos_ids", batch=1, n=seq)
    places = b.apply("reshape", places, name="pos_row", shape=(seq,))
    x = b.apply("add", states, looked_up(b, "pos_emb", places, most, width), name="placed")
    return x if equal(width, config.hidden_size) else linear(b, "proj", x, config.hidden_size, bias=False)


def describe(config: MoonshineStreamingConfig) -> EncoderDecoder:
    """Returns equal layers in the decoder; the encoder has a shape of its own."""
    own = self_attention(config, config.num_attention_heads)
    heard = config.heard
    unread = Part(attrs.evolve(own, rotary=0), "")  # all of the encoder is in its entry
    encoder = Stack((unread,), 0, "encoder", entry=Entry(partial(samples, heard), partial(entered, heard)))
    decoder = Stack(
        decoder_layer(config, own),
        config.num_hidden_layers,
        "decoder",
        norm="norm",
        norm_kind=NORM,
        taken=partial(taken, config),
    )
    return both(config, encoder, decoder)


ARCHITECTURE = encoder_decoder(
    "moonshine_streaming",
    MoonshineStreamingConfig,
    describe,
    PresetFiles(__file__),
    doc="Moonshine for streams: short frames of samples, an encoder without positions, Moonshine's decoder.",
    context=lambda config: config.max_position_embeddings,
    sounds={"samples": lambda config: RATE},
    per_second={"samples": lambda config: RATE},
    aliases={"hidden_act": "decoder_hidden_act"},
    no_cost=dict.fromkeys(("sliding_windows", "max_position_embeddings")),  # of the encoder: masks alone
)
