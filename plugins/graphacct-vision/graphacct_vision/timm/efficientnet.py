"""EfficientNets, MobileNets and their relatives of timm's by their names (Tan and Le, 2019, arXiv:1905.11946; Howard
et al., 2019, arXiv:1905.02244; Qin et al., 2024, arXiv:2404.10518; timm's models/efficientnet.py and mobilenetv3.py).
"""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import convolution, flat_logits
from graphacct_vision.timm.blocks import Block, scaled, stages
from graphacct_vision.timm.convolutions import Style, convolved, normed
from graphacct_vision.timm.residuals import Made, applied
from graphacct_vision.timm.tables import plain, settings


@frozen(kw_only=True)
class TimmEfficientNet:
    """An EfficientNet or a MobileNet of timm's.

    Attributes:
        stages: The entry of the table of stages.
        width: What channels are scaled by.
        depth: What the depth of every stage is scaled by, or of each.
        rounds: Whether a scaled depth is rounded, not raised to the next whole number.
        ends: Whether the first stage and the last keep their depth.
        divisor: What channels are a multiple of.
        limit: The share of a scaled number of channels that rounding keeps at least.
        stem: Channels of the first convolution.
        stem_kernel: Its kernel.
        stem_kept: Whether its channels are not scaled.
        features: Channels of the last convolution, 0 for none.
        late: Whether that convolution is applied to the mean of the map, as in MobileNet-v3.
        late_bias: Whether it has a bias then.
        late_norm: Whether a norm follows it then.
        act: The activation.
        group: Channels of each group of convolutions that have one for each channel otherwise.
        norm_group: Channels of each group of a group norm; 0 for batch norms.
        same: Whether a map is padded by its size.
        blur: What blurs a map where it is made smaller; empty for a stride.
        gate: The activation that ends squeeze and excitation.
        squeeze_act: The activation inside it; empty for the block's.
        squeeze_limit: As `limit` of its channels, in steps of 8; 0 for the nearest whole number.
        squeeze_wide: Whether its share is of the widened map's channels.
        scaled: Whether blocks of MobileNet-v4 have a learned gain of each channel.
        image: The side of an image.
    """

    stages: str
    width: float = 1.0
    depth: float | tuple[float, ...] = 1.0
    rounds: bool = False
    ends: bool = False
    divisor: int = 8
    limit: float = 0.9
    stem: int = 32
    stem_kernel: int = 3
    stem_kept: bool = False
    features: int = 1280
    late: bool = False
    late_bias: bool = True
    late_norm: bool = False
    act: str = "relu"
    group: int | None = None
    norm_group: int = 0
    same: bool = False
    blur: str = ""
    gate: str = "sigmoid"
    squeeze_act: str = ""
    squeeze_limit: float = 0.0
    squeeze_wide: bool = False
    scaled: bool = False
    image: int = 224

    @property
    def learned_pool(self) -> bool:
        """Whether what pools the last map has weights."""
        return self.late

    def channels(self, count: int) -> int:
        """Returns a number of channels scaled in width, in whole steps."""
        return divisible(count * self.width, self.divisor, limit=self.limit)

    def style(self, workload: Workload) -> Style:
        """Returns how its convolutions and norms are made."""
        return Style(self.act, workload.phase == "train", self.same, self.norm_group, self.blur)

    def blocks(self) -> list[list[Made]]:
        """Returns the blocks of each stage, with the channels that each is given and gives."""
        found = []
        taken = self.stem if self.stem_kept else self.channels(self.stem)
        every = stages(self.stages)
        depths = self.depth if isinstance(self.depth, tuple) else (self.depth,) * len(every)
        for place, (stage, depth) in enumerate(zip(every, depths, strict=True)):
            kept = self.ends and place in (0, len(every) - 1)
            made = []
            for block in scaled(stage, 1.0 if kept else depth, rounds=self.rounds):
                made.append(self.made(block, taken))
                taken = made[-1].given
            found.append(made)
        return found

    def made(self, block: Block, taken: int) -> Made:
        """Returns a block of the model's that is given `taken` channels."""
        block = block if block.group is not None else attrs.evolve(block, group=self.group)
        forced = self.channels(block.forced) if block.forced else taken
        wide = divisible(forced * block.ratio) if block.kind in ("ir", "er", "uir") else taken
        share = block.squeeze if self.squeeze_wide or block.kind in ("ds", "dsa") else block.squeeze / block.ratio
        narrow = divisible(wide * share, limit=self.squeeze_limit) if self.squeeze_limit else round(wide * share)
        return Made(
            block=block,
            taken=taken,
            wide=wide,
            given=self.channels(block.channels),
            narrow=narrow if block.squeeze else 0,
            act=block.act or self.act,
            squeeze_act=self.squeeze_act or block.act or self.act,
            gate=self.gate,
            scaled=self.scaled,
        )


def named(name: str) -> TimmEfficientNet | None:
    """Returns the model of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("efficientnet").get(plain(name))
    return None if found is None else TimmEfficientNet(**found)


def maps(kind: TimmEfficientNet, style: Style, b: Builder, x: Value) -> list[Value]:
    """Returns the stem's map and each stage's."""
    stem = kind.stem if kind.stem_kept else kind.channels(kind.stem)
    x = normed(style, b, "bn1", convolved(style, b, "conv_stem", x, stem, (kind.stem_kernel,), stride=2))
    found = [x]
    for number, stage in enumerate(kind.blocks()):
        place = 0
        while place < len(stage):
            made, name = stage[place], f"blocks.{number}"
            count = next((more for more, each in enumerate(stage[place:]) if each != made), len(stage) - place)
            body = partial(applied, made, style)
            if count > 1:
                x = b.repeat(name, count, body, x, start=place)
            else:
                with b.scope(f"{name}.{place}"):
                    x = body(b, x)
            place += count
        found.append(x)
    return found


def ends(kind: TimmEfficientNet) -> list[int]:
    """Returns which of the maps a backbone has: the last of each size, and the stem's if the first stage is smaller."""
    first = [stage[0].stride for stage in stages(kind.stages)]
    return [place for place, stride in enumerate([*first, 2]) if stride > 1]


def levels(kind: TimmEfficientNet) -> int:
    """Returns how many maps a backbone has."""
    return len(ends(kind))


def features(
    kind: TimmEfficientNet, workload: Workload, b: Builder, pixels: Value, places: tuple[int, ...], stride: int
) -> list[Value]:
    """Returns the maps of a backbone at places, in order; all stages run."""
    found, own = maps(kind, kind.style(workload), b, pixels), ends(kind)
    return [found[own[place]] for place in places]


def build(kind: TimmEfficientNet, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean."""
    style = kind.style(workload)
    x = maps(kind, style, b, pixels)[-1]
    if not kind.late and kind.features:
        x = normed(style, b, "bn2", convolved(style, b, "conv_head", x, kind.features))
    y = b.apply("mean", x, name="global_pool", dim=(2, 3), keepdim=True)
    if kind.late:
        y = convolution(b, "conv_head", y, kind.features, bias=kind.late_bias)
        y = normed(style, b, "norm_head", y) if kind.late_norm else b.apply(kind.act, y, name="act2")
    return x, flat_logits(b, "classifier", y, labels)
