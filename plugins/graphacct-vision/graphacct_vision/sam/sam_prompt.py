"""What SAM is asked: places of an image as waves, and the tokens of a prompt's points.

Kirillov et al., 2023 (arXiv:2304.02643).
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import activation
from graphacct_architectures.derived import derived
from graphacct_architectures.layers import resident

from graphacct import Builder, Dim, Value, exact_div, fields, frozen


@frozen(kw_only=True)
class PromptConfig:
    """The prompt encoder's keys."""

    model_type: Any = attrs.field(default=None)
    hidden_size: Dim = fields.size(256)
    image_size: Dim = fields.size(1024)
    patch_size: Dim = fields.size(16)
    mask_input_channels: Dim = fields.size(16)
    num_point_embeddings: int = fields.size(4)
    hidden_act: str = activation("gelu")
    image_embedding_size: Any = derived()


def everywhere(b: Builder, side: Dim) -> Value:
    """Returns the places of a square, (side, side, 2), from 0 to 1."""
    ones = b.apply("full", name="ones", shape=(side, side), dtype=b.dtype)
    parts = []
    for word, dim in (("x", 1), ("y", 0)):
        x = b.apply("shift", b.apply("cumsum", ones, name=word, dim=dim), name=f"{word}_middle")
        x = b.apply("scale", x, name=f"{word}_relative")
        parts.append(b.apply("reshape", x, name=f"{word}_column", shape=(side, side, 1)))
    return b.apply("concat", *parts, name="places", dim=-1)


def waves(b: Builder, x: Value, rates: Any) -> Value:
    """Returns sines and cosines of places (…, 2) at given rates."""
    x = b.apply("shift", b.apply("scale", x, name="doubled"), name="centred")
    x = b.apply("matmul", x, rates, name="angles")
    x = b.apply("scale", x, name="in_circles")
    parts = (b.apply("sin", x, name="sin"), b.apply("cos", x, name="cos"))
    found: Value = b.apply("concat", *parts, name="waves", dim=-1)
    return found


def placed(b: Builder, rates: Any, batch: Dim, side: Dim, width: Dim) -> Value:
    """Returns the waves of all places of images, (batch, width, side, side)."""
    where = waves(b, everywhere(b, side), rates)
    where = b.apply("permute", where, name="channels_first", dims=(2, 0, 1))
    where = b.apply("reshape", where, name="of_image", shape=(1, width, side, side))
    return b.apply("repeat", where, name="of_batch", times=(batch, 1, 1, 1))


def given_points(b: Builder, batch: Dim, points: Dim) -> tuple[Value, Value]:
    """Returns a prompt's points (batch, 1, points + 1, 2), the last of which is none, and what each shows."""
    given = b.input("input_points", (batch, 1, points, 2))
    x = b.apply("shift", given, name="middle_of_pixel")
    none = b.apply("full", name="no_point", shape=(batch, 1, 1, 2), dtype=b.dtype)
    x = b.apply("concat", x, none, name="points", dim=2)
    labels = b.input("input_labels", (batch, 1, points), "int32")
    labels = b.apply("cast", labels, name="labels_cast", dtype=b.dtype)
    rest = b.apply("full", name="no_label", shape=(batch, 1, 1), dtype=b.dtype)
    return x, b.apply("concat", labels, rest, name="labels", dim=2)


def prompted(config: PromptConfig, b: Builder, batch: Dim, points: Dim, side: Dim, tied: str) -> tuple[Value, Value]:
    """Returns the tokens of the points, with one for none, and the map of a prompt without a mask. The rates of waves
    are the `tied` parameter."""
    width = config.hidden_size
    x, labels = given_points(b, batch, points)
    own = b.parameter(
        "shared_embedding.positional_embedding", (2, exact_div(width, 2, "hidden_size / 2")), tied_to=tied
    )
    with b.scope("shared_embedding"):
        x = b.apply("scale", x, name="relative")
        x = waves(b, x, own)
    column = b.apply("reshape", labels, name="label_column", shape=(batch, 1, points + 1, 1))
    for word, kind, name in (
        ("none", "eq", "not_a_point_embed"),
        ("hidden", "ne", ""),
        ("outside", "eq", "point_embed.0"),
        ("inside", "eq", "point_embed.1"),
    ):
        value = b.apply("full", name=f"{word}_label", shape=(), dtype=b.dtype)
        chosen = b.apply(kind, column, value, name=f"is_{word}")
        if not name:
            x = hidden_where(b, x, chosen)
            continue
        row = b.apply("reshape", b.parameter(f"{name}.weight", (1, width)), name=f"{word}_row", shape=(1, 1, 1, width))
        other = row if word == "none" else b.apply("add", x, row, name=f"{word}_added")
        x = b.apply("where", chosen, other, x, name=f"with_{word}")
    for index in range(2, config.num_point_embeddings):  # of boxes
        resident(b, f"point_embed.{index}", b.parameter(f"point_embed.{index}.weight", (1, width)))
    unread_masks(config, b)
    return x, no_mask(b, batch, width, side)


def hidden_where(b: Builder, x: Value, shown: Value) -> Value:
    """Returns tokens with zeros where they are not shown."""
    zeros = b.apply("full", name="zeros", shape=x.spec.shape, dtype=b.dtype)
    return b.apply("where", shown, x, zeros, name="shown")


def no_mask(b: Builder, batch: Dim, width: Dim, side: Dim) -> Value:
    """Returns the map of a prompt without a mask, (batch, width, side, side), a view."""
    row = b.parameter("no_mask_embed.weight", (1, width))
    dense = b.apply("reshape", row, name="no_mask_row", shape=(1, width, 1, 1))
    return b.apply("expand", dense, name="no_mask", shape=(batch, width, side, side))


def unread_masks(config: PromptConfig, b: Builder) -> None:
    """Adds what would read a mask, which no prompt has here."""
    narrow = exact_div(config.mask_input_channels, 4, "mask_input_channels / 4")
    wide = config.mask_input_channels
    shapes = {"conv1": (narrow, 1, 2, 2), "conv2": (wide, narrow, 2, 2), "conv3": (config.hidden_size, wide, 1, 1)}
    with b.scope("mask_embed"):
        for name, shape in (*shapes.items(), ("layer_norm1", (narrow,)), ("layer_norm2", (4 * narrow,))):
            resident(b, name, b.parameter(f"{name}.weight", shape), b.parameter(f"{name}.bias", shape[:1]))
