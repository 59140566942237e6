"""Parakeet's encoder: convolutions over a spectrum's plane, then conformer layers.

Rekesh et al., 2023 (arXiv:2305.05084).
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.relative import by_sinusoids
from graphacct_architectures.audio.parts.stem import batch_norm, convolution
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.derived import agree, derived
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE

FRAMES_PER_SECOND = 100
"""Of the spectrum that its preprocessor makes: a frame every 10 ms."""


@frozen(kw_only=True)
class ParakeetEncoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("ParakeetEncoder", ("ParakeetEncoder",))
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Any = derived()
    intermediate_size: Dim = fields.size(4096)
    hidden_act: str = activation("silu")
    attention_bias: bool = fields.flag(True)
    convolution_bias: bool = fields.flag(True)
    conv_kernel_size: Dim = fields.size(9)
    subsampling_factor: Dim = fields.size(8)
    subsampling_conv_channels: Dim = fields.size(256)
    num_mel_bins: Dim = fields.size(80)
    subsampling_conv_kernel_size: Dim = fields.size(3)
    subsampling_conv_stride: Dim = fields.size(2)
    dropout: float = fields.probability(0.1)
    dropout_positions: float = fields.probability(0.0)
    layerdrop: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        agree("num_key_value_heads", self.num_key_value_heads, self.num_attention_heads)

    @property
    def halvings(self) -> int:
        """How many convolutions with a stride there are. Raises ConfigError if the factor is no integer."""
        if type(self.subsampling_factor) is not int:
            raise ConfigError("subsampling_factor must be a number: its logarithm counts convolutions")
        return int(log2(self.subsampling_factor))


def encoded(config: ParakeetEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the encoder's output, (batch, positions, width); the builder is in its scope."""
    frames = b.input("input_features", (workload.batch, workload.frames, config.num_mel_bins))
    with b.scope("subsampling"):
        x = subsampled(config, b, frames)
    x = b.apply("scale", x, name="input_scaled")
    batch, seq, width = x.spec.shape
    table = b.apply("full", name="encode_positions", shape=(batch, 2 * seq - 1, width), dtype=b.dtype)
    x = dropped(b, "dropout", x, config.dropout, workload)
    table = dropped(b, "dropout_positions", table, config.dropout_positions, workload)
    b.hold(table)
    return b.repeat("layers", config.num_hidden_layers, layer(config, workload), x, constants=(table,))


