"""ViTs of timm's by their names: plain ones and DeiT, CLIP's towers, DINOv2's (timm's models/vision_transformer.py)."""

from __future__ import annotations

import re
from typing import Any

from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower

from graphacct import Builder, Dim, Value, Workload, equal, frozen

SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
SIZES["huge"] = (1280, 32, 16)
"""Width, layers and heads."""
NAMES: tuple[tuple[re.Pattern[str], dict[str, Any]], ...] = (
    (re.compile(r"(?:vit|deit)_(tiny|small|base|large|huge)_patch(8|14|16|32)_(224|384)"), {}),
    (re.compile(r"deit_(tiny|small|base)_distilled_patch(16)_(224|384)"), {"distilled": True}),
    (re.compile(r"vit_(base|large|huge)_patch(14|16|32)_clip_(224|256|336|378|384|448)"), {"clip": True}),
    (
        re.compile(r"vit_(base|large|huge)_patch(14|16|32)_clip_quickgelu_(224|336|378)"),
        {"clip": True, "act": "quick_gelu"},
    ),
    (re.compile(r"vit_(small|base|large)_patch(14)_dinov2()"), {"scaled": True}),
    (re.compile(r"vit_(small|base|large)_patch(14)_reg4_dinov2()"), {"scaled": True, "registers": 4}),
)
"""Names without the tag of the weights: size, patch and image; and what the model has."""
DINO_IMAGE = 518


@frozen
class TimmViT:
    """A ViT of timm's.

    Attributes:
        size: One of SIZES.
        patch: Height and width of a patch.
        image: Height and width of an image.
        act: The networks' activation.
        distilled: Whether a second token is read by a head of its own.
        clip: Whether the patches have no bias and a norm stands before the layers.
        scaled: Whether each branch has a learned scale.
        registers: Tokens beside the first that nothing reads; patches alone have positions then.
    """

    size: str
    patch: int
    image: int
    act: str = "gelu"
    distilled: bool = False
    clip: bool = False
    scaled: bool = False
    registers: int = 0


def named(name: str) -> TimmViT | None:
    """Returns the ViT of a name, which may have the tag of its weights; None if it is of no such name."""
    plain = name.partition(".")[0]
    for pattern, differs in NAMES:
        found = pattern.fullmatch(plain)
        if found is not None:
            return TimmViT(found[1], int(found[2]), int(found[3] or DINO_IMAGE), **differs)
    return None


def build(kind: TimmViT, workload: Workload, b: Builder, labels: Dim) -> tuple[Value, Value]:
    """Returns the tokens, normalized, and the logits of the first."""
    width, layers, heads = SIZES[kind.size]
    step = (kind.patch, kind.patch)
    image = check_image(workload.image_size, (kind.image, kind.image), "architecture's image")
    pixels = b.input("pixel_values", (workload.batch, 3, *image))
    with b.scope("patch_embed"):
        x = patches(b, "proj", pixels, width, step, bias=not kind.clip)
    own = ["cls_token", *(["dist_token"] if kind.distilled else []), *(["reg_token"] if kind.registers else [])]
    counts = [kind.registers if name == "reg_token" else 1 for name in own]
    tokens = [
        b.apply("expand", b.parameter(name, (1, count, width)), name=f"{name}s", shape=(workload.batch, count, width))
        for name, count in zip(own, counts, strict=True)
    ]
    places = patch_count(image, step)
    if kind.registers:
        x = b.apply("add", x, b.parameter("pos_embed", (1, places, width)), name="with_positions")
        x = b.apply("concat", *tokens, x, name="with_tokens", dim=1)
    else:
        x = b.apply("concat", *tokens, x, name="with_tokens", dim=1)
        x = b.apply("add", x, b.parameter("pos_embed", (1, places + sum(counts), width)), name="with_positions")
    x = layer_norm(b, "norm_pre", x) if kind.clip else x
    stack = Tower(
        layers,
        heads,
        Mlp(4 * width, kind.act, gated=False, up="fc1", down="fc2", bias=True),
        stack="blocks",
        attention="attn",
        out="proj",
        norms=("norm1", "norm2"),
        joint="qkv",
        stream_first=True,
        softmax_upcast=False,
        scales=("ls1.gamma", "ls2.gamma") if kind.scaled else ("", ""),
    )
    x = layer_norm(b, "norm", tower(stack, workload, b, x))
    first = b.apply("select", x, name="first", dim=1)
    if kind.distilled:
        second = b.apply("select", x, name="second", dim=1, index=1)
        parts = (first, second)
        if not equal(labels, 0):
            parts = (linear(b, "head", first, labels), linear(b, "head_dist", second, labels))
        return x, b.apply("scale", b.apply("add", *parts, name="both"), name="mean_of_both")
    return x, first if equal(labels, 0) else linear(b, "head", first, labels)
