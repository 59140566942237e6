"""Patches of CogVideoX's videos as tokens after those of a text, and tokens as a video."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import linear

from graphacct import Builder, ConfigError, Dim, Parameter, Value, exact_div, has_value
from graphacct_diffusers.layers import conv


def grid_of(c: Any, frames: Dim, sides: list[Dim]) -> tuple[Dim, Dim, Dim]:
    """Returns how many patches a video has along each axis. Raises ConfigError if they do not fill it."""
    each = c.patch_size_t or 1
    if has_value(frames) and frames % each:
        ratio = c.temporal_compression_ratio
        more = ((frames + each - 1) // each * each - 1) * ratio + 1
        raise ConfigError(f"frames give {frames} latents, which patch_size_t {each} does not divide: give {more}")
    for side in sides:
        if has_value(side) and has_value(c.patch_size) and side % c.patch_size:
            raise ConfigError(
                f"the video has {side} latents along a side, which patch_size {c.patch_size} does not divide"
            )
    height, width = (exact_div(side, c.patch_size, "latents / patch_size") for side in sides)
    return exact_div(frames, each, "latents / patch_size_t"), height, width


def embedded(c: Any, b: Builder, text: Value, x: Value, grid: tuple[Dim, Dim, Dim]) -> Value:
    """Applies CogVideoXPatchEmbed: the text's tokens and then the video's, with fixed places added to both."""
    batch, frames, channels, *sides = x.spec.shape
    count, side = grid[0] * grid[1] * grid[2], c.patch_size
    words = text.spec.shape[1]
    with b.scope("patch_embed"):
        text = linear(b, "text_proj", text, c.width)
        if c.patch_size_t is None:
            y = b.apply("reshape", x, name="pictures", shape=(batch * frames, channels, *sides))
            y = conv(b, "proj", y, c.width, (side, side), stride=side, padding=0, bias=c.patch_bias)
            y = b.apply("reshape", y, name="flat", shape=(batch, frames, c.width, grid[1] * grid[2]))
            y = b.apply("transpose", y, name="by_frame", dims=(2, 3))
            y = b.apply("reshape", y, name="tokens", shape=(batch, count, c.width))
        else:
            y = b.apply("permute", x, name="channels_last", dims=(0, 1, 3, 4, 2))
            shape = (batch, grid[0], c.patch_size_t, grid[1], side, grid[2], side, channels)
            y = b.apply("reshape", y, name="patches", shape=shape)
            y = b.apply("permute", y, name="by_patch", dims=(0, 1, 3, 5, 7, 2, 4, 6))
            y = b.apply("reshape", y, name="flat", shape=(batch, count, channels * c.patch_size_t * side * side))
            y = linear(b, "proj", y, c.width)
        x = b.apply("concat", text, y, name="text_and_video", dim=1)
        if c.use_rotary_positional_embeddings and not c.use_learned_positional_embeddings:
            return x
        return b.apply("add", x, placed(c, b, words, frames, sides, count), name="sum")


def placed(c: Any, b: Builder, words: Dim, frames: Dim, sides: list[Dim], count: Dim) -> Value | Parameter:
    """Returns the places of the text's and the video's tokens: the file's, or those of another size."""
    if has_value(words) and words != c.max_text_seq_length:
        raise ConfigError(
            f"seq_len {words}: places are added to {c.max_text_seq_length} tokens of text (max_text_seq_length)"
        )
    rest = (c.sample_frames - 1) // c.temporal_compression_ratio + 1
    own = (*sides, frames) == (c.sample_height, c.sample_width, rest)
    shape = (1, words + count, c.width)
    if c.use_learned_positional_embeddings:
        if not own:
            raise ConfigError(
                f"image_size and frames are the file's: {c.sample_height * c.pixels}×{c.sample_width * c.pixels}, "
                f"{c.sample_frames} (use_learned_positional_embeddings)"
            )
        table = b.parameter("pos_embedding", shape, "float32", buffer=True)
        return table if b.dtype == "float32" else b.apply("cast", table, name="places_as_computed", dtype=b.dtype)
    x = b.apply("constant" if own else "full", name="places", shape=shape, dtype="float32")
    return x if b.dtype == "float32" else b.apply("cast", x, name="places_as_computed", dtype=b.dtype)


def as_video(c: Any, b: Builder, x: Value, frames: Dim, grid: tuple[Dim, Dim, Dim]) -> Value:
    """Returns tokens as latents (batch, frames, channels, height, width)."""
    batch, side = x.spec.shape[0], c.patch_size
    sides = (grid[1] * side, grid[2] * side)
    if c.patch_size_t is None:
        x = linear(b, "proj_out", x, c.out_channels * side * side)
        x = b.apply("reshape", x, name="patches", shape=(batch, *grid, c.out_channels, side, side))
        x = b.apply("permute", x, name="permuted", dims=(0, 1, 4, 2, 5, 3, 6))
    else:
        x = linear(b, "proj_out", x, c.out_channels * c.patch_size_t * side * side)
        x = b.apply("reshape", x, name="patches", shape=(batch, *grid, c.out_channels, c.patch_size_t, side, side))
        x = b.apply("permute", x, name="permuted", dims=(0, 1, 5, 4, 2, 6, 3, 7))
    found: Value = b.apply("reshape", x, name="sample", shape=(batch, frames, c.out_channels, *sides))
    return found
