"""Convolutions over time: the stem over samples, positions of the stream, adapters after the last layer."""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, exact_div, has_value
from graphacct_architectures.audio.parts.description import EACH, FIRST, Adapter, Convolved, Stem
from graphacct_architectures.layers import activation, layer_norm, linear, resident


def stem(s: Stem, workload: Workload, b: Builder, samples: Value) -> Value:
    """Returns features (batch, positions, width) of samples (batch, samples); the builder is in the stem's scope.

    The library asks for the samples' gradient in training, although nothing uses it.
    """
    check_length(s, workload)
    batch, count = samples.spec.shape
    x = b.apply("reshape", samples, name="one_channel", shape=(batch, 1, count))
    if workload.phase == "train":
        x = b.apply("leaf", x, name="samples_leaf")
    for index, (width, kernel, stride) in enumerate(zip(s.widths, s.kernels, s.strides, strict=True)):
        with b.scope(f"conv_layers.{index}"):
            x = convolution(b, "conv", x, width, kernel, bias=s.bias, stride=stride)
            if s.norm == EACH:
                x = b.apply("transpose", x, name="channels_last", dims=(1, 2))
                x = layer_norm(b, "layer_norm", x)
                x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
            elif s.norm == FIRST and index == 0:
                scale, shift = b.parameter("layer_norm.weight", (width,)), b.parameter("layer_norm.bias", (width,))
                x = b.apply("group_norm", x, scale, shift, name="layer_norm", groups=width)
            x = activation(b, s.activation, x, "activation")
    return x


def check_length(s: Stem, workload: Workload) -> None:
    """Raises ConfigError for a sound that is shorter than the stem's first feature."""
    least: Any = 1
    for kernel, stride in zip(reversed(s.kernels), reversed(s.strides), strict=True):
        least = (least - 1) * stride + kernel
    if has_value(workload.samples) and has_value(least) and workload.samples < least:
        raise ConfigError(f"samples is {workload.samples}: the model's convolutions need {least} for one position")


def convolution(
    b: Builder, name: str, x: Value, width: Dim, kernel: Dim, *, bias: bool = True, groups: Dim = 1, **options: Any
) -> Value:
    """Applies torch.nn.Conv1d to x (batch, channels, positions): `name.weight` (width, channels / groups, kernel), and
    `name.bias`."""
    weight = b.parameter(f"{name}.weight", (width, in_group(x.spec.shape[1], groups), kernel))
    rest = (b.parameter(f"{name}.bias", (width,)),) if bias else ()
    more = {} if equal(groups, 1) else {"groups": groups}
    return b.apply("convolution", x, weight, *rest, name=name, **more, **options)


def in_group(channels: Dim, groups: Dim) -> Dim:
    """Returns the channels of each group. Raises ConfigError if they do not divide."""
    return exact_div(channels, groups, "hidden_size / num_conv_pos_embedding_groups")


def positions(p: Convolved, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the positions of x (batch, width, positions), whose axes are in this order; the builder is in their
    scope."""
    width = x.spec.shape[1]
    if p.layers is not None:
        return stacked_positions(p, p.layers, b, x)
    if p.batch_norm:
        x = batch_norm(b, "batch_norm", x, workload)
    more: dict[str, Any] = {} if equal(p.stride, 1) else {"stride": p.stride}
    if p.weight_norm:
        lengths = b.parameter("conv.parametrizations.weight.original0", (1, 1, p.kernel))
        shape = (width, in_group(width, p.groups), p.kernel)
        directions = b.parameter("conv.parametrizations.weight.original1", shape)
        weight = b.apply("weight_norm", directions, lengths, name="conv_weight")
        bias = b.parameter("conv.bias", (width,))
        more |= {"padding": p.kernel // 2, "groups": p.groups}
        x = b.apply("convolution", x, weight, bias, name="conv", **more)
    else:
        x = convolution(b, "conv", x, width, p.kernel, groups=p.groups, padding=p.kernel // 2, **more)
    return activation(b, p.activation, cut(p, b, x), "activation")


def unread_positions(p: Convolved, width: Dim, b: Builder) -> None:
    """Adds the parameters of a convolution of positions that does not run; the builder is in its scope."""
    shapes = {"original0": (1, 1, p.kernel), "original1": (width, in_group(width, p.groups), p.kernel)}
    weights = [b.parameter(f"conv.parametrizations.weight.{name}", shape) for name, shape in shapes.items()]
    resident(b, "conv", *weights, b.parameter("conv.bias", (width,)))


def stacked_positions(p: Convolved, layers: Dim, b: Builder, x: Value) -> Value:
    """Returns the positions of several convolutions, each with a norm without parameters."""

    def body(b: Builder, x: Value) -> Value:
        x = convolution(b, "conv", x, x.spec.shape[1], p.kernel, groups=p.groups, padding=p.kernel // 2)
        x = b.apply("transpose", cut(p, b, x), name="channels_last", dims=(1, 2))
        x = b.apply("layer_norm", x, name="layer_norm")
        x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
        return activation(b, p.activation, x, "activation")

    return b.repeat("layers", layers, body, x)


def cut(p: Convolved, b: Builder, x: Value) -> Value:
    """Returns a convolution's output without its last position, if the kernel is even."""
    if type(p.kernel) is not int:
        raise ConfigError("the kernel of the convolution of positions must be a number: whether it is even decides")
    if p.kernel % 2:
        return x
    return b.apply("slice", x, name="padding", dim=2, start=0, length=x.spec.shape[2] - 1)


def batch_norm(b: Builder, name: str, x: Value, workload: Workload) -> Value:
    """Applies torch.nn.BatchNorm1d to x (batch, channels, positions)."""
    shape = x.spec.shape[1:2]
    parameters = [b.parameter(f"{name}.{part}", shape) for part in ("weight", "bias")]
    parameters += [b.parameter(f"{name}.{part}", shape, buffer=True) for part in ("running_mean", "running_var")]
    parameters.append(b.parameter(f"{name}.num_batches_tracked", (), "int64", buffer=True))
    training = {"training": True} if workload.phase == "train" else {}
    return b.apply("batch_norm", x, *parameters, name=name, **training)


def adapted(a: Adapter, b: Builder, x: Value) -> Value:
    """Returns x (batch, positions, width) in fewer positions; the builder is in the adapter's scope."""
    if not equal(a.width, x.spec.shape[-1]):
        x = layer_norm(b, "proj_layer_norm", linear(b, "proj", x, a.width))
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    if type(a.layers) is not int:
        raise ConfigError("num_adapter_layers must be a number: each layer has a length of its own")
    for index in range(a.layers):
        with b.scope(f"layers.{index}"):
            x = convolution(b, "conv", x, 2 * a.width, a.kernel, stride=a.stride, padding=1)
            x = b.apply("glu", x, name="glu", dim=1)
    return b.apply("transpose", x, name="channels_last", dims=(1, 2))
