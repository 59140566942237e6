"""Convolutions over samples and back, as neural codecs have them (SEANet: Tagliasacchi et al., 2020, arXiv:2009.02095).

Sounds are (batch, channels, length). A convolution is padded so that its output is as long as its input over its
stride, rounded up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import Builder, ConfigError, Dim, Parameter, Value, ceil_div, equal, exact_div, floor_div, frozen, prod

WEIGHT, GROUP = "weight_norm", "time_group_norm"
"""How a convolution is normalized: its weight is kept as a direction and a length, or its output has one norm."""


@frozen
class Seanet:
    """An encoder of samples, or a decoder.

    Attributes:
        channels: Channels of a sound.
        filters: The width after the first convolution.
        width: The width of the rows that the encoder makes.
        ratios: How many positions of each stage of the decoder stand for one before it.
        residuals: Residual blocks of each stage.
        kernel, last_kernel, residual_kernel: Taps of the convolutions.
        growth: By what the dilation grows from block to block.
        compress: By what a block's inner width is less.
        recurrent: Layers of long short-term memory between the stages and the rows.
        shortcut: Whether a block's other branch has a convolution too.
        norm: WEIGHT, GROUP, or empty for none.
        causal: Whether a convolution is padded on the left alone.
        trim: The share of a transposed convolution's surplus that is cut off on the right, if causal.
    """

    channels: Dim
    filters: Dim
    width: Dim
    ratios: tuple[Dim, ...]
    residuals: Dim
    kernel: Dim
    last_kernel: Dim
    residual_kernel: Dim
    growth: Dim
    compress: Dim
    recurrent: Dim
    shortcut: bool
    norm: str
    causal: bool
    trim: float


def seanet(config: Any, recurrent: Dim = 0, norm: str = "") -> Seanet:
    """Returns the convolutions that a configuration's keys describe."""
    return Seanet(
        config.audio_channels,
        config.num_filters,
        config.hidden_size,
        config.upsampling_ratios,
        config.num_residual_layers,
        config.kernel_size,
        config.last_kernel_size,
        config.residual_kernel_size,
        config.dilation_growth_rate,
        config.compress,
        recurrent,
        config.use_conv_shortcut,
        norm,
        config.use_causal_conv,
        config.trim_right_ratio,
    )


def encoded(s: Seanet, b: Builder, x: Value) -> Value:
    """Returns the rows (batch, width, positions) of samples (batch, channels, length); the builder is in the encoder's
    scope."""
    place, width = 1, s.filters
    x = convolution(s, b, "layers.0", x, width, s.kernel)
    for ratio in reversed(s.ratios):
        for index in range(residuals(s)):
            x = residual(s, b, f"layers.{place}", x, s.growth**index)
            place += 1
        x = b.apply("elu", x, name=f"layers.{place}")
        width *= 2
        x = convolution(s, b, f"layers.{place + 1}", x, width, 2 * ratio, stride=ratio)
        place += 2
    if not equal(s.recurrent, 0):
        x = recurrent(s, b, f"layers.{place}", x)
        place += 1
    x = b.apply("elu", x, name=f"layers.{place}")
    return convolution(s, b, f"layers.{place + 1}", x, s.width, s.last_kernel)


def decoded(s: Seanet, b: Builder, x: Value) -> Value:
    """Returns samples (batch, channels, length) of rows (batch, width, positions); the builder is in the decoder's
    scope."""
    place, width = 1, s.filters * 2 ** len(s.ratios)
    x = convolution(s, b, "layers.0", x, width, s.kernel)
    if not equal(s.recurrent, 0):
        x = recurrent(s, b, "layers.1", x)
        place = 2
    for ratio in s.ratios:
        x = b.apply("elu", x, name=f"layers.{place}")
        width = floor_div(width, 2)
        x = transposed(s, b, f"layers.{place + 1}", x, width, 2 * ratio, ratio)
        place += 2
        for index in range(residuals(s)):
            x = residual(s, b, f"layers.{place}", x, s.growth**index)
            place += 1
    x = b.apply("elu", x, name=f"layers.{place}")
    return convolution(s, b, f"layers.{place + 1}", x, s.channels, s.last_kernel)


def residuals(s: Seanet) -> int:
    """Returns how many blocks a stage has. Raises ConfigError if it is no number."""
    if type(s.residuals) is not int:
        raise ConfigError("num_residual_layers must be a number: each block has a dilation of its own")
    return s.residuals


