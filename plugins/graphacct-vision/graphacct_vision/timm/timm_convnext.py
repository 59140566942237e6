"""ConvNeXt and ConvNeXt V2 of timm's by their names (Liu et al., 2022, arXiv:2201.03545; Woo et al., 2023,
arXiv:2301.00808; timm's models/convnext.py)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import layer_norm, linear

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_vision.parts.stages import repeated

SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnext_large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "convnext_xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048)),
    "convnextv2_tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnextv2_base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnextv2_large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "convnextv2_huge": ((3, 3, 27, 3), (352, 704, 1408, 2816)),
}
"""Blocks and channels of the four stages of each name. Smaller ones have convolutions in their networks."""
KERNEL, EXPANSION, STEM = 7, 4, 4


@frozen
class TimmConvNeXt:
    """A ConvNeXt of timm's.

    Attributes:
        depths: Blocks of each stage.
        widths: Channels of each stage.
        responding: Whether each network normalizes its responses, as V2's do, in place of a learned scale.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    responding: bool = False


def named(name: str) -> TimmConvNeXt | None:
    """Returns the ConvNeXt of a name, which may have the tag of its weights; None if it is of no such name."""
    plain = name.partition(".")[0]
    return TimmConvNeXt(*SIZES[plain], plain.startswith("convnextv2")) if plain in SIZES else None


def build(kind: TimmConvNeXt, workload: Workload, b: Builder, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean, normalized."""
    assert workload.image_size is not None
    x = b.input("pixel_values", (workload.batch, 3, *workload.image_size))
    with b.scope("stem"):
        x = across(b, "1", strided(b, "0", x, kind.widths[0], STEM))
    for index, (depth, width) in enumerate(zip(kind.depths, kind.widths, strict=True)):
        with b.scope(f"stages.{index}"):
            if index:
                with b.scope("downsample"):
                    x = strided(b, "1", across(b, "0", x), width, 2)
            body = partial(block, kind)
            x = repeated("blocks", depth, body, body, b, x)
    mean = b.apply("mean", x, name="head.global_pool", dim=(2, 3), keepdim=True)
    with b.scope("head"):
        y = across(b, "norm", mean)
        y = b.apply("reshape", y, name="flatten", shape=(workload.batch, kind.widths[-1]))
        return x, y if equal(labels, 0) else linear(b, "fc", y, labels)


def strided(b: Builder, name: str, x: Value, width: int, size: int) -> Value:
    """Applies a convolution whose stride is its kernel."""
    weight = b.parameter(f"{name}.weight", (width, x.spec.shape[1], size, size))
    found: Value = b.apply("convolution", x, weight, b.parameter(f"{name}.bias", (width,)), name=name, stride=size)
    return found


def across(b: Builder, name: str, x: Value) -> Value:
    """Applies a norm over the channels of a map (batch, channels, height, width)."""
    y = b.apply("permute", x, name=f"{name}_channels_last", dims=(0, 2, 3, 1))
    found: Value = b.apply("permute", layer_norm(b, name, y), name=f"{name}_channels_first", dims=(0, 3, 1, 2))
    return found


def block(kind: TimmConvNeXt, b: Builder, x: Value) -> Value:
    """Adds a convolution of each channel, and a network over channels, with a residual connection."""
    width = x.spec.shape[1]
    b.hold(x)
    weight = b.parameter("conv_dw.weight", (width, 1, KERNEL, KERNEL))
    options = {"padding": KERNEL // 2, "groups": width}
    y = b.apply("convolution", x, weight, b.parameter("conv_dw.bias", (width,)), name="conv_dw", **options)
    y = layer_norm(b, "norm", b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1)))
    with b.scope("mlp"):
        y = b.apply("gelu", linear(b, "fc1", y, EXPANSION * width), name="act")
        y = responses(b, y) if kind.responding else y
        y = linear(b, "fc2", y, width)
    y = b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2))
    if not kind.responding:
        scale = b.apply("reshape", b.parameter("gamma", (width,)), name="gamma_column", shape=(1, width, 1, 1))
        y = b.apply("mul", y, scale, name="gamma_scaled")
    found: Value = b.apply("add", y, x, name="residual")
    return found


def responses(b: Builder, x: Value) -> Value:
    """Normalizes each channel's length over the map by the mean of all channels' (global response normalization)."""
    width = x.spec.shape[-1]
    with b.scope("grn"):
        length = b.apply("vector_norm", x, name="length", dim=(1, 2), keepdim=True)
        mean = b.apply("mean", length, name="mean", dim=-1, keepdim=True)
        ratio = b.apply("div", length, b.apply("shift", mean, name="not_0"), name="ratio")
        y = b.apply("mul", b.apply("mul", x, ratio, name="relative"), b.parameter("weight", (width,)), name="weighted")
        y = b.apply("add", b.parameter("bias", (width,)), y, name="biased")
        found: Value = b.apply("add", x, y, name="sum")
    return found
