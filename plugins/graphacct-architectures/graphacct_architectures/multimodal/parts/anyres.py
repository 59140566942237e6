"""Images of any size: the picture as a whole in one square, and cut into a grid of squares; then rows of the grid with
a token behind each, without the places that are padding.

Liu et al., 2024 (LLaVA-NeXT); Li et al., 2024 (LLaVA-OneVision, arXiv:2408.03326).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import attrs

from graphacct import Builder, ConfigError, Dim, SubModel, Value, Workload, brief, equal, fields, frozen, has_value
from graphacct_architectures.multimodal.parts.compose import Part
from graphacct_architectures.multimodal.parts.images import without_first
from graphacct_architectures.multimodal.parts.projector import Step, projected
from graphacct_architectures.multimodal.parts.towers import looked

NEWLINE = "image_newline"
MOST_RESOLUTIONS = 10_000
"""The most resolutions that are looked through; published lists have up to 36."""
MOST_PIXELS = 10**6
"""The most pixels on a side of a picture."""


def resolutions(default: Sequence[tuple[int, int]]) -> Any:
    """Returns the key of the sizes that a picture is padded to, each a height and a width in pixels."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, int], ...]:
        found = value if value is not None else default
        pairs = found if isinstance(found, (list, tuple)) else ()
        if not pairs or len(pairs) > MOST_RESOLUTIONS or not all(map(_is_pair, pairs)):
            raise ConfigError(f"{field.name} is a list of heights and widths in pixels, not {brief(value)}")
        return tuple((height, width) for height, width in pairs)

    return fields.checked_field(check, tuple(default))


def _is_pair(item: Any) -> bool:
    pair = item if isinstance(item, (list, tuple)) else ()
    return len(pair) == 2 and all(has_value(side) and 0 < side <= MOST_PIXELS for side in pair)


@frozen
class Cut:
    """How a picture is cut.

    Attributes:
        rows, columns: Squares of the grid.
        height, width: Places of the grid's tokens that are no padding.
    """

    rows: int
    columns: int
    height: int
    width: int

    @property
    def tiles(self) -> int:
        """How many squares the tower sees: the grid's, and the whole picture in one."""
        return self.rows * self.columns + 1


WHOLE = Cut(0, 0, 0, 0)
"""A picture that is seen as a whole alone."""


def cut(size: tuple[int, int], listed: Sequence[tuple[int, int]], tile: int, side: int) -> Cut:
    """Returns how a picture of a size is cut into squares of `tile` pixels, each of `side` by `side` tokens."""
    height, width = chosen(size, listed)
    rows, columns = height // tile, width // tile
    if not rows or not columns or not side:
        raise ConfigError(f"image_grid_pinpoints has a size below the {tile} pixels of vision_config.image_size")
    high, wide = unpadded(size, rows * side, columns * side)
    return Cut(rows, columns, high, wide)


