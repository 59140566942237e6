"""Pooling, interpolation, patches: operators of images, which are (b, c, *space); one without a batch gets one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule, plain

INTERPOLATIONS = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def of_images(
    operator: str, x: TensorRecord, settings: Mapping[str, Any], call: CallRecord, rank: int, aside: str = ""
) -> Mapped:
    """Returns an operator of images of so many spatial dimensions; one image alone goes in as a batch of one."""
    if len(x.shape) == rank + 2:
        return Mapped(operator, (x,), settings, aside=aside)
    inner = Mapped(operator, (one_image(x),), settings)
    return Mapped("reshape", (inner,), {"shape": call.outputs[0].shape})


def max_pool(call: CallRecord, a: Arguments) -> Mapped:
    settings = {
        "kernel": tuple(a["kernel_size"]),
        "stride": tuple(a["stride"] or a["kernel_size"]),
        "padding": tuple(a["padding"]),
        "dilation": tuple(a["dilation"]),
        "ceil_mode": a["ceil_mode"],
    }
    return of_images("max_pool", a["self"], settings, call, len(a["kernel_size"]), "return_indices")


def avg_pool(call: CallRecord, a: Arguments) -> Mapped:
    settings = {
        "kernel": tuple(a["kernel_size"]),
        "stride": tuple(a["stride"] or a["kernel_size"]),
        "padding": tuple(a["padding"]),
        "ceil_mode": a["ceil_mode"],
    }
    return of_images("avg_pool", a["self"], settings, call, len(a["kernel_size"]))


def adaptive(operator: str) -> Rule:
    def rule(call: CallRecord, a: Arguments) -> Mapped:
        size = tuple(a["output_size"])
        aside = "return_indices" if len(call.outputs) > 1 else ""
        return of_images(operator, a["self"], {"size": size}, call, len(size), aside)

    return rule


def placed_at_random(call: CallRecord, a: Arguments) -> Mapped:
    """Windows that random samples place; one image alone goes in as a batch of one."""
    x, rank = a["self"], len(a["output_size"])
    settings = {"kernel": tuple(a["kernel_size"]), "size": tuple(a["output_size"])}
    if len(x.shape) == rank + 2:
        return Mapped("fractional_max_pool", (x, a["random_samples"]), settings, aside="return_indices")
    inner = Mapped("fractional_max_pool", (one_image(x), a["random_samples"]), settings)
    return Mapped("reshape", (inner,), {"shape": call.outputs[0].shape})


def one_image(x: TensorRecord) -> Mapped:
    """An image as a batch of one."""
    return Mapped("reshape", (x,), {"shape": (1, *x.shape)})


def resized(operator: str) -> Rule:
    """Interpolation: to the size of the result."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        return Mapped(operator, (call.operands[0],), {"size": call.outputs[0].shape[2:]})

    return rule


def padded_at_edges(operator: str, rank: int) -> Rule:
    """Padding with what is near the edge."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        return of_images(operator, a["self"], {"padding": plain(a["padding"])}, call, rank)

    return rule


def sampled(call: CallRecord, a: Arguments) -> Mapped:
    settings = {
        "interpolation_mode": INTERPOLATIONS[a["interpolation_mode"]],
        "padding_mode": PADDINGS[a["padding_mode"]],
        "align_corners": bool(a["align_corners"]),
    }
    return Mapped("grid_sampler", (a["input"], a["grid"]), settings)


def patches(operator: str) -> Rule:
    """Windows as columns, and back."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        settings = {"kernel": plain(a["kernel_size"])}
        settings |= {name: plain(a[name]) for name in ("stride", "padding", "dilation")}
        if "output_size" in a:
            settings["size"] = plain(a["output_size"])
        return of_images(operator, a["self"], settings, call, 2 if operator == "im2col" else 1)

    return rule


def positions(call: CallRecord, a: Arguments) -> Mapped:
    """Where an affine transformation sends the positions of an image (batch, channels, *size)."""
    return Mapped("affine_grid", (a["theta"],), {"size": tuple(a["size"][2:])})
