"""What the transformers library's MobileViTs share: a widened convolution of each channel, and a DeepLab V3 head.

Mehta and Rastegari, 2021 (arXiv:2110.02178); the head: Chen et al., 2017 (arXiv:1706.05587).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from graphacct_architectures.layers import dropped

from graphacct import Builder, ConfigError, Value, Workload, has_value
from graphacct_vision.parts.layers import conv_norm, convolution, resized

RATES = 3


def divisible(value: float, step: int = 8, least: int | None = None, limit: float = 0.9) -> int:
    """Returns the nearest multiple of `step`: no tenth below the value (or at least `limit` of it), and at least
    `least`."""
    found = max(step if least is None else least, int(value + step / 2) // step * step)
    return found + step if found < limit * value else found


def whole(config: Any, key: str) -> tuple[int, ...]:
    """Returns a list of the file whose numbers decide widths. Raises ConfigError for symbols."""
    sizes = getattr(config, key)
    if not all(has_value(size) for size in sizes):
        raise ConfigError(f"{key} are integers: they decide the width of the widened maps")
    return tuple(sizes)


def widened(
    config: Any, training: bool, act: str, b: Builder, x: Value, channels: int, *, stride: int = 1, dilation: int = 1
) -> Value:
    """Returns x widened, convolved channel by channel and narrowed; added to x where the shape is the same."""
    taken = x.spec.shape[1]
    wide = divisible(round(taken * config.expand_ratio))
    conv = partial(conv_norm, b, training=training)
    b.hold(x)
    y = conv("expand_1x1", x, wide, act=act)
    options: dict[str, Any] = {"stride": stride, "padding": dilation, "dilation": dilation, "groups": wide}
    y = conv("conv_3x3", y, wide, 3, act=act, **options)
    y = conv("reduce_1x1", y, channels, act="")
    return b.apply("add", x, y, name="residual") if stride == 1 and taken == channels else y


def dilations(output_stride: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Returns the stride and the dilation of the convolution that begins each of the last three stages."""
    found, dilation = [(2, 1)], 1
    for dilated in (output_stride == 8, output_stride in (8, 16)):
        dilation *= 2 if dilated else 1
        found.append((2, 1) if dilation == 1 else (1, dilation // 2))
    return found[0], found[1], found[2]


def segmented(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the logits of each place, from neighbours at several distances and the image's mean; the builder is in
    the head's scope."""
    training, width = workload.phase == "train", config.aspp_out_channels
    rates: Sequence[Any] = config.atrous_rates
    if len(rates) != RATES:
        raise ConfigError(f"atrous_rates has {len(rates)} numbers: {RATES} for the library's class")
    with b.scope("aspp"):
        conv = partial(conv_norm, b, training=training)
        parts = [conv("convs.0", x, width)]
        for place, rate in enumerate(rates, 1):
            parts.append(conv(f"convs.{place}", x, width, 3, padding=rate, dilation=rate))
        with b.scope(f"convs.{RATES + 1}"):
            mean = b.apply("mean", x, name="global_pool", dim=(2, 3), keepdim=True)
            mean = conv("conv_1x1", mean, width)
            parts.append(resized(b, "resized", mean, x.spec.shape[2:]))
        y = conv("project", b.apply("concat", *parts, name="pyramid", dim=1), width)
        y = dropped(b, "dropout", y, config.aspp_dropout_prob, workload)
    y = dropped_channels(b, "dropout", y, config.classifier_dropout_prob, workload)
    with b.scope("classifier"):
        return convolution(b, "convolution", y, config.num_labels, bias=True)


def dropped_channels(b: Builder, name: str, x: Value, p: float, workload: Workload) -> Value:
    """Applies torch.nn.Dropout2d: whole channels are dropped, in training."""
    if not p or workload.phase != "train":
        return x
    kept = b.apply("random", name=f"{name}_kept", shape=(*x.spec.shape[:2], 1, 1), dtype=x.spec.dtype)
    found: Value = b.apply("mul", x, b.apply("scale", kept, name=f"{name}_scaled"), name=name)
    return found
