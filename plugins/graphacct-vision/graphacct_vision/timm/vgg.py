"""VGG of timm's by their names (Simonyan and Zisserman, 2014, arXiv:1409.1556; timm's models/vgg.py)."""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, Value, Workload, frozen, has_value
from graphacct_vision.parts.layers import batch_norm, convolution, flat_logits
from graphacct_vision.timm.tables import plain, settings

CHANNELS, HIDDEN, SIDE = (64, 128, 256, 512, 512), 4096, 7
"""Channels of each stage; those of the head's convolutions, and the kernel of the first of them."""


@frozen(kw_only=True)
class TimmVGG:
    """A VGG of timm's.

    Attributes:
        depths: Convolutions of each stage.
        normed: Whether a norm follows each.
        image: The side of an image.
    """

    depths: tuple[int, ...]
    normed: bool = False
    image: int = 224

    @property
    def learned_pool(self) -> bool:
        """Whether what pools the last map has weights."""
        return True


def named(name: str) -> TimmVGG | None:
    """Returns the VGG of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("vgg").get(plain(name))
    return None if found is None else TimmVGG(**found)


def build(kind: TimmVGG, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of what two wide convolutions make of it."""
    if any(has_value(side) and side < 32 * SIDE for side in pixels.spec.shape[2:]):
        raise ConfigError(f"image_size: VGG's head reads a map of {SIDE}x{SIDE}, an image of {32 * SIDE} or more")
    x, number = pixels, 0
    with b.scope("features"):
        for depth, channels in zip(kind.depths, CHANNELS, strict=True):
            for _ in range(depth):
                x = convolution(b, str(number), x, channels, 3, padding=1, bias=True)
                if kind.normed:
                    number += 1
                    x = batch_norm(b, str(number), x, training=workload.phase == "train")
                x = b.apply("relu", x, name=str(number + 1))
                number += 2
            x = b.apply("max_pool", x, name=str(number), kernel=2, stride=2)
            number += 1
    y = x
    with b.scope("pre_logits"):
        for place, kernel in enumerate((SIDE, 1), 1):
            y = b.apply("relu", convolution(b, f"fc{place}", y, HIDDEN, kernel, bias=True), name=f"act{place}")
    with b.scope("head"):
        mean = b.apply("mean", y, name="global_pool", dim=(2, 3), keepdim=True)
        return x, flat_logits(b, "fc", mean, labels)
