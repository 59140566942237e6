"""What timm's convolutional networks share: convolutions that pad by themselves, norms with an activation, squeeze and
excitation, and what blurs a map before it is made smaller.

The names are those of timm's modules.
"""

from __future__ import annotations

from graphacct_architectures.layers import activation

from graphacct import Builder, ConfigError, Dim, Value, exact_div, frozen
from graphacct_vision.parts.layers import batch_norm, convolution, group_norm


@frozen
class Style:
    """How all convolutions and norms of a model are made.

    Attributes:
        act: The activation after a norm.
        training: Whether a batch norm uses the batch's statistics.
        same: Whether a map is padded by its size, as TensorFlow does.
        group: Channels of each group of a group norm; 0 for batch norms.
        blur: `avg` or `blur` if a map is blurred where it is made smaller, in place of a stride.
    """

    act: str = "relu"
    training: bool = False
    same: bool = False
    group: int = 0
    blur: str = ""


def convolved(
    style: Style,
    b: Builder,
    name: str,
    x: Value,
    channels: int,
    kernels: tuple[int, ...] = (1,),
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> Value:
    """Applies a convolution, or several of different kernels that share the channels out."""
    if len(kernels) == 1:
        return padded(style, b, name, x, channels, kernels[0], stride=stride, groups=groups, bias=bias)
    taken = x.spec.shape[1]
    assert type(taken) is int  # the tables' sizes are numbers
    parts = b.apply("split", x, name=f"{name}.parts", sizes=shared_out(taken, len(kernels)), dim=1)
    found = []
    for place, (part, count, kernel) in enumerate(zip(parts, shared_out(channels, len(kernels)), kernels, strict=True)):
        own = part.spec.shape[1] if groups == taken else 1
        found.append(padded(style, b, f"{name}.{place}", part, count, kernel, stride=stride, groups=own))
    joined: Value = b.apply("concat", *found, name=f"{name}.joined", dim=1)
    return joined


def shared_out(channels: int, count: int) -> tuple[int, ...]:
    """Returns the channels of each part; the first has the rest."""
    least = channels // count
    return (channels - (count - 1) * least, *[least] * (count - 1))


def padded(
    style: Style,
    b: Builder,
    name: str,
    x: Value,
    channels: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> Value:
    """Applies a convolution with as many outputs as inputs over the stride."""
    padding = (stride - 1 + kernel - 1) // 2
    if style.same and (stride > 1 or kernel % 2 == 0):
        pairs = tuple(edges(side, kernel, stride) for side in x.spec.shape[2:])
        x = b.apply("pad", x, name=f"{name}_padded", padding=((0, 0), (0, 0), *pairs))
        padding = 0
    found: Value = convolution(b, name, x, channels, kernel, stride=stride, padding=padding, groups=groups, bias=bias)
    return found


def edges(side: Dim, kernel: int, stride: int) -> tuple[int, int]:
    """Returns how many zeros stand before and after a side, so that every stride has an output."""
    if type(side) is not int:
        raise ConfigError("TensorFlow's padding depends on the image's size: image_size is integers")
    missing = max(kernel - (side % stride or stride), 0)
    return missing // 2, missing - missing // 2


def normed(style: Style, b: Builder, name: str, x: Value, *, act: bool = True) -> Value:
    """Applies a norm, and the activation inside its module if `act`."""
    if style.group:
        y = group_norm(b, name, x, exact_div(x.spec.shape[1], style.group, "channels / channels of a group"))
    else:
        y = batch_norm(b, name, x, training=style.training)
    return activation(b, style.act, y, f"{name}_act") if act else y


def blurred(style: Style, b: Builder, name: str, x: Value, stride: int = 2) -> Value:
    """Makes a map smaller: the mean of neighbours, or their binomial sum, which a convolution with constants is."""
    if style.blur == "avg":
        found: Value = b.apply("avg_pool", x, name=name, kernel=stride, stride=stride)
        return found
    channels = x.spec.shape[1]
    with b.scope(name):
        mode = {"blur": "reflection_pad", "blurpc": "pad"}[style.blur]
        ones = (1, 1, 1, 1) if mode == "reflection_pad" else ((0, 0), (0, 0), (1, 1), (1, 1))
        x = b.apply(mode, x, name="padded", padding=ones)
        weight = b.parameter("filt", (channels, 1, 3, 3), buffer=True)
        return b.apply("convolution", x, weight, name="blur", stride=stride, groups=channels)


def squeezed(
    b: Builder,
    name: str,
    x: Value,
    narrow: int,
    *,
    act: str,
    gate: str = "sigmoid",
    parts: tuple[str, str] = ("conv_reduce", "conv_expand"),
    inner_act: str = "act1",
) -> Value:
    """Returns the map times a gate of each channel, from all channels' means through `narrow` ones."""
    b.hold(x)
    with b.scope(name):
        y = b.apply("mean", x, name="mean", dim=(2, 3), keepdim=True)
        y = activation(b, act, convolution(b, parts[0], y, narrow, bias=True), inner_act)
        y = b.apply(gate, convolution(b, parts[1], y, x.spec.shape[1], bias=True), name="gate")
        found: Value = b.apply("mul", x, y, name="gated")
    return found
