"""Inputs of pictures: pixels, patches, and what says where they lie in a text."""

from __future__ import annotations

import torch
from torch import nn

from graphacct_torch.reading import films
from graphacct_torch.reading.families import (
    CUT_IMAGES,
    IMAGES_BY_TEXT,
    IMAGES_OF_TEXT,
    IMAGES_OF_TOKENS,
    PAIRS,
    PATCHES_AS_IMAGES,
    VIDEOS_OF_TEXT,
)
from graphacct_torch.reading.given import made
from graphacct_torch.reading.sizes import FRAMES, VISION, Sizes

INT, FLOAT = torch.int64, torch.float32
SIDE = 16
"""Patches of a side of an image that is given as patches."""
SQUARE = SIDE * SIDE
"""Patches of that image."""


def pixels(sizes: Sizes) -> torch.Tensor:
    if sizes.names & {"spatial_shapes", "grid_thw", "pixel_position_ids", "image_position_ids"}:
        return patches(sizes)
    if "prompt_pixel_values" in sizes.names:
        return upper_half(sizes)
    if "target_sizes" in sizes.names:  # each image a strip of patches
        patch = sizes.get("patch_size", default=14, parts=VISION)
        rows, columns = rows_and_columns(sizes)
        count = sizes.batch * (sizes.images or 1) * rows * columns
        return made("pixel_values", (1, sizes.channels, patch, count * patch), FLOAT)
    images = (sizes.channels, *sizes.pixels)
    if sizes.images is not None and "image_grid_thw" in sizes.names:
        return _grid_of_text(sizes)
    if sizes.images is not None and sizes.get("model_type") in CUT_IMAGES:
        tile = sizes.get("image_size", parts=VISION)
        count = sizes.batch * sizes.images * _squares(sizes)
        return made("pixel_values", (count, sizes.channels, tile, tile), FLOAT)
    if sizes.images is not None and "aspect_ratio_ids" in sizes.names:
        return made("pixel_values", (sizes.batch, *tiles(sizes), *images), FLOAT)
    if sizes.get("model_type") in VIDEOS_OF_TEXT:
        return made("pixel_values", (sizes.batch * (sizes.images or 1), sizes.frames or 4, *images), FLOAT)
    if sizes.images is not None and "input_ids" in sizes.names:
        return made("pixel_values", (*_images_of_text(sizes), *images), FLOAT)
    if sizes.get("model_type") in IMAGES_OF_TOKENS:
        side = sizes.get("patch_size") * sizes.get("spatial_merge_size")
        return made("pixel_values", (sizes.batch * SQUARE, side, side, sizes.channels), FLOAT)
    if sizes.get("model_type") in IMAGES_OF_TEXT:
        return made("pixel_values", (sizes.batch, 1, *images), FLOAT)
    if sizes.get("model_type") in PAIRS:
        return made("pixel_values", (sizes.batch, 2, *images), FLOAT)
    frames = sizes.get("num_frames", parts=VISION)
    if isinstance(frames, int) and not isinstance(sizes.get("num_image_with_embedding"), int):
        return made("pixel_values", (sizes.batch, frames, *images), FLOAT)
    return made("pixel_values", (sizes.batch, *images), FLOAT)


