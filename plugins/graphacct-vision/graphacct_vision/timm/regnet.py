"""RegNets X, Y, Z and V of timm's by their names (Radosavovic et al., 2020, arXiv:2003.13678; Dollár et al., 2021,
arXiv:2103.06877; timm's models/regnet.py)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import activation

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_vision.parts.layers import flat_logits
from graphacct_vision.timm.convolutions import Style, convolved, normed, squeezed
from graphacct_vision.timm.tables import plain, settings

STEM, SQUEEZE = 32, 0.25


@frozen(kw_only=True)
class TimmRegNet:
    """A RegNet of timm's.

    Attributes:
        depths: Blocks of each stage.
        widths: Channels of each stage.
        group: Channels of each group of the 3x3 convolutions, or in each stage.
        excited: Whether squeeze and excitation weighs the channels, as in Y.
        ratio: How much wider the map inside a block is.
        shortcut: `conv`, `avg` (averaged first) or `none` for the first block's of a stage.
        linear: Whether a block ends without an activation.
        norm_first: Whether norms stand before convolutions.
        features: Channels of the last convolution, 0 for none.
        act: The activation.
        norm_group: Channels of each group of a group norm; 0 for batch norms.
        image: The side of an image.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    group: int | tuple[int, ...]
    excited: bool = False
    ratio: int = 1
    shortcut: str = "conv"
    linear: bool = False
    norm_first: bool = False
    features: int = 0
    act: str = "relu"
    norm_group: int = 0
    image: int = 224

    def groups(self, stage: int) -> int:
        """Returns the groups of a stage's 3x3 convolutions."""
        size = self.group if isinstance(self.group, int) else self.group[stage]
        return self.widths[stage] * self.ratio // size


def named(name: str) -> TimmRegNet | None:
    """Returns the RegNet of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("regnet").get(plain(name))
    return None if found is None else TimmRegNet(**found)


def levels(kind: TimmRegNet) -> int:
    """Returns how many maps a backbone has: the stem's and each stage's."""
    return len(kind.depths) + 1


def features(
    kind: TimmRegNet, workload: Workload, b: Builder, pixels: Value, places: tuple[int, ...], stride: int
) -> list[Value]:
    """Returns the maps of a backbone at places, in order, none of which is after the last."""
    found = maps(kind, style_of(kind, workload), b, pixels, places[-1])
    return [found[place] for place in places]


def style_of(kind: TimmRegNet, workload: Workload) -> Style:
    """Returns how its convolutions and norms are made."""
    return Style(kind.act, workload.phase == "train", group=kind.norm_group)


def build(kind: TimmRegNet, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean."""
    style = style_of(kind, workload)
    x = maps(kind, style, b, pixels)[-1]
    if kind.features:
        x = unit(style, b, "final_conv", x, kind.features)
    elif kind.linear or kind.norm_first:
        x = activation(b, kind.act, x, "final_conv")
    mean = b.apply("mean", x, name="head.global_pool", dim=(2, 3), keepdim=True)
    with b.scope("head"):
        return x, flat_logits(b, "fc", mean, labels)


def maps(kind: TimmRegNet, style: Style, b: Builder, x: Value, last: int = 4) -> list[Value]:
    """Returns the stem's map and each stage's up to the one numbered `last`."""
    stem = partial(convolved, style) if kind.norm_first else partial(unit, style)
    x = stem(b, "stem", x, STEM, (3,), stride=2)
    found = [x]
    body = before if kind.norm_first else after
    for stage, depth in enumerate(kind.depths[:last]):
        for place in range(depth):
            with b.scope(f"s{stage + 1}.b{place + 1}"):
                x = body(kind, style, stage, 1 if place else 2, b, x)
        found.append(x)
    return found


def unit(
    style: Style,
    b: Builder,
    name: str,
    x: Value,
    channels: int,
    kernels: tuple[int, ...] = (1,),
    *,
    act: bool = True,
    **options: int,
) -> Value:
    """Applies a module `name` of a convolution and a norm, with an activation if `act`."""
    with b.scope(name):
        x = convolved(
            style, b, "conv", x, channels, kernels, stride=options.get("stride", 1), groups=options.get("groups", 1)
        )
        return normed(style, b, "bn", x, act=act)


def excited(kind: TimmRegNet, taken: Dim, b: Builder, x: Value) -> Value:
    """Applies squeeze and excitation, if the model has it; its share is of the channels that the block is given."""
    if not kind.excited:
        return x
    assert type(taken) is int
    return squeezed(b, "se", x, round(taken * SQUEEZE), act=kind.act, parts=("fc1", "fc2"), inner_act="act")


def after(kind: TimmRegNet, style: Style, stage: int, stride: int, b: Builder, x: Value) -> Value:
    """Adds convolutions 1x1, 3x3 and 1x1, each with a norm after it, with a residual connection."""
    width, taken = kind.widths[stage], x.spec.shape[1]
    wide, groups = width * kind.ratio, kind.groups(stage)
    b.hold(x)
    y = unit(style, b, "conv1", x, wide)
    y = unit(style, b, "conv2", y, wide, (3,), stride=stride, groups=groups)
    y = unit(style, b, "conv3", excited(kind, taken, b, y), width, act=False)
    if stride == 1 and equal(taken, width):
        y = b.apply("add", y, x, name="residual")
    elif kind.shortcut != "none":
        if kind.shortcut == "avg":
            with b.scope("downsample"):
                x = unit(style, b, "1", averaged(b, x, stride), width, act=False)
        else:
            x = unit(style, b, "downsample", x, width, act=False, stride=stride)
        y = b.apply("add", y, x, name="residual")
    return y if kind.linear else activation(b, kind.act, y, "act3")


def before(kind: TimmRegNet, style: Style, stage: int, stride: int, b: Builder, x: Value) -> Value:
    """The same with norms before the convolutions."""
    width, taken = kind.widths[stage], x.spec.shape[1]
    wide, groups = width * kind.ratio, kind.groups(stage)
    x = normed(style, b, "norm1", x)
    b.hold(x)
    y = normed(style, b, "norm2", convolved(style, b, "conv1", x, wide))
    y = convolved(style, b, "conv2", y, wide, (3,), stride=stride, groups=groups)
    y = convolved(style, b, "conv3", normed(style, b, "norm3", excited(kind, taken, b, y)), width)
    if stride > 1 or not equal(taken, width):
        if kind.shortcut == "avg":
            x = convolved(style, b, "downsample.1", averaged(b, x, stride), width)
        else:
            x = convolved(style, b, "downsample", x, width, stride=stride)
    found: Value = b.apply("add", y, x, name="residual")
    return found


def averaged(b: Builder, x: Value, stride: int) -> Value:
    """Returns the mean of neighbours."""
    found: Value = b.apply("avg_pool", x, name="0", kernel=2, stride=stride, ceil_mode=True)
    return found