def convolution(
    s: Seanet,
    b: Builder,
    name: str,
    x: Value,
    width: Dim,
    kernel: Dim,
    *,
    stride: Dim = 1,
    dilation: Dim = 1,
    bias: bool = True,
) -> Value:
    """Returns x after a padded convolution, (batch, width, length / stride)."""
    length = x.spec.shape[2]
    surplus = (kernel - 1) * dilation + 1 - stride
    right = floor_div(surplus, 2) if not s.causal else 0
    extra = ceil_div(length, stride) * stride - length
    if not (equal(surplus, 0) and equal(extra, 0)):
        x = b.apply("pad", x, name=f"{name}.padded", padding=((surplus - right, right + extra),))
    with b.scope(name):
        weight = weights(s, b, (width, x.spec.shape[1], kernel))
        options: dict[str, Any] = {} if equal(stride, 1) else {"stride": stride}
        options |= {} if equal(dilation, 1) else {"dilation": dilation}
        rest = (b.parameter("conv.bias", (width,)),) if bias else ()
        return normed(s, b, b.apply("convolution", x, weight, *rest, name="conv", **options))


def transposed(
    s: Seanet,
    b: Builder,
    name: str,
    x: Value,
    width: Dim,
    kernel: Dim,
    stride: Dim,
    *,
    groups: Dim = 1,
    bias: bool = True,
) -> Value:
    """Returns x after a transposed convolution, cut to `stride` times its length."""
    _, before, length = x.spec.shape
    with b.scope(name):
        weight = weights(s, b, (before, exact_div(width, groups, "channels / groups"), kernel))
        rest = (b.parameter("conv.bias", (width,)),) if bias else ()
        more = {} if equal(groups, 1) else {"groups": groups}
        x = b.apply("convolution_transposed", x, weight, *rest, name="conv", stride=stride, **more)
        x = normed(s, b, x)
        surplus = kernel - stride
        if equal(surplus, 0):
            return x
        left = surplus - (trimmed(surplus, s.trim) if s.causal else floor_div(surplus, 2))
        return b.apply("slice", x, name="cut", dim=2, start=left, length=length * stride)


def trimmed(surplus: Dim, share: float) -> Dim:
    """Returns a share of a surplus, rounded up."""
    return surplus if share == 1 else -int(-surplus * share // 1)


def weights(s: Seanet, b: Builder, shape: Sequence[Dim]) -> Value | Parameter:
    """Returns a convolution's weight; one that is kept as a direction and a length is put together."""
    if s.norm != WEIGHT:
        return b.parameter("conv.weight", shape)
    lengths = b.parameter("conv.parametrizations.weight.original0", (shape[0], 1, 1))
    directions = b.parameter("conv.parametrizations.weight.original1", shape)
    made: Value = b.apply("weight_norm", directions, lengths, name="conv_weight")
    return made


def normed(s: Seanet, b: Builder, x: Value) -> Value:
    """Returns a convolution's output, with a norm over all of it if the model has one."""
    if s.norm != GROUP:
        return x
    scale, shift = (b.parameter(f"norm.{part}", x.spec.shape[1:2]) for part in ("weight", "bias"))
    return b.apply("group_norm", x, scale, shift, name="norm", groups=1)


def residual(s: Seanet, b: Builder, name: str, x: Value, dilation: Dim) -> Value:
    """Returns x with the output of two convolutions added."""
    width = x.spec.shape[1]
    with b.scope(name):
        y = b.apply("elu", x, name="block.0")
        inner = floor_div(width, s.compress)
        y = convolution(s, b, "block.1", y, inner, s.residual_kernel, dilation=dilation)
        y = convolution(s, b, "block.3", b.apply("elu", y, name="block.2"), width, 1)
        x = convolution(s, b, "shortcut", x, width, 1) if s.shortcut else x
        return b.apply("add", x, y, name="residual")


def recurrent(s: Seanet, b: Builder, name: str, x: Value) -> Value:
    """Returns x with the output of long short-term memory over its positions added."""
    width = x.spec.shape[1]
    if type(s.recurrent) is not int:
        raise ConfigError("num_lstm_layers must be a number: each layer has its tensors")
    with b.scope(name):
        x = b.apply("permute", x, name="time_first", dims=(2, 0, 1))
        tensors = [
            b.parameter(f"lstm.{part}_l{layer}", (4 * width, width) if "weight" in part else (4 * width,))
            for layer in range(s.recurrent)
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        y = b.apply("lstm", x, *tensors, name="lstm", num_layers=s.recurrent)
        x = b.apply("add", y, x, name="with_input")
        return b.apply("permute", x, name="time_last", dims=(1, 2, 0))


def hop(ratios: Sequence[Dim]) -> Dim:
    """Returns how many samples a row stands for."""
    return prod(ratios)