def tokens(sizes: Sizes) -> int:
    """The tokens of a picture that is cut into squares, of which windowed queries leave a share."""
    from transformers.image_processing_utils import select_best_resolution
    from transformers.models.granite4_vision.modeling_granite4_vision import unpad_image

    tile = sizes.get("image_size", parts=VISION)
    height, width = select_best_resolution(size(sizes), sizes.get("image_grid_pinpoints"))
    left, window = map(int, sizes.get("downsample_rate").split("/"))
    side = tile // sizes.get("patch_size", parts=VISION) * left // window
    places = torch.empty((1, height // tile * side, width // tile * side), device="meta")
    _, rows, columns = unpad_image(places, size(sizes)).shape
    return int(side * side + rows * (columns + 1))


def tiles(sizes: Sizes) -> tuple[int, int]:
    """The images of a text, and the tiles that each is padded to."""
    return sizes.images or 1, sizes.tiles or sizes.get("max_num_tiles", default=1, parts=VISION)


def _squares(sizes: Sizes) -> int:
    """The squares that each picture of a text is cut into, the whole picture in one of them included."""
    if "batch_num_images" in sizes.names and sizes.images != 1:
        return 1
    from transformers.image_processing_utils import select_best_resolution

    tile = sizes.get("image_size", parts=VISION)
    height, width = select_best_resolution(size(sizes), sizes.get("image_grid_pinpoints"))
    return (height // tile) * (width // tile) + 1


def size(sizes: Sizes) -> tuple[int, int]:
    """The size of a picture: as given; or that of the first resolution that has as many squares as are given."""
    tile = sizes.get("image_size", parts=VISION)
    if sizes.get("model_type") in CUT_IMAGES and sizes.tiles is not None and sizes.pixels == (tile, tile):
        listed = sizes.get("image_grid_pinpoints")
        found = ((h, w) for h, w in listed if (h // tile) * (w // tile) + 1 == sizes.tiles)
        return next(found, sizes.pixels)
    return sizes.pixels


def _images_of_text(sizes: Sizes) -> tuple[int, ...]:
    """The images of all sequences, as many dimensions as the class has of them."""
    assert sizes.images is not None
    if sizes.get("model_type") in IMAGES_BY_TEXT:
        return sizes.batch, sizes.images * (sizes.tiles or 1)
    return (sizes.batch * sizes.images * (sizes.tiles or 1),)


def patches(sizes: Sizes) -> torch.Tensor:
    """Patches in rows, SIDE by SIDE of each image: all images' after one another where `grid_thw` tells them apart."""
    patch = sizes.get("patch_size", default=14, parts=VISION)
    frames = sizes.get("temporal_patch_size", default=1, parts=VISION)
    width = sizes.channels * patch * patch
    layer = sizes.first(nn.Linear)
    if isinstance(layer, nn.Linear) and layer.in_features % width == 0:
        width, frames = layer.in_features, 1
    if sizes.names & {"spatial_shapes", "pixel_position_ids", "image_position_ids"}:
        rows, columns = _whole_sides(sizes)
        return made("pixel_values", (sizes.batch * (sizes.images or 1), rows * columns, width), FLOAT)
    if sizes.get("model_type") in PATCHES_AS_IMAGES:
        return made("pixel_values", (sizes.batch * SQUARE, sizes.channels, patch, patch), FLOAT)
    return made("hidden_states", (sizes.batch * SQUARE, width * frames), FLOAT)


def _whole_sides(sizes: Sizes) -> tuple[int, int]:
    """Patches of the sides of an image: whole windows, of a model that pools them."""
    pool = sizes.get("pooling_kernel_size", default=1, parts=VISION)
    rows, columns = rows_and_columns(sizes)
    return rows - rows % pool, columns - columns % pool


def patch_positions(sizes: Sizes) -> torch.Tensor:
    """The column and row of each patch of an image."""
    rows, columns = (torch.arange(side) for side in _whole_sides(sizes))
    places = torch.cartesian_prod(rows, columns).flip(1)
    return places.expand(sizes.batch * (sizes.images or 1), -1, -1).contiguous()


def grid(sizes: Sizes) -> torch.Tensor:
    if sizes.images is not None and "image_grid_thw" in sizes.names:
        return torch.tensor([[1, *rows_and_columns(sizes)]] * (sizes.batch * sizes.images))
    return torch.tensor([[1, SIDE, SIDE]] * sizes.batch)


def rows_and_columns(sizes: Sizes) -> tuple[int, int]:
    """Patches of the images of a text, on both sides."""
    patch = sizes.get("patch_size", default=14, parts=VISION)
    height, width = sizes.image or (SIDE * patch, SIDE * patch)
    return height // patch, width // patch


def spatial_shapes(sizes: Sizes) -> torch.Tensor:
    """Rows and columns of the patches of each image."""
    return torch.tensor([rows_and_columns(sizes)] * (sizes.batch * (sizes.images or 1)))


def patches_seen(sizes: Sizes) -> torch.Tensor:
    """A mask of all patches of each image, or of one thing."""
    if "spatial_shapes" not in sizes.names:
        return made("mask", (sizes.batch, 1), INT)
    rows, columns = rows_and_columns(sizes)
    return torch.ones((sizes.batch * (sizes.images or 1), rows * columns), dtype=INT)


def _grid_of_text(sizes: Sizes) -> torch.Tensor:
    """The patches of all images of all texts, in rows."""
    assert sizes.images is not None
    patch = sizes.get("patch_size", default=14, parts=VISION)
    frames = sizes.get("temporal_patch_size", "patch_temporal", default=1, parts=VISION)
    rows, columns = rows_and_columns(sizes)
    channels = sizes.get("in_channels", "num_channels", default=3, parts=VISION)
    count = sizes.batch * sizes.images * rows * columns
    if sizes.get("model_type") in PATCHES_AS_IMAGES:
        return made("pixel_values", (count, channels, patch, patch), FLOAT)
    return made("pixel_values", (count, channels * frames * patch * patch), FLOAT)


def modalities(sizes: Sizes) -> torch.Tensor:
    """Which tokens stand for images (1) or films (2) and which do not (0)."""
    rows, columns = rows_and_columns(sizes)
    squares = sizes.get("spatial_merge_size", default=1, parts=VISION) ** 2
    ids = torch.zeros((sizes.batch, sizes.text), dtype=INT)
    if films.given(sizes):
        ids[:, : films.tokens(sizes)] = 2
        return ids
    ids[:, : (sizes.images or 0) * rows * columns // squares] = 1
    return ids


def merge_sizes(sizes: Sizes) -> torch.Tensor:
    """The side of the squares of patches that become one token, for each image: each patch is one."""
    return torch.ones(sizes.batch * (sizes.images or 1), dtype=INT)


def videos(sizes: Sizes) -> torch.Tensor:
    if films.given(sizes):
        return films.pixels(sizes)
    frames = sizes.frames or sizes.get("frames_per_clip", "num_frames", default=FRAMES, parts=VISION)
    size = sizes.get("crop_size", default=sizes.pixels[0], parts=VISION)
    count = sizes.batch * (sizes.images or 1)
    return made("pixel_values_videos", (count, frames, sizes.channels, size, size), FLOAT)


def upper_half(sizes: Sizes) -> torch.Tensor:
    """An image that stands above another: together they have the size that the model takes."""
    height, width = sizes.pixels
    return made("image", (sizes.batch, sizes.channels, height // 2, width), FLOAT)