def chosen(size: tuple[int, int], listed: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Returns the listed size in which most of a picture's pixels are kept, and of equals the one with the least
    padding; the first of those."""
    high, wide = size
    best: tuple[int, int, tuple[int, int]] | None = None
    for height, width in listed:
        factor = min(width / wide, height / high)
        kept = min(int(wide * factor) * int(high * factor), wide * high)
        rank = kept, kept - height * width, (height, width)
        if kept > 0 and (best is None or rank[:2] > best[:2]):
            best = rank
    if best is None:
        raise ConfigError(f"image_size {high}x{wide} keeps no pixel in any of image_grid_pinpoints")
    return best[2]


def unpadded(size: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Returns the places of a grid of height by width that a picture of a size fills; padding is the same on both
    sides, in whole places."""
    high, wide = size
    if wide / high > width / height:
        padding = (height - int(round(high * (width / wide), 7))) // 2
        return height - 2 * padding, width
    padding = (width - int(round(wide * (height / high), 7))) // 2
    return height, width - 2 * padding


@frozen
class AnySize:
    """How a family cuts pictures.

    Attributes:
        tower: The tower.
        listed: The sizes that a picture is padded to.
        most: A picture whose tokens are more than those of so many squares is made smaller; None if none is.
        rate: The share of a side's patches that is left of them as tokens.
        alone: Whether pictures are cut in sequences of one picture alone; those of others are seen as a whole.
    """

    tower: SubModel
    listed: tuple[tuple[int, int], ...]
    most: int | None = None
    alone: bool = False
    rate: Fraction = Fraction(1)

    @property
    def tile(self) -> int:
        """Pixels of a side of a square. Raises ConfigError unless it is one number."""
        height, width = self.tower.config.image_size
        if type(height) is not int or height != width:
            raise ConfigError(f"vision_config.image_size is {height}x{width}: pictures are cut into squares of a size")
        return height

    @property
    def side(self) -> int:
        """Tokens of a side of a square."""
        return int(self.patches * self.rate)

    @property
    def patches(self) -> int:
        """Patches of a side of a square."""
        patch = self.tower.config.patch_size[0]
        if type(patch) is not int:
            raise ConfigError(f"vision_config.patch_size is {patch}: pictures are cut, so give a number")
        return self.tile // patch

    def cut(self, workload: Workload) -> Cut:
        """Returns how the pictures of a workload are cut: those of its `image_size`; or if it says how many `tiles` of
        the tower's size, those that fill the first listed size of as many.

        Raises ConfigError for a number of tiles that does not occur.
        """
        if self.alone and not equal(workload.images or 0, 1):
            if workload.tiles not in (None, 1):
                raise ConfigError(f"tiles is {workload.tiles}: a picture is cut if it is the only one of a sequence")
            return WHOLE
        size = workload.image_size
        assert size is not None  # the architecture declares its default
        high, wide = size
        if type(high) is not int or type(wide) is not int:
            raise ConfigError(f"image_size is {high}x{wide}: its tokens are counted place by place, so give numbers")
        tile, side, tiles = self.tile, self.side, workload.tiles
        if tiles is not None and (high, wide) == (tile, tile):
            counts: dict[Any, tuple[int, int]] = {
                (h // tile) * (w // tile) + 1: (h, w) for h, w in reversed(self.listed)
            }
            if tiles not in counts:
                raise ConfigError(
                    f"tiles is {tiles}; an image of these sizes (image_grid_pinpoints) has "
                    f"{' or '.join(map(str, sorted(counts)))}, the whole picture in one of them included"
                )
            high, wide = counts[tiles]
        if max(high, wide) > MOST_PIXELS:
            raise ConfigError(f"image_size is {high}x{wide}: a picture has at most {MOST_PIXELS:,} pixels on a side")
        found = cut((high, wide), self.listed, tile, side)
        if tiles is not None and tiles != found.tiles:
            raise ConfigError(
                f"tiles is {tiles}, and an image of {high}x{wide} is {found.tiles}: leave tiles out, or image_size"
            )
        return found


def pictures(
    sizes: AnySize,
    root: str,
    steps: Sequence[Step],
    width: Dim,
    *,
    layers: Sequence[int] = (),
    cropped: bool = False,
    film: Film | None = None,
) -> Part:
    """Returns the images of a text, as `images.seen` does, for pictures of any size. A workload with `frames` has a
    film of so many in the place of each picture, if there is a function for films."""

    def features(workload: Workload, b: Builder) -> Value:
        images, tile = workload.batch * (workload.images or 0), sizes.tile
        found = WHOLE if workload.frames is not None else sizes.cut(workload)
        count = images * (found.tiles if workload.frames is None else workload.frames)
        with b.scope(f"{root}vision_tower"):
            squares = attrs.evolve(workload, batch=count, image_size=(tile, tile))
            read = looked(sizes.tower, squares, b, layers)
        if cropped:
            read = tuple(without_first(b, x, f"patches_{i}") for i, x in enumerate(read))
        x = b.apply("concat", *read, name="features", dim=-1) if len(read) > 1 else read[0]

        def project(x: Value) -> Value:
            with b.scope(f"{root}multi_modal_projector"):
                return projected(b, steps, x)

        newline = b.parameter(f"{root}{NEWLINE}", (width,))
        if workload.frames is not None:
            assert film is not None  # else the architecture takes no frames
            return film(sizes, b, x, project, newline, (images, workload.frames))
        x = project(x)
        with b.scope(root.removesuffix(".")):
            return packed(sizes, found, b, x, newline, images)

    return Part("images", features)


Film: TypeAlias = Callable[[AnySize, Builder, Value, Callable[[Value], Value], Any, tuple[Dim, Dim]], Value]
"""From the tokens of all frames (films · frames, tokens, width), the function that projects them, the newline, and the
numbers of films and of frames in each, to the films' tokens (films, tokens, width)."""


def packed(sizes: AnySize, found: Cut, b: Builder, x: Value, newline: Any, images: Dim) -> Value:
    """Returns all pictures' tokens, (images, tokens, width), from those of their squares (images · tiles, tokens,
    width): the whole picture's, then the grid's row by row, with the token `newline` behind each row."""
    tokens, width = x.spec.shape[1:]
    side, rows, columns = sizes.side, found.rows, found.columns
    if found == WHOLE:
        line = b.apply("reshape", newline, name="newline", shape=(1, 1, width))
        line = b.apply("expand", line, name="newlines", shape=(images, 1, width))
        both: Value = b.apply("concat", x, line, name="packed", dim=1)
        return both
    if tokens != side * side:
        raise ConfigError(
            f"a square of an image has {tokens} tokens and not {side}x{side}: vision_feature_select_strategy is "
            "'default' for a tower with a class token, and 'full' for one without"
        )
    x = b.apply("reshape", x, name="squares", shape=(images, found.tiles, tokens, width))
    whole = b.apply("select", x, name="whole", dim=1)
    x = b.apply("slice", x, name="grid", dim=1, start=1, length=found.tiles - 1)
    x = b.apply("reshape", x, name="grid_places", shape=(images, rows, columns, side, side, width))
    x = b.apply("permute", x, name="width_first", dims=(0, 5, 1, 3, 2, 4))
    x = b.apply("contiguous", x, name="width_first_copied")
    high, wide = rows * side, columns * side
    x = b.apply("reshape", x, name="plane", shape=(images, width, high, wide))
    for dim, (length, kept) in enumerate(((high, found.height), (wide, found.width)), 2):
        if kept != length:
            x = b.apply("slice", x, name=f"unpadded_{dim}", dim=dim, start=(length - kept) // 2, length=kept)
    high, wide = found.height, found.width
    if sizes.most is not None:
        ratio = (high * wide / (sizes.most * side**2)) ** 0.5
        if ratio > 1.1:
            high, wide = int(high // ratio), int(wide // ratio)
            x = b.apply("upsample_linear", x, name="smaller", size=(high, wide))
    line = b.apply("reshape", newline, name="newline", shape=(width, 1, 1))
    line = b.apply("expand", line, name="newlines", shape=(images, width, high, 1))
    x = b.apply("concat", x, line, name="with_newlines", dim=-1)
    x = b.apply("reshape", x, name="flat", shape=(images, width, high * (wide + 1)))
    x = b.apply("transpose", x, name="rows", dims=(1, 2))
    found_rows: Value = b.apply("concat", whole, x, name="packed", dim=1)
    return found_rows
