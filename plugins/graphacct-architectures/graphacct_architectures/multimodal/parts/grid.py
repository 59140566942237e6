"""A tower that reads a grid of patches of any size, as Qwen's models do: rows and columns rotate queries and keys, an
image sees itself alone or windows of itself, and squares of patches become one token.

Wang et al., 2024 (arXiv:2409.12191); Bai et al., 2025 (arXiv:2502.13923, arXiv:2511.21631).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, ceil_div, exact_div, frozen, has_value, less
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.grid_layers import Looking, apart, body, tables


@frozen
class Extent:
    """What a tower is given: how many images of how many rows and columns of patches; `times` of them, one after
    another, are a film (None for pictures)."""

    images: Dim
    rows: Dim
    columns: Dim
    times: Dim | None = None

    @property
    def count(self) -> Dim:
        """Patches of all images."""
        return self.images * self.rows * self.columns

    @property
    def shown(self) -> Dim:
        """Pictures or films."""
        return self.images if self.times is None else exact_div(self.images, self.times, "images / those of a film")


@frozen
class Grid:
    """The tower.

    Attributes:
        depth: Its layers.
        width: The width of the stream.
        channels: Of a pixel.
        patch: Frames, rows and columns of a patch; rows and columns alone for a projection of images.
        merge: The side of the squares of patches that become one token.
        looking: The layers' attention.
        mlp: The feed-forward network.
        norm: The norms' kind.
        merger: Adds what makes tokens of the patches after the last layer; None for none.
        patches: The name of the patches' projection.
        patch_bias: Whether it has a bias.
        flat: Whether it is a linear layer, else a convolution.
        first_norm: The name of a norm of the patches; empty for none.
        positions: Adds learned positions to the patches; None for none.
        norms: The names of the norms before attention and before the network.
        stack: The layers' name.
        last_norm: The name of a norm after them; empty for none.
        window: The side of the windows in pixels; None if each layer sees the whole image.
        whole: The layers that see it although others have windows.
        deep: The layers after which tokens are made besides, for the first layers of the text.
        deep_merger: What makes these.
        deep_list: The name of the list of these mergers.
        module: The module around everything; empty if the tower is it.
        second_norm: The name of a norm after the positions; empty for none.
        finish: Adds what follows when the patches are in their first order again; None for nothing.
        least: The side of the squares of patches that an image has whole numbers of; None for `merge`.
        together: The frames that a film has whole groups of, the last one repeated; None for those of a patch.
        joined: Whether a film's frames see one another.
        most_frames: The most frames of a film; None for any number.
        film_merge: The side of the squares of patches that become one token of a film; None for `merge`.
    """

    depth: Dim
    width: Dim
    channels: Dim
    patch: tuple[Dim, ...]
    merge: Dim
    looking: Looking
    mlp: Mlp
    norm: Norm
    merger: Callable[[Builder, Value, Extent], Value] | None = None
    patches: str = "patch_embed.proj"
    patch_bias: bool = False
    flat: bool = False
    first_norm: str = ""
    positions: Callable[[Builder, Value, Extent], Value] | None = None
    norms: tuple[str, str] = ("norm1", "norm2")
    stack: str = "blocks"
    last_norm: str = ""
    window: Dim | None = None
    whole: tuple[int, ...] = ()
    deep: tuple[int, ...] = ()
    deep_merger: Callable[[Builder, Value, Extent], Value] | None = None
    deep_list: str = "deepstack_merger_list"
    module: str = ""
    second_norm: str = ""
    finish: Callable[[Builder, Value, Extent], Value] | None = None
    least: Dim | None = None
    together: Dim | None = None
    joined: bool = False
    most_frames: Dim | None = None
    film_merge: Dim | None = None

    @property
    def deep_patch(self) -> Dim:
        """Frames of a patch."""
        return self.patch[0] if len(self.patch) > 2 else 1


def grid_rows(g: Grid, workload: Workload, b: Builder, images: Dim) -> tuple[Value, ...]:
    """Adds the tower, whose scope the builder is in. Returns the tokens of `images` images, (tokens, width), and those
    made after the deep layers."""
    with b.scope(g.module):
        return looked(g, workload, b, extent_of(g, workload, images))


def extent_of(g: Grid, workload: Workload, images: Dim) -> Extent:
    """Returns the patches of `images` images of the workload's size, or of as many films of its frames."""
    if workload.frames is None:
        return Extent(images, *sides(g, workload.image_size))
    group = g.deep_patch if g.together is None else g.together
    if g.most_frames is not None and less(g.most_frames, workload.frames):
        raise ConfigError(
            f"frames is {workload.frames}, and the tower has positions for {g.most_frames}: give fewer frames"
        )
    times = exact_div(ceil_div(workload.frames, group) * group, g.deep_patch, "frames / those of a patch")
    square = g.least if g.film_merge is None else g.film_merge
    return Extent(images * times, *sides(attrs.evolve(g, least=square), workload.image_size), times)


