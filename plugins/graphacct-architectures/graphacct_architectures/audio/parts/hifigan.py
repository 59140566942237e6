"""HiFi-GAN: convolutions that make samples of the frames of a spectrum.

Kong et al., 2020 (arXiv:2010.05646). Frames are (batch, channels, frames).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, brief, equal, fields, floor_div, frozen, has_value, prod
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.layers import resident

TAPS = 7
"""Taps of the first and of the last convolution."""


def dilations(default: tuple[tuple[int, ...], ...]) -> Any:
    """Returns a key that is a list of lists of positive integers."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, ...], ...]:
        rows = default if value is None else value
        if not isinstance(rows, (list, tuple)) or not rows or not all(positive(row) for row in rows):
            raise ConfigError(f"{field.name} is a list of lists of positive integers, not {brief(value)}")
        return tuple(tuple(row) for row in rows)

    return fields.checked_field(check, default)


def positive(row: Any) -> bool:
    """Returns whether a row is a list of integers from 1 that a size may have."""
    return isinstance(row, (list, tuple)) and 0 < len(row) <= 64 and all(type(n) is int and 0 < n < 1e6 for n in row)


@frozen
class HifiGan:
    """A vocoder.

    Attributes:
        width: Channels after the first convolution; each stage halves them.
        rates: How many positions of each stage stand for one before it.
        kernels: Taps of the transposed convolution of each stage.
        block_kernels: Taps of the blocks of a stage, whose outputs are averaged.
        block_dilations: Dilations in each block: two convolutions for each.
        last_bias: Whether the last convolution has a bias.
        speaker: The width of a speaker's vector, whose projection is in memory; 0 for none.
    """

    width: Dim
    rates: tuple[Dim, ...]
    kernels: tuple[Dim, ...]
    block_kernels: tuple[Dim, ...]
    block_dilations: tuple[tuple[int, ...], ...]
    last_bias: bool = True
    speaker: Dim = 0

    @property
    def hop(self) -> Dim:
        """How many samples a frame stands for."""
        return prod(self.rates)


def check_vocoder(h: HifiGan) -> None:
    """Raises ConfigError, which names the key, for sizes that no model can have."""
    if len(h.kernels) != len(h.rates):
        raise ConfigError(
            f"upsample_kernel_sizes has {len(h.kernels)} values and upsample_rates {len(h.rates)}: one for each stage"
        )
    if not h.rates:
        raise ConfigError("upsample_rates has no values: one for each stage")
    if len(h.block_kernels) != len(h.block_dilations):
        raise ConfigError(
            f"resblock_dilation_sizes has {len(h.block_dilations)} values and resblock_kernel_sizes "
            f"{len(h.block_kernels)}: one for each block"
        )
    check_odd("resblock_kernel_sizes", *h.block_kernels)
    for rate, kernel in zip(h.rates, h.kernels, strict=True):
        if has_value(rate) and has_value(kernel) and kernel < rate:
            raise ConfigError(f"upsample_kernel_sizes has {kernel}, less than the rate of its stage, {rate}")
    if has_value(h.width) and h.width < 2 ** len(h.rates):
        raise ConfigError(f"upsample_initial_channel is {h.width}: {len(h.rates)} stages each halve it")


def check_odd(key: str, *kernels: Dim) -> None:
    """Raises ConfigError for an even number of taps, after which a sum would have two lengths."""
    for kernel in kernels:
        if has_value(kernel) and not kernel % 2:
            raise ConfigError(f"{key} has {kernel}: an odd number, which leaves the length as it is")


def vocoded(h: HifiGan, b: Builder, x: Value) -> Value:
    """Returns the samples (batch, 1, samples) of frames; the builder is in the vocoder's scope."""
    x = convolution(b, "conv_pre", x, h.width, TAPS, padding=TAPS // 2)
    if not equal(h.speaker, 0):
        speaker = (b.parameter("cond.weight", (h.width, h.speaker, 1)), b.parameter("cond.bias", (h.width,)))
        resident(b, "cond", *speaker)
    blocks = tuple(zip(h.block_kernels, h.block_dilations, strict=True))
    for stage, (rate, kernel) in enumerate(zip(h.rates, h.kernels, strict=True)):
        x = b.apply("leaky_relu", x, name=f"act_{stage}")
        x = longer(h, stage, rate, kernel, b, x)
        total: Value | None = None
        for place, (taps, gaps) in enumerate(blocks):
            with b.scope(f"resblocks.{stage * len(blocks) + place}"):
                y = block(taps, gaps, b, x)
            total = y if total is None else b.apply("add", total, y, name=f"sum_{stage}_{place}")
        assert total is not None
        x = b.apply("scale", total, name=f"mean_{stage}")
    x = b.apply("leaky_relu", x, name="last_act")
    x = convolution(b, "conv_post", x, 1, TAPS, padding=TAPS // 2, bias=h.last_bias)
    return b.apply("tanh", x, name="tanh")


def longer(h: HifiGan, stage: int, rate: Dim, kernel: Dim, b: Builder, x: Value) -> Value:
    """Returns x after the transposed convolution of a stage."""
    name, width = f"upsampler.{stage}", floor_div(h.width, 2 ** (stage + 1))
    weight = b.parameter(f"{name}.weight", (x.spec.shape[1], width, kernel))
    options: dict[str, Any] = {"stride": rate, "padding": floor_div(kernel - rate, 2)}
    return b.apply("convolution_transposed", x, weight, b.parameter(f"{name}.bias", (width,)), name=name, **options)


def block(kernel: Dim, gaps: tuple[int, ...], b: Builder, x: Value) -> Value:
    """Returns x after a residual block: for each dilation, a convolution with it and one without."""
    width = x.spec.shape[1]
    for index, gap in enumerate(gaps):
        more: dict[str, Any] = {} if gap == 1 else {"dilation": gap}
        y = b.apply("leaky_relu", x, name=f"act1_{index}")
        padding = floor_div(kernel * gap - gap, 2)
        y = convolution(b, f"convs1.{index}", y, width, kernel, padding=padding, **more)
        y = b.apply("leaky_relu", y, name=f"act2_{index}")
        y = convolution(b, f"convs2.{index}", y, width, kernel, padding=floor_div(kernel - 1, 2))
        x = b.apply("add", y, x, name=f"residual_{index}")
    return x
