"""What stands inside the bottlenecks of ResNeSt and Res2Net in place of a 3x3 convolution (Zhang et al., 2020,
arXiv:2004.08955; Gao et al., 2019, arXiv:1904.01169; timm's layers/split_attn.py and models/res2net.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphacct import Builder, Value
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import convolution

LEAST = 32
"""The least channels of split attention's inner layer."""


def split_attention(
    b: Builder, x: Value, norm: Callable[..., Value], conv: Callable[..., Value], radix: int, groups: int, stride: int
) -> Value:
    """Returns the sum of `radix` maps that a 3x3 convolution gives, each channel weighed against the other maps' by
    the means of all. `conv` and `norm` add a convolution without bias and a norm."""
    batch, width = x.spec.shape[:2]
    assert type(width) is int
    inner = divisible(width * radix * 0.25, least=LEAST)
    with b.scope("conv2"):
        y = conv("conv", x, width * radix, 3, stride=stride, groups=groups * radix)
        y = b.apply("relu", norm("bn0", y), name="act0")
        sides = y.spec.shape[2:]
        b.hold(y)
        if radix > 1:
            y = b.apply("reshape", y, name="parts", shape=(batch, radix, width, *sides))
            b.hold(y)
        means = b.apply("sum", y, name="together", dim=1) if radix > 1 else y
        means = b.apply("mean", means, name="mean", dim=(2, 3), keepdim=True)
        z = convolution(b, "fc1", means, inner, groups=groups, bias=True)
        z = b.apply("relu", norm("bn1", z), name="act1")
        z = convolution(b, "fc2", z, width * radix, groups=groups, bias=True)
        if radix == 1:
            z = b.apply("reshape", b.apply("sigmoid", z, name="gate"), name="gates", shape=(batch, width, 1, 1))
            found: Value = b.apply("mul", y, z, name="gated")
            return found
        each = width // groups
        z = b.apply("reshape", z, name="by_group", shape=(batch, groups, radix, each))
        z = b.apply("softmax", b.apply("transpose", z, name="radix_last", dims=(2, 3)), name="rsoftmax")
        z = b.apply("contiguous", b.apply("permute", z, name="radix_first", dims=(0, 3, 1, 2)), name="weights")
        z = b.apply("reshape", z, name="weights_of_channels", shape=(batch, radix, width, 1, 1))
        found = b.apply("sum", b.apply("mul", y, z, name="weighed"), name="sum", dim=1)
        return found


def scales(
    b: Builder,
    x: Value,
    norm: Callable[..., Value],
    conv: Callable[..., Value],
    count: int,
    options: dict[str, Any],
    *,
    first: bool,
) -> Value:
    """Returns `count` parts of the channels, all but the last convolved one after the other, each with what the one
    before gave added; in the `first` block of a stage nothing is added, and the last part is averaged."""
    width = x.spec.shape[1] // count
    parts = b.apply("split", x, name="parts", sizes=(width,) * count, dim=1)
    b.hold(*parts)
    found: list[Value] = []
    for place, part in enumerate(parts[:-1]):
        y = part if first or not place else b.apply("add", found[-1], part, name=f"sum_{place}")
        y = norm(f"bns.{place}", conv(f"convs.{place}", y, width, 3, **options))
        found.append(b.apply("relu", y, name=f"act_{place}"))
    last = parts[-1]
    if first:
        last = b.apply("avg_pool", last, name="pool", kernel=3, stride=options["stride"], padding=1)
    joined: Value = b.apply("concat", *found, last, name="joined", dim=1)
    return joined