def looked(g: Grid, workload: Workload, b: Builder, extent: Extent) -> tuple[Value, ...]:
    """Adds the tower, whose module the builder is in."""
    x = patches(g, b, extent)
    if g.first_norm:
        x = normed_by(b, g.first_norm, x, g.norm)
    if g.positions is not None:
        x = g.positions(b, x, extent)
    if g.second_norm:
        x = normed_by(b, g.second_norm, x, g.norm)
    windowed = g.window is not None
    if windowed:
        x = reordered(b, x, g.merge, "windows")
    module, _, name = g.stack.rpartition(".")
    constants = tables(g.looking, b, g.width, extent.count) if g.looking.turns else ()
    groups = {
        True: apart((whole(g, extent),)),
        False: apart(windows(g, extent)),
    }
    layer = partial(body, g.looking, g.mlp, g.norm, g.norms, workload, groups)
    kinds = [g.window is None or index in g.whole for index in range(layers(g))]
    deep: list[Value] = []
    start = 0
    for end in (*(index + 1 for index in g.deep), len(kinds)):
        if end > start:
            with b.scope(module):
                x = stack(b, name, kinds[start:end], layer, x, constants, start)
        if end <= len(kinds) and len(deep) < len(g.deep):
            assert g.deep_merger is not None
            with b.scope(f"{g.deep_list}.{len(deep)}"):
                deep.append(g.deep_merger(b, x, extent))
        start = end
    if g.last_norm:
        x = normed_by(b, g.last_norm, x, g.norm)
    if g.merger is not None:
        x = g.merger(b, x, extent)
    if windowed:
        order = b.apply("full", name="order", shape=x.spec.shape[:1], dtype="int64")
        x = b.apply("index_select", x, order, name="in_order", dim=0)
    return x if g.finish is None else g.finish(b, x, extent), *deep


def reordered(b: Builder, x: Value, merge: Dim, name: str) -> Value:
    """Returns the squares of patches in another order: (patches, width)."""
    count, width = x.spec.shape
    squares = exact_div(count, merge**2, "patches / spatial_merge_size²")
    x = b.apply("reshape", x, name=f"{name}_squares", shape=(squares, merge**2, width))
    places = b.apply("full", name=f"{name}_places", shape=(squares,), dtype="int64")
    x = b.apply("index_select", x, places, name=name, dim=0)
    return b.apply("reshape", x, name=f"{name}_patches", shape=(count, width))


def patches(g: Grid, b: Builder, extent: Extent) -> Value:
    """Returns the patches of all images, projected: (patches, width)."""
    elements = g.channels
    for side in g.patch:
        elements = elements * side
    x: Value = b.input("pixel_values", (extent.count, elements))
    if g.flat:
        return linear(b, g.patches, x, g.width, bias=g.patch_bias)
    module, _, name = g.patches.rpartition(".")
    with b.scope(module):
        x = b.apply("reshape", x, name="patches", shape=(extent.count, g.channels, *g.patch))
        weight = b.parameter(f"{name}.weight", (g.width, g.channels, *g.patch))
        rest = (b.parameter(f"{name}.bias", (g.width,)),) if g.patch_bias else ()
        x = b.apply("convolution", x, weight, *rest, name=name, stride=g.patch)
        x = b.apply("reshape", x, name="flat", shape=(extent.count, g.width))
    return x


def layers(g: Grid) -> int:
    """Returns how many layers there are. Raises ConfigError unless it is a number, and for a deep layer beyond it."""
    if type(g.depth) is not int or g.depth > 10_000:
        raise ConfigError(f"vision_config.depth is {g.depth}: layers may differ, so give a number up to 10,000")
    wrong = [index for index in g.deep if not 0 <= index < g.depth]
    if wrong or list(g.deep) != sorted(set(g.deep)):
        raise ConfigError(
            f"vision_config.deepstack_visual_indexes is {list(g.deep)}: they are layers in order, of {g.depth}"
        )
    return g.depth


def sides(g: Grid, size: tuple[Dim, Dim] | None) -> tuple[Dim, Dim]:
    """Returns the rows and columns of patches. Raises ConfigError unless they are whole squares."""
    assert size is not None  # the architecture declares its default
    square = g.merge if g.least is None else g.least
    units = tuple(step * square for step in g.patch[-2:])
    for side, unit in zip(size, units, strict=True):
        if has_value(side) and has_value(unit) and side % unit:
            raise ConfigError(
                f"image_size {size[0]}x{size[1]} is that after resizing: multiples of {units[0]} and {units[1]}, "
                f"{square} patches of {g.patch[-1]} pixels"
            )
    return tuple(  # type: ignore[return-value]
        exact_div(side, step, "image_size / patch_size") for side, step in zip(size, g.patch[-2:], strict=True)
    )


def whole(g: Grid, extent: Extent) -> tuple[Dim, Dim]:
    """Returns how many images there are of how many patches that see one another: a film is one where its frames are
    joined."""
    images = extent.shown if g.joined else extent.images
    return images, exact_div(extent.count, images, "patches / images")


def windows(g: Grid, extent: Extent) -> tuple[tuple[Dim, Dim], ...]:
    """Returns how many windows there are of how many patches; those at the edges have fewer.

    A window has as many squares of patches on a side as fit into its pixels.
    """
    images, rows, columns = extent.images, extent.rows, extent.columns
    if g.window is None:
        return ()
    if not all(has_value(dim) for dim in (g.window, g.merge, g.patch[-1], rows, columns)):
        raise ConfigError("windows cut an image into parts, so give numbers for image_size and the tower's sizes")
    unit: Any = g.window // g.merge // g.patch[-1]
    if unit < 1:
        raise ConfigError(
            f"vision_config.window_size {g.window} is less than {g.merge} patches of {g.patch[-1]} pixels"
        )
    high: Any = rows // g.merge
    wide: Any = columns // g.merge
    found: dict[int, Dim] = {}
    for tall, count_tall in ((unit, high // unit), (high % unit, 1)):
        for broad, count_broad in ((unit, wide // unit), (wide % unit, 1)):
            length: Any = tall * broad * g.merge**2
            if length and count_tall * count_broad:
                found[length] = found.get(length, 0) + count_tall * count_broad * images
    return tuple((count, length) for length, count in found.items())
