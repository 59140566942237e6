"""DEIMv2's encoders: RT-DETR's with maps that are added, or a light one of two maps (Huang et al., 2025,
arXiv:2509.20787)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS

from graphacct import Builder, Dim, Value, Workload
from graphacct_vision.detectors import d_fine, hybrid
from graphacct_vision.parts.layers import conv_norm


def aggregated(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map of the encoder's width: both halves of it, and two paths of blocks one after the other."""
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    inner = round(config.hidden_expansion * width // 2)
    conv = partial(conv_norm, b, training=workload.phase == "train", act=act, parts=hybrid.PARTS)
    parts = list(b.apply("split", conv("conv1", x, 2 * width), name="halves", parts=2, dim=1))
    for place in (1, 2):
        with b.scope(f"csp_rep{place}"):
            parts.append(crossed(config, workload, b, parts[-1], inner))
    return conv("conv2", b.apply("concat", *parts, name="parts", dim=1), width)


def crossed(config: Any, workload: Workload, b: Builder, x: Value, width: Dim) -> Value:
    """Returns a map of `width` channels: half of one convolution's, and blocks of its other half."""
    act = ACTIVATIONS[config.activation_function]
    conv = partial(conv_norm, b, training=workload.phase == "train", act=act, parts=hybrid.PARTS)
    around, y = b.apply("split", conv("conv1", x, 2 * width), name="halves", parts=2, dim=1)
    y = hybrid.through(config, workload, b, y, round(hybrid.BLOCKS * config.depth_mult))
    y = b.apply("add", around, y, name="paths")
    return conv("conv2", y, width, 3, padding=1) if config.encoder_has_trailing_conv else y


JOINING = hybrid.Joining(aggregated, d_fine.smaller, lateral=False, summed=True)


def light(config: Any, workload: Workload, b: Builder, maps: list[Value]) -> list[Value]:
    """Returns two maps, the second of half the first's size; the builder is in the encoder's scope."""
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    conv = partial(conv_norm, b, training=workload.phase == "train", parts=hybrid.PARTS)
    pooling: dict[str, Any] = {"kernel": 3, "stride": 2, "padding": 1}
    found = [conv(f"input_proj.{place}", x, width, act="") for place, x in enumerate(maps)]
    small = b.apply("avg_pool", found[-1], name="down_pool1", **pooling)
    small = conv("down_conv1", small, width, act=act)
    mean = b.apply("mean", small, name="mean", dim=(2, 3), keepdim=True)
    found.append(conv("bi_fusion_conv", b.apply("add", small, mean, name="with_mean"), width, act=act))
    big = hybrid.doubled(b, found[1], found[0], "doubled")
    with b.scope("fpn_block"):
        first = aggregated(config, workload, b, b.apply("add", found[0], big, name="both"))
    small = conv("down_conv2", b.apply("avg_pool", first, name="down_pool2", **pooling), width, act=act)
    with b.scope("pan_block"):
        return [first, aggregated(config, workload, b, b.apply("add", found[1], small, name="both"))]
