"""Patches of latents as tokens, and the embeddings of a time in diffusers' transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.layers import embedding, linear

from graphacct import Builder, ConfigError, Dim, Value, has_value
from graphacct_diffusers.layers import conv, sinusoids, text_projection, time_embedding, tokens

STEPS = 256
"""Channels of the sinusoids of a time, which no key of a file sets."""


def unplaced(b: Builder, name: str, x: Value, width: Dim, patch: Dim) -> Value:
    """Applies PatchEmbed without positions: a token for each patch."""
    x = conv(b, f"{name}.proj", x, width, (patch, patch), stride=patch, padding=0)
    return tokens(b, f"{name}.tokens", x)


def patched(
    b: Builder,
    x: Value,
    width: Dim,
    patch: Dim,
    grid: Sequence[Dim],
    most: Dim | None = None,
    sides: Any = None,
    *,
    name: str = "pos_embed",
) -> Value:
    """Applies PatchEmbed: a token for each patch, with fixed positions added. `most` patches of a side are
    the rows of a table that positions are cut out of (a buffer of the checkpoint); without it the table is of `sides`,
    and computed anew for another grid."""
    height, columns = grid
    x = unplaced(b, name, x, width, patch)
    if most is None:
        kind = "constant" if tuple(grid) == tuple(sides) else "full"
        places = b.apply(kind, name=f"{name}.positions", shape=(1, height * columns, width), dtype="float32")
    else:
        for side in grid:
            if has_value(side) and has_value(most) and side > most:
                raise ConfigError(f"image_size gives {side} patches along a side, beyond pos_embed_max_size {most}")
        table = b.parameter(f"{name}.pos_embed", (1, most * most, width), "float32", buffer=True)
        places = b.apply("reshape", table, name=f"{name}.table", shape=(1, most, most, width))
        for axis, side in enumerate(grid, 1):
            start = (most - side) // 2
            places = b.apply("slice", places, name=f"{name}.cut_{axis}", dim=axis, start=start, length=side)
        places = b.apply("reshape", places, name=f"{name}.positions", shape=(1, height * columns, width))
    x = b.apply("add", x, places, name=f"{name}.sum")
    return x if x.spec.dtype == b.dtype else b.apply("cast", x, name=f"{name}.as_computed", dtype=b.dtype)


def time_told(b: Builder, name: str, steps: Value, width: Dim, *, part: str = "timestep_embedder") -> Value:
    """Returns the embedding of time steps (batch,), in the scope `name`."""
    with b.scope(name):
        return time_embedding(b, part, sinusoids(b, f"{part}_proj", steps, STEPS), width)


def time_and_class(
    b: Builder, name: str, steps: Value, labels: Value, count: Dim, width: Dim, *, training: bool
) -> Value:
    """Applies CombinedTimestepLabelEmbeddings: a time and one of `count` classes, or none of them. In training, chance
    leaves some classes out."""
    time = time_told(b, name, steps, width)
    with b.scope(name):
        if training:
            chance = b.apply("random", name="class_embedder.chance", shape=labels.spec.shape)
            left_out = b.apply("cast", chance, name="class_embedder.left_out", dtype="bool")
            labels = b.apply("masked_fill", labels, left_out, name="class_embedder.labels")
        label = embedding(b, "class_embedder.embedding_table", labels, count + 1, width)
        return b.apply("add", time, label, name="sum")


def time_and_text(b: Builder, name: str, steps: Value, pooled: Value, width: Dim, guidance: Value | None) -> Value:
    """Applies CombinedTimestepTextProjEmbeddings: a time, perhaps a strength of guidance, and a pooled text."""
    x = time_told(b, name, steps, width)
    if guidance is not None:
        other = time_told(b, name, guidance, width, part="guidance_embedder")
        x = b.apply("add", x, other, name=f"{name}.time_and_guidance")
    with b.scope(name):
        return b.apply("add", x, text_projection(b, "text_embedder", pooled, width, "silu"), name="sum")


def shifts(b: Builder, name: str, time: Value, count: int, *, bias: bool = True) -> list[Value]:
    """Applies an activation and a linear layer to a time (batch, width): `count` views (batch, 1, width)."""
    batch, width = time.spec.shape
    with b.scope(name):
        x = linear(b, "linear", b.apply("silu", time, name="silu"), count * width, bias=bias)
        parts = b.apply("split", x, name="parts", parts=count, dim=1)
        return [b.apply("reshape", part, name=f"part_{i}", shape=(batch, 1, width)) for i, part in enumerate(parts)]


def normed(b: Builder, name: str, x: Value) -> Value:
    """Applies a layer norm without weights."""
    return b.apply("layer_norm", x, name=name)