def subsampled(config: ParakeetEncoderConfig, b: Builder, frames: Value) -> Value:
    """Returns frames as fewer positions: a convolution over time and bins, then some in depth, each with one of single
    places, and a projection."""
    batch, count, bins = frames.spec.shape
    channels, stride, kernel = (
        config.subsampling_conv_channels,
        config.subsampling_conv_stride,
        config.subsampling_conv_kernel_size,
    )
    x = b.apply("reshape", frames, name="one_channel", shape=(batch, 1, count, bins))

    def convolved(index: int, x: Value, taps: Dim, of_group: Dim, **options: Any) -> Value:
        name = f"layers.{index}"
        weight = b.parameter(f"{name}.weight", (channels, of_group, taps, taps))
        return b.apply("convolution", x, weight, b.parameter(f"{name}.bias", (channels,)), name=name, **options)

    wide = {"stride": stride, "padding": (kernel - 1) // 2}
    x = b.apply("relu", convolved(0, x, kernel, 1, **wide), name="layers.1")
    for index in range(config.halvings - 1):
        first = 2 + 3 * index
        x = convolved(first, x, kernel, 1, groups=channels, **wide)
        x = b.apply("relu", convolved(first + 1, x, 1, channels), name=f"layers.{first + 2}")
    _, _, places, rest = x.spec.shape
    if has_value(rest) and has_value(bins) and rest != bins // stride**config.halvings:
        raise ConfigError(
            f"num_mel_bins {bins} leaves {rest} after the convolutions, and the projection reads "
            f"{bins // stride**config.halvings}: the class does not run"
        )
    x = b.apply("transpose", x, name="time_first", dims=(1, 2))
    x = b.apply("reshape", x, name="flat", shape=(batch, places, channels * rest))
    return linear(b, "linear", x, config.hidden_size)


def layer(config: ParakeetEncoderConfig, workload: Workload) -> Callable[..., Value]:
    """Returns the body of one layer."""
    network = Mlp(
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        gated=False,
        up="linear1",
        down="linear2",
        bias=config.attention_bias,
        dropout=config.activation_dropout,
    )

    def half(b: Builder, x: Value, name: str) -> Value:
        y = layer_norm(b, f"norm_{name}", x)
        with b.scope(name):
            y = mlp(network, b, y, workload)
        return b.apply("add", x, b.apply("scale", y, name=f"{name}_halved"), name=f"{name}_residual")

    def body(b: Builder, x: Value, table: Value) -> Value:
        x = half(b, x, "feed_forward1")
        y = layer_norm(b, "norm_self_att", x)
        with b.scope("self_attn"):
            b.hold(y)
            y, weights = attended(config, workload, b, y, table)
        b.hold(*weights)
        x = b.apply("add", x, y, name="attn_residual")
        y = layer_norm(b, "norm_conv", x)
        with b.scope("conv"):
            y = convolved(config, workload, b, y)
        x = b.apply("add", x, y, name="conv_residual")
        return layer_norm(b, "norm_out", half(b, x, "feed_forward2"))

    return body


def attended(
    config: ParakeetEncoderConfig, workload: Workload, b: Builder, x: Value, table: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Adds self-attention whose scores know distances; the builder is in its scope. Returns the output and, with eager
    attention, the weights."""
    width, heads, bias = config.hidden_size, config.num_attention_heads, config.attention_bias
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    q, k, v = (
        split_heads(b, linear(b, f"{label}_proj", x, heads * d_head, bias=bias), heads, d_head, label)
        for label in "qkv"
    )
    q, scores_of_places = by_sinusoids(b, q, table, ("relative_k_proj", "bias"))
    b.hold(q, k, v, scores_of_places)
    drop = config.attention_dropout
    written: tuple[Value, ...] = ()
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": drop} if workload.phase == "train" and drop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, scores_of_places, name="sdpa", **options)
    else:
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = b.apply("add", b.apply("scale", scores, name="scale"), scores_of_places, name="biased")
        upcast = {"dtype": "float32"} if b.dtype != "float32" else {}
        weights = b.apply("softmax", scores, name="softmax", **upcast)
        if upcast:
            weights = b.apply("cast", weights, name="weights", dtype=b.dtype)
        written = (dropped(b, "attn_dropout", weights, drop, workload),)
        y = b.apply("matmul", *written, v, name="values")
    return linear(b, "o_proj", merge_heads(b, y), width, bias=bias), written


def convolved(config: ParakeetEncoderConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the convolution's output: a gated linear unit, the convolution in depth, a norm, and a projection."""
    width, kernel, bias = config.hidden_size, config.conv_kernel_size, config.convolution_bias
    if has_value(kernel) and kernel % 2 == 0:
        raise ConfigError(f"conv_kernel_size is {kernel}: an odd number, which leaves as many positions")
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = convolution(b, "pointwise_conv1", x, 2 * width, 1, bias=bias)
    x = b.apply("glu", x, name="glu", dim=1)
    x = convolution(b, "depthwise_conv", x, width, kernel, bias=bias, groups=width, padding=(kernel - 1) // 2)
    x = activated(b, ACTIVATIONS[config.hidden_act], batch_norm(b, "norm", x, workload), "activation")
    x = convolution(b, "pointwise_conv2", x, width, 1, bias=bias)
    return b.apply("transpose", x, name="channels_last", dims=(1, 2))


def dropping(config: ParakeetEncoderConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns that layers which chance drops in a training step are counted."""
    if not config.layerdrop:
        return ()
    return (f"layerdrop {config.layerdrop}: the layers that chance drops are counted as if they ran",)


def family(name: str, config: type[Any], build: Any, inexact: Any, presets: PresetFiles, doc: str) -> Architecture:
    """Returns an Architecture that reads frames."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"frames": lambda config: FRAMES_PER_SECOND},
        per_second={"frames": lambda config: FRAMES_PER_SECOND},
        attention=("fused", "eager"),
        aliases={"torch_dtype": "dtype"},
        no_cost=dict.fromkeys(
            (
                *("scale_input", "ctc_loss_reduction", "ctc_zero_infinity"),
                "max_position_embeddings",
            )
        ),
        model_types=(name,),
        losses=SUM_ALONE,
        inexact=inexact,
        doc=doc,
    )


ARCHITECTURE = family(
    "parakeet_encoder",
    ParakeetEncoderConfig,
    encoded,
    dropping,
    PresetFiles(__file__),
    "Parakeet's encoder: convolutions over a spectrum's plane, conformer layers.",
)
