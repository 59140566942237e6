"""torch.nn.Conv2d and torch.nn.BatchNorm2d. Each function adds a module's parameters and its node."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import activation, linear

from graphacct import Builder, Dim, Value, equal, exact_div, has_value


def convolution(
    b: Builder,
    name: str,
    x: Value,
    channels: Dim,
    kernel: Any = 1,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Dim = 1,
    bias: bool = False,
) -> Value:
    """Applies torch.nn.Conv2d with `channels` out, and a kernel of one size or of two."""
    sides = tuple(kernel) if isinstance(kernel, (tuple, list)) else (kernel, kernel)
    taken = exact_div(x.spec.shape[1], groups, f"channels of {name} / groups")
    given = [b.parameter(f"{name}.weight", (channels, taken, *sides))]
    if bias:
        given.append(b.parameter(f"{name}.bias", (channels,)))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return b.apply("convolution", x, *given, name=name, **options)


def transposed(b: Builder, name: str, x: Value, channels: Dim, kernel: int, *, stride: int = 1) -> Value:
    """Applies torch.nn.ConvTranspose2d with `channels` out, with a bias."""
    weight = b.parameter(f"{name}.weight", (x.spec.shape[1], channels, kernel, kernel))
    bias = b.parameter(f"{name}.bias", (channels,))
    return b.apply("convolution_transposed", x, weight, bias, name=name, stride=stride)


def batch_norm(b: Builder, name: str, x: Value, *, training: bool) -> Value:
    """Applies torch.nn.BatchNorm2d: two parameters, and the buffers of its running statistics."""
    channels = x.spec.shape[1:2]
    parameters = [b.parameter(f"{name}.{part}", channels) for part in ("weight", "bias")]
    parameters += [b.parameter(f"{name}.{part}", channels, buffer=True) for part in ("running_mean", "running_var")]
    parameters.append(b.parameter(f"{name}.num_batches_tracked", (), "int64", buffer=True))
    return b.apply("batch_norm", x, *parameters, name=name, training=training)


def group_norm(b: Builder, name: str, x: Value, groups: Dim) -> Value:
    """Applies torch.nn.GroupNorm."""
    parts = [b.parameter(f"{name}.{part}", x.spec.shape[1:2]) for part in ("weight", "bias")]
    return b.apply("group_norm", x, *parts, name=name, groups=groups)


def frozen_norm(b: Builder, name: str, x: Value) -> Value:
    """Applies a batch norm whose weights and statistics are buffers: a scale and a shift of each channel."""
    channels = x.spec.shape[1]
    with b.scope(name):
        parts = {
            part: b.apply(
                "reshape",
                b.parameter(part, (channels,), buffer=True),
                name=f"{part}_of_channels",
                shape=(1, channels, 1, 1),
            )
            for part in ("weight", "bias", "running_var", "running_mean")
        }
        spread = b.apply("rsqrt", b.apply("shift", parts["running_var"], name="variance"), name="spread")
        scale = b.apply("mul", parts["weight"], spread, name="scale")
        bias = b.apply("sub", parts["bias"], b.apply("mul", parts["running_mean"], scale, name="mean"), name="shift")
        return b.apply("add", b.apply("mul", x, scale, name="scaled"), bias, name="shifted")


def conv_norm(
    b: Builder,
    name: str,
    x: Value,
    channels: Dim,
    kernel: Any = 1,
    *,
    training: bool,
    act: str = "relu",
    parts: tuple[str, str] = ("convolution", "normalization"),
    frozen: bool = False,
    **options: Any,
) -> Value:
    """Applies a module `name` of a convolution, a batch norm (`parts` are their names; what it learned if `frozen`) and
    an activation; no activation if `act` is empty."""
    with b.scope(name):
        x = convolution(b, parts[0], x, channels, kernel, **options)
        x = frozen_norm(b, parts[1], x) if frozen else batch_norm(b, parts[1], x, training=training)
        return activation(b, act, x, "activation")


def padded(b: Builder, x: Value, size: tuple[Dim, Dim]) -> Value:
    """Returns a map with zeros after its last row and column, to whole patches of a size."""
    for axis in (1, 0):
        side, step = x.spec.shape[2 + axis], size[axis]
        if has_value(side) and has_value(step) and side % step:
            rest = [(0, 0), (0, 0)]
            rest[axis] = (0, step - side % step)
            x = b.apply("pad", x, name=f"padded_{axis}", padding=tuple(rest))
    return x


def resized(b: Builder, name: str, x: Value, size: tuple[Dim, ...]) -> Value:
    """Returns the map at another size, between neighbours; torch computes it at the same size too."""
    return b.apply("upsample_linear", x, name=name, size=size)


def flat_logits(b: Builder, name: str, x: Value, labels: Dim) -> Value:
    """Returns the logits of pooled channels (batch, channels, 1, 1), or the channels where there is no head."""
    batch, channels = x.spec.shape[:2]
    x = b.apply("reshape", x, name="flattened", shape=(batch, channels))
    return x if equal(labels, 0) else linear(b, name, x, labels)
