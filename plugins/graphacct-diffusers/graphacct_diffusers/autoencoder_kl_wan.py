"""AutoencoderKLWan: videos to latents and back, of Wan 2.1 and 2.2, a piece of four frames at a time (Wan, 2025,
arXiv:2503.20314).

The first frame is a piece of its own. A forward pass encodes a video and decodes the mean of its latents.
"""

from __future__ import annotations

from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_diffusers import causal_video, keys
from graphacct_diffusers.autoencoder_kl import mean_of
from graphacct_diffusers.causal_video import Cache, causal, channel_norm, residual, scoped
from graphacct_diffusers.losses import LOSSES

SIZE, FRAMES = (480, 832), 81
"""The picture and the frames of the published examples."""
PIECE = 4
"""Frames that are encoded at a time, after the first."""


@frozen(kw_only=True)
class AutoencoderKLWanConfig:
    """The keys that the cost of Wan's autoencoder depends on."""

    base_dim: Dim = fields.size(96)
    decoder_base_dim: Dim | None = fields.optional_size()
    z_dim: Dim = fields.size(16)
    dim_mult: tuple[int, ...] = fields.counts((1, 2, 4, 4))
    num_res_blocks: int = fields.size(2)
    attn_scales: tuple[float, ...] = keys.only(())
    temperal_downsample: Any = keys.switches((False, True, True))
    dropout: float = fields.probability(0.0)
    is_residual: bool = fields.flag(False)
    in_channels: Dim = fields.size(3)
    out_channels: Dim = fields.size(3)
    patch_size: int | None = fields.optional_size()

    def __attrs_post_init__(self) -> None:
        steps = keys.per_block(self.temperal_downsample, len(self.dim_mult) - 1, "temperal_downsample")
        if sum(steps) != 2:
            raise ConfigError(
                f"temperal_downsample halves the frames {sum(steps)} times: twice, for pieces of {PIECE} frames"
            )

    @property
    def in_time(self) -> tuple[bool, ...]:
        """Whether frames are halved after each level of the encoder but the last."""
        found: tuple[bool, ...] = keys.per_block(
            self.temperal_downsample, len(self.dim_mult) - 1, "temperal_downsample"
        )
        return found

    @property
    def pixels(self) -> int:
        """Pixels of a side for each latent."""
        return (self.patch_size or 1) * 2 ** (len(self.dim_mult) - 1)


