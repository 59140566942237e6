"""ConvNeXt and ConvNeXt V2 of timm's by their names (Liu et al., 2022, arXiv:2201.03545; Woo et al., 2023,
arXiv:2301.00808; timm's models/convnext.py)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import layer_norm, linear

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.stages import repeated
from graphacct_vision.timm import mobilenetv5
from graphacct_vision.timm.tables import plain, settings

EXPANSION, PATCH = 4, 4


@frozen(kw_only=True)
class TimmConvNeXt:
    """A ConvNeXt of timm's.

    Attributes:
        depths: Blocks of each stage.
        widths: Channels of each stage.
        kernels: The kernel of each stage.
        responding: Whether each network normalizes its responses, as V2's do, in place of a learned scale.
        convolved: Whether the networks are convolutions of 1x1, over channels that come second.
        stem: `patch` for a convolution whose stride is its kernel; `overlap` for two of 3x3, `tiered` if they grow.
        norm_first: Whether the head's norm comes before the mean.
        hidden: Channels of a layer before the head's, 0 for none.
        rms: Whether norms are RMSNorms.
        act: The networks' activation.
        image: The side of an image.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    kernels: tuple[int, ...] = (7, 7, 7, 7)
    responding: bool = False
    convolved: bool = False
    stem: str = "patch"
    norm_first: bool = False
    hidden: int = 0
    rms: bool = False
    act: str = "gelu"
    image: int = 224

    @property
    def learned_pool(self) -> bool:
        """Whether what pools the last map has weights."""
        return not self.norm_first


def named(name: str) -> TimmConvNeXt | None:
    """Returns the ConvNeXt of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("convnext").get(plain(name))
    return None if found is None else TimmConvNeXt(**found)


def levels(kind: TimmConvNeXt) -> int:
    """Returns how many maps a backbone has: each stage's."""
    return len(kind.depths)


def features(
    kind: TimmConvNeXt, workload: Workload, b: Builder, pixels: Value, places: tuple[int, ...], stride: int
) -> list[Value]:
    """Returns the maps of a backbone at places, in order, none of which is after the last. Its stages are modules of
    the model, not of a list."""
    found = maps(kind, b, pixels, places[-1] + 1, between="_")
    return [found[place] for place in places]


def maps(kind: TimmConvNeXt, b: Builder, x: Value, count: int = 4, *, between: str = ".") -> list[Value]:
    """Returns the maps of the first stages; `between` stands before the numbers of stages in their names."""
    found = []
    x = stem(kind, b, x, f"stem{between}")
    for index, (depth, width) in enumerate(list(zip(kind.depths, kind.widths, strict=True))[:count]):
        with b.scope(f"stages{between}{index}"):
            if index:
                with b.scope("downsample"):
                    x = convolution(b, "1", across(kind, b, "0", x), width, 2, stride=2, bias=True)
            body = partial(block, kind, kind.kernels[index])
            x = repeated("blocks", depth, body, body, b, x)
        found.append(x)
    return found


def build(kind: TimmConvNeXt, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean, normalized."""
    x = maps(kind, b, pixels)[-1]
    if kind.norm_first:
        x = across(kind, b, "norm_pre", x)
    y = b.apply("mean", x, name="head.global_pool", dim=(2, 3), keepdim=True)
    with b.scope("head"):
        if not kind.norm_first:
            y = across(kind, b, "norm", y)
        y = b.apply("reshape", y, name="flatten", shape=(workload.batch, kind.widths[-1]))
        if kind.hidden:
            y = b.apply("gelu", linear(b, "pre_logits.fc", y, kind.hidden), name="pre_logits.act")
        return x, y if equal(labels, 0) else linear(b, "fc", y, labels)


def stem(kind: TimmConvNeXt, b: Builder, x: Value, name: str) -> Value:
    """Returns the first map, a quarter of the image's size, normalized; its modules are called `name` and a number."""
    width = kind.widths[0]
    if kind.stem == "patch":
        return across(kind, b, f"{name}1", convolution(b, f"{name}0", x, width, PATCH, stride=PATCH, bias=True))
    first = divisible(width // 2) if kind.stem == "tiered" else width
    for place, channels in enumerate((first, width)):
        x = convolution(b, f"{name}{place}", x, channels, 3, stride=2, padding=1, bias=True)
    return across(kind, b, f"{name}2", x)


def across(kind: TimmConvNeXt, b: Builder, name: str, x: Value) -> Value:
    """Applies a norm over the channels of a map (batch, channels, height, width)."""
    if kind.rms:
        return mobilenetv5.normed(b, name, x)
    with b.scope(name):  # so that a module that is called by a number has all its nodes below it
        y = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
        parts = [b.parameter(part, y.spec.shape[-1:]) for part in ("weight", "bias")]
        y = b.apply("layer_norm", y, *parts, name="normed")
        found: Value = b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2))
    return found


def block(kind: TimmConvNeXt, kernel: int, b: Builder, x: Value) -> Value:
    """Adds a convolution of each channel, and a network over channels, with a residual connection."""
    width = x.spec.shape[1]
    b.hold(x)
    y = convolution(b, "conv_dw", x, width, kernel, padding=kernel // 2, groups=width, bias=True)
    if kind.convolved:
        y = network(kind, b, across(kind, b, "norm", y))
    else:
        y = layer_norm(b, "norm", b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1)))
        y = b.apply("permute", network(kind, b, y), name="channels_first", dims=(0, 3, 1, 2))
    if not kind.responding:
        scale = b.apply("reshape", b.parameter("gamma", (width,)), name="gamma_column", shape=(1, width, 1, 1))
        y = b.apply("mul", y, scale, name="gamma_scaled")
    found: Value = b.apply("add", y, x, name="residual")
    return found


def network(kind: TimmConvNeXt, b: Builder, x: Value) -> Value:
    """Returns the map, or the channels that come last, after a network of one hidden layer."""
    second = kind.convolved
    width = x.spec.shape[1 if second else -1]
    apply = partial(convolution, bias=True) if second else linear
    with b.scope("mlp"):
        y = b.apply(kind.act, apply(b, "fc1", x, EXPANSION * width), name="act")
        y = responses(b, y, second=second) if kind.responding else y
        return apply(b, "fc2", y, width)


def responses(b: Builder, x: Value, *, second: bool = False) -> Value:
    """Normalizes each channel's length over the map by the mean of all channels' (global response normalization).
    Channels come last, or `second`."""
    dim, places = (1, (2, 3)) if second else (-1, (1, 2))
    width = x.spec.shape[dim]
    with b.scope("grn"):
        length = b.apply("vector_norm", x, name="length", dim=places, keepdim=True)
        mean = b.apply("mean", length, name="mean", dim=dim, keepdim=True)
        ratio = b.apply("div", length, b.apply("shift", mean, name="not_0"), name="ratio")
        weight, bias = b.parameter("weight", (width,)), b.parameter("bias", (width,))
        if second:
            shape = (1, width, 1, 1)
            weight, bias = (
                b.apply("reshape", part, name=f"{word}_column", shape=shape)
                for part, word in ((weight, "weight"), (bias, "bias"))
            )
        y = b.apply("mul", b.apply("mul", x, ratio, name="relative"), weight, name="weighted")
        y = b.apply("add", bias, y, name="biased")
        found: Value = b.apply("add", x, y, name="sum")
    return found
