"""CLIP's own ResNet: three convolutions first, pooling before strides, and attention in place of the last mean.

Radford et al., 2021 (arXiv:2103.00020). The order of operations is that of open_clip 3.3 (`modified_resnet.py`).
"""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, floor_div, frozen, prod
from graphacct_vision.parts.layers import batch_norm
from graphacct_vision.parts.stages import repeated
from graphacct_vision.timm.resnet import convolved

STAGES, EXPANSION = 4, 4


@frozen
class ModifiedResNet:
    """A ResNet.

    Attributes:
        depths: Blocks in each of four stages.
        width: Channels after the first convolutions; each later stage has twice as many.
        heads: Heads of the attention that pools.
        outputs: The width of an embedding.
        side: Height and width of an image.
    """

    depths: tuple[int, ...]
    width: Dim
    heads: Dim
    outputs: Dim
    side: Dim


def pooled(kind: ModifiedResNet, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the embedding (batch, outputs) of each image."""
    norm = partial(batch_norm, training=workload.phase == "train")
    for index in (1, 2, 3):
        width = kind.width if index == 3 else floor_div(kind.width, 2)
        x = convolved(b, f"conv{index}", x, width, 3, stride=2 if index == 1 else 1)
        x = b.apply("relu", norm(b, f"bn{index}", x), name=f"act{index}")
    x = b.apply("avg_pool", x, name="avgpool", kernel=2)
    for index, depth in enumerate(kind.depths):
        first, other = (
            partial(block, kind.width * 2**index, stride, workload.phase == "train")
            for stride in (2 if index else 1, 1)
        )
        x = repeated(f"layer{index + 1}", depth, first, other, b, x)
    with b.scope("attnpool"):
        return attended(kind, workload, b, x)


def block(planes: Dim, stride: int, training: bool, b: Builder, x: Value) -> Value:
    """Adds convolutions 1x1, 3x3 and 1x1 with a residual connection, pooled in front of the last if it strides."""
    norm = partial(batch_norm, training=training)
    b.hold(x)
    y = b.apply("relu", norm(b, "bn1", convolved(b, "conv1", x, planes)), name="act1")
    y = b.apply("relu", norm(b, "bn2", convolved(b, "conv2", y, planes, 3)), name="act2")
    y = b.apply("avg_pool", y, name="avgpool", kernel=stride) if stride > 1 else y
    y = norm(b, "bn3", convolved(b, "conv3", y, EXPANSION * planes))
    if stride > 1 or not equal(x.spec.shape[1], EXPANSION * planes):
        with b.scope("downsample"):
            x = b.apply("avg_pool", x, name="-1", kernel=stride)
            x = norm(b, "1", convolved(b, "0", x, EXPANSION * planes))
    return b.apply("relu", b.apply("add", y, x, name="residual"), name="act3")


def attended(kind: ModifiedResNet, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns what the mean of all places reads of them; the other places' attention is computed too."""
    batch, width, *sides = x.spec.shape
    x = b.apply("reshape", x, name="places", shape=(batch, width, prod(sides)))
    x = b.apply("permute", x, name="places_first", dims=(2, 0, 1))
    x = b.apply("concat", b.apply("mean", x, name="mean", dim=0, keepdim=True), x, name="with_mean", dim=0)
    count = floor_div(kind.side, 32) ** 2 + 1
    rows = b.apply("reshape", b.parameter("positional_embedding", (count, width)), name="rows", shape=(count, 1, width))
    x = b.apply("add", x, rows, name="with_positions")
    d_head = exact_div(width, kind.heads, "width * 32 / heads")
    x = b.apply("permute", x, name="images_first", dims=(1, 0, 2))
    q, k, v = (split_heads(b, linear(b, f"{label}_proj", x, width), kind.heads, d_head, label) for label in "qkv")
    if workload.attention == "fused":
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa")
    else:
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
        y = b.apply("matmul", weights, v, name="values")
    y = linear(b, "c_proj", merge_heads(b, y), kind.outputs)
    found: Value = b.apply("select", y, name="pooled", dim=1)
    return found