def build(c: Any, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a video to the video that its latents are decoded to."""
    return decode(c, workload, b, encode(c, workload, b))


def encode(c: Any, workload: Workload, b: Builder) -> Value:
    """Returns the mean of a video's latents, and holds the distribution that it is of."""
    assert workload.image_size is not None
    frames = workload.frames
    if type(frames) is not int or (frames - 1) % PIECE:
        near = "" if type(frames) is not int else f": give {max(1, frames // PIECE * PIECE + 1)}"
        raise ConfigError(f"frames {frames} is not 1 more than a multiple of {PIECE}{near}")
    for side in workload.image_size:
        if has_value(side) and side % c.pixels:
            raise ConfigError(f"image_size {side} is no multiple of {c.pixels}, the pixels of a latent")
    colours = exact_div(c.in_channels, (c.patch_size or 1) ** 2, "in_channels / patch_size²")
    x = b.input("sample", (workload.batch, colours, frames, *workload.image_size))
    if c.patch_size not in (None, 1):
        x = squares(b, "patches", x, c.patch_size)
    count = 1 + (frames - 1) // PIECE
    cache: Cache = {causal_video.ALONE: count == 1}
    found: Value | None = None
    for index in range(count):
        start, length = (0, 1) if index == 0 else (1 + PIECE * (index - 1), PIECE)
        piece = b.apply("slice", x, name=f"piece_{index}", dim=2, start=start, length=length)
        with b.scope("encoder"), b.turn(index):
            y = encoder(c, workload, b, piece, cache)
        found = y if found is None else b.apply("concat", found, y, name=f"encoded_{index}", dim=2)
    assert found is not None
    return mean_of(b, causal_video.pointwise(b, "quant_conv", found, 2 * c.z_dim))


def encoder(c: Any, workload: Workload, b: Builder, x: Value, cache: Cache) -> Value:
    """Applies WanEncoder3d to one piece."""
    x = causal(b, "conv_in", x, c.base_dim, cache)
    place, last = 0, len(c.dim_mult) - 1
    for level, times in enumerate(c.dim_mult):
        width, start = c.base_dim * times, x
        in_time = level < last and c.in_time[level]
        if c.is_residual:
            with b.scope(f"down_blocks.{level}"):
                own = scoped(cache, f"down_blocks.{level}")
                start = b.apply("clone", x, name="copied")
                for index in range(c.num_res_blocks):
                    x = residual(b, f"resnets.{index}", x, width, own, c.dropout, workload)
                if level < last:
                    x = causal_video.shrunk(b, "downsampler", x, scoped(own, "downsampler"), in_time=in_time)
                both = (2 if in_time else 1), (2 if level < last else 1)
                mean = causal_video.mean_of_groups(b, "avg_shortcut", start, width, *both)
                x = b.apply("add", x, mean, name="with_shortcut")
            continue
        for _ in range(c.num_res_blocks):
            x = residual(b, f"down_blocks.{place}", x, width, cache, c.dropout, workload)
            place += 1
        if level < last:
            name = f"down_blocks.{place}"
            x = causal_video.shrunk(b, name, x, scoped(cache, name), in_time=in_time)
            place += 1
    x = between(c, workload, b, x, cache)
    return ended(b, x, 2 * c.z_dim, cache)


def between(c: Any, workload: Workload, b: Builder, x: Value, cache: Cache) -> Value:
    """Applies WanMidBlock: two blocks, and attention between them."""
    own, width = scoped(cache, "mid_block"), x.spec.shape[1]
    with b.scope("mid_block"):
        x = residual(b, "resnets.0", x, width, own, c.dropout, workload)
        x = causal_video.attention(b, "attentions.0", x)
        return residual(b, "resnets.1", x, width, own, c.dropout, workload)


def ended(b: Builder, x: Value, width: Dim, cache: Cache) -> Value:
    """Applies the last norm, activation and convolution of an encoder or a decoder."""
    x = b.apply("silu", channel_norm(b, "norm_out", x), name="conv_act")
    return causal(b, "conv_out", x, width, cache)


def decode(c: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the video that latents stand for: each frame of latents is a piece."""
    x = causal_video.pointwise(b, "post_quant_conv", x, c.z_dim)
    cache: Cache = {causal_video.ALONE: x.spec.shape[2] == 1}
    found: Value | None = None
    for index in range(x.spec.shape[2]):
        piece = b.apply("slice", x, name=f"latents_{index}", dim=2, start=index, length=1)
        with b.scope("decoder"), b.turn(index):
            y = decoder(c, workload, b, piece, cache, first=index == 0)
        found = y if found is None else b.apply("concat", found, y, name=f"decoded_{index}", dim=2)
    assert found is not None
    if c.patch_size not in (None, 1):
        found = places(b, "pixels", found, c.patch_size)
    return b.apply("clamp", found, name="limited")


def decoder(c: Any, workload: Workload, b: Builder, x: Value, cache: Cache, *, first: bool) -> Value:
    """Applies WanDecoder3d to one piece."""
    base = c.base_dim if c.decoder_base_dim is None else c.decoder_base_dim
    last = len(c.dim_mult) - 1
    x = causal(b, "conv_in", x, base * c.dim_mult[-1], cache)
    x = between(c, workload, b, x, cache)
    for level, times in enumerate(reversed(c.dim_mult)):
        width, own, start = base * times, scoped(cache, f"up_blocks.{level}"), x
        in_time = level < last and c.in_time[last - 1 - level]
        with b.scope(f"up_blocks.{level}"):
            if c.is_residual:
                start = b.apply("clone", x, name="copied")
            for index in range(c.num_res_blocks + 1):
                x = residual(b, f"resnets.{index}", x, width, own, c.dropout, workload)
            if level < last:
                name, out = ("upsampler", width) if c.is_residual else ("upsamplers.0", width // 2)
                x = causal_video.grown(b, name, x, out, scoped(own, name), in_time=in_time)
                if c.is_residual:
                    both = (2 if in_time else 1), 2
                    more = causal_video.repeated(b, "avg_shortcut", start, width, *both, first=first)
                    x = b.apply("add", x, more, name="with_shortcut")
    return ended(b, x, c.out_channels, cache)


def squares(b: Builder, name: str, x: Value, side: int) -> Value:
    """Returns a video whose squares of `side` by `side` places are channels."""
    batch, channels, frames, height, width = x.spec.shape
    grid = exact_div(height, side, "image_size / patch_size"), exact_div(width, side, "image_size / patch_size")
    x = b.apply("reshape", x, name=f"{name}_squares", shape=(batch, channels, frames, grid[0], side, grid[1], side))
    x = b.apply("permute", x, name=f"{name}_permuted", dims=(0, 1, 6, 4, 2, 3, 5))
    x = b.apply("contiguous", x, name=f"{name}_in_order")
    found: Value = b.apply("reshape", x, name=name, shape=(batch, channels * side * side, frames, *grid))
    return found


def places(b: Builder, name: str, x: Value, side: int) -> Value:
    """Returns a video whose channels are squares of `side` by `side` places."""
    batch, channels, frames, height, width = x.spec.shape
    channels = exact_div(channels, side * side, "out_channels / patch_size²")
    x = b.apply("reshape", x, name=f"{name}_squares", shape=(batch, channels, side, side, frames, height, width))
    x = b.apply("permute", x, name=f"{name}_permuted", dims=(0, 1, 4, 5, 3, 6, 2))
    x = b.apply("contiguous", x, name=f"{name}_in_order")
    found: Value = b.apply("reshape", x, name=name, shape=(batch, channels, frames, height * side, width * side))
    return found


NO_COST = {**keys.NO_COST, "scale_factor_temporal": None, "scale_factor_spatial": None, "clip_output": None}

ARCHITECTURE = Architecture(
    "autoencoder-kl-wan",
    AutoencoderKLWanConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: SIZE, "frames": lambda config: FRAMES},
    dtype="float32",
    no_cost=NO_COST,
    losses=LOSSES,
    model_types=("AutoencoderKLWan",),
    doc="Wan's autoencoder of videos: encodes frames of image_size pixels, and decodes the mean of the latents.",
)
