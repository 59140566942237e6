"""Inputs of films: frames of patches, which a class is given as a grid of times, rows and columns."""

from __future__ import annotations

import torch

from graphacct_torch.reading.families import PATCHES_AS_IMAGES
from graphacct_torch.reading.given import made
from graphacct_torch.reading.sizes import FRAMES, VISION, Sizes


def given(sizes: Sizes) -> bool:
    """Whether the images of a text are films."""
    return bool(sizes.images and sizes.frames and sizes.names & {"video_grid_thw", "target_sizes_videos"})


def grid(sizes: Sizes) -> tuple[int, int, int]:
    """The times, rows and columns of patches of a film, whose last frame is repeated until they are whole."""
    deep = depth(sizes)
    group = deep * sizes.get("temporal_merge_size", default=1, parts=VISION)
    patch = sizes.get("patch_size", default=14, parts=VISION)
    height, width = sizes.image or (16 * patch, 16 * patch)
    frames = sizes.frames or FRAMES
    return -(-frames // group) * group // deep, height // patch, width // patch


def depth(sizes: Sizes) -> int:
    """Frames of a patch."""
    found: int = sizes.get("temporal_patch_size", "patch_temporal", default=1, parts=VISION)
    return found


def tokens(sizes: Sizes) -> int:
    """The tokens that stand for the films of a sequence."""
    times, rows, columns = grid(sizes)
    kernel = sizes.get("merge_kernel_size", parts=VISION)
    if kernel is not None:  # a mean over all frames
        return (sizes.images or 0) * rows * columns // (kernel[0] * kernel[1])
    side = 2 if "video_merge_sizes" in sizes.names else sizes.get("spatial_merge_size", "merge_size", parts=VISION)
    times //= sizes.get("temporal_merge_size", default=1, parts=VISION)
    return (sizes.images or 0) * times * rows * columns // (side or 1) ** 2


def grids(sizes: Sizes) -> torch.Tensor:
    """The grids of all films."""
    return torch.tensor([grid(sizes)] * (sizes.batch * (sizes.images or 1)))


def frame_sizes(sizes: Sizes) -> torch.Tensor:
    """The rows and columns of each frame of all films."""
    times, *sides = grid(sizes)
    return torch.tensor([sides] * (sizes.batch * (sizes.images or 1) * times))


def merge_sizes(sizes: Sizes) -> torch.Tensor:
    """The side of the squares of patches that become one token of each film, as VideoLLaMA 3's processor says."""
    return torch.full((sizes.batch * (sizes.images or 1),), 2)


def pixels(sizes: Sizes) -> torch.Tensor:
    """The patches of all films, in rows."""
    times, rows, columns = grid(sizes)
    patch = sizes.get("patch_size", default=14, parts=VISION)
    count = sizes.batch * (sizes.images or 1) * times * rows * columns
    if "target_sizes_videos" in sizes.names:  # each frame a strip of patches
        return made("pixel_values_videos", (1, sizes.channels, patch, count * patch), torch.float32)
    if sizes.get("model_type") in PATCHES_AS_IMAGES:
        return made("pixel_values_videos", (count, sizes.channels, patch, patch), torch.float32)
    return made("pixel_values_videos", (count, sizes.channels * depth(sizes) * patch * patch), torch.float32)
