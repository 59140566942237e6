"""diffusers' ResNet blocks, and how maps shrink and grow between them."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct_architectures.layers import dropped, linear

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_diffusers.layers import act, conv, group_norm

SHIFT, SCALE_SHIFT = "default", "scale_shift"


@frozen(kw_only=True)
class Resnet:
    """What all ResNet blocks of a model share.

    Attributes:
        groups: Groups of each norm.
        act: The activation, as diffusers names it.
        time: How the time enters: `default` is added, `scale_shift` scales the second norm as well.
        time_activated: Whether the time is already activated (`resnet_skip_time_act`).
        dropout: The dropout before the second convolution.
        workload: The workload.
    """

    groups: Dim
    act: str = "silu"
    time: str = SHIFT
    time_activated: bool = False
    dropout: float = 0.0
    workload: Workload

    def activated(self, b: Builder, name: str, x: Value) -> Value:
        """Applies the activation."""
        return act(b, self.act, x, name)


def resnet(b: Builder, name: str, x: Value, channels: Dim, time: Value | None, r: Resnet, resize: str = "") -> Value:
    """Applies ResnetBlock2D: norm, activation and convolution, twice, and x added through a 1x1 convolution where the
    channels change. `time` (batch, width) enters after the first convolution. `resize` is `up` or `down` for a block
    that changes the map's size."""
    taken = x.spec.shape[1]
    with b.scope(name):
        y = r.activated(b, "nonlinearity_1", group_norm(b, "norm1", x, r.groups))
        if resize == "up":
            x, y = doubled(b, "upsample_input", x), doubled(b, "upsample", y)
        elif resize == "down":
            x, y = halved(b, "downsample_input", x), halved(b, "downsample", y)
        y = conv(b, "conv1", y, channels)
        parts: list[Value] = []
        if time is not None:
            time = time if r.time_activated else r.activated(b, "nonlinearity_time", time)
            time = linear(b, "time_emb_proj", time, channels if r.time == SHIFT else 2 * channels)
            batch, width = time.spec.shape
            time = b.apply("reshape", time, name="time", shape=(batch, width, 1, 1))
            if r.time == SHIFT:
                y = b.apply("add", y, time, name="timed")
            else:
                parts = list(b.apply("split", time, name="time_parts", parts=2, dim=1))
        y = group_norm(b, "norm2", y, r.groups)
        if parts:
            y = b.apply("mul", y, b.apply("shift", parts[0], name="gain"), name="gained")
            y = b.apply("add", y, parts[1], name="timed")
        y = r.activated(b, "nonlinearity_2", y)
        y = conv(b, "conv2", dropped(b, "dropout", y, r.dropout, r.workload), channels)
        if not equal(taken, channels):
            if r.workload.phase == "train":  # a copy if x lies with its channels last, as attention leaves maps
                x = b.apply("contiguous", x, name="shortcut_in_order")
            x = conv(b, "conv_shortcut", x, channels, 1)
        return b.apply("scale", b.apply("add", x, y, name="residual"), name="rescaled")


def halved(b: Builder, name: str, x: Value) -> Value:
    """Returns the means of 2 x 2 squares."""
    return b.apply("avg_pool", x, name=name, kernel=2, stride=2)


def doubled(b: Builder, name: str, x: Value, size: Sequence[Dim] | None = None) -> Value:
    """Returns each element 2 x 2 times, or a map of a given height and width."""
    height, width = x.spec.shape[2:]
    return b.apply("upsample_nearest", x, name=name, size=tuple(size or (2 * height, 2 * width)))


def downsample(b: Builder, name: str, x: Value, *, padding: int = 1) -> Value:
    """Applies Downsample2D with a convolution of stride 2; without padding, one row and column are added after."""
    with b.scope(name):
        if padding == 0:
            x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (0, 1), (0, 1)))
        return conv(b, "conv", x, x.spec.shape[1], stride=2, padding=padding)


def upsample(b: Builder, name: str, x: Value, size: Sequence[Dim] | None = None) -> Value:
    """Applies Upsample2D with a convolution, to twice the size or to a given one."""
    with b.scope(name):
        return conv(b, "conv", doubled(b, "interpolated", x, size), x.spec.shape[1])
