"""The size of what a part works on: latents, each of which stands for a square of the picture's pixels.

`--image-size` is the picture's size in pixels, as for every model. A U-Net's file says `sample_size` in latents and
does not know how many pixels one has: the autoencoder does. Published ones have 8 by 8, which holds unless a user says
otherwise; a U-Net of 3 or 6 channels works on the pixels themselves.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, Workload, brief, exact_div, fields, has_value

PIXELS = 8
"""Pixels of a side for each latent, in the autoencoders of Stable Diffusion, SDXL, SD3, FLUX and PixArt."""
COLOURS = (3, 6)
"""Channels of a picture, and of a picture beside a smaller one that it is made from; latents have 4 or more."""


def sample_size(default: Any) -> Any:
    """Returns the key `sample_size`: latents of a side, two numbers for a height and a width, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Dim, Dim] | None:
        if value is None:
            return None
        pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
        if len(pair) != 2:
            raise ConfigError(f"{field.name} is a number, or a height and a width, not {brief(value)}")
        height, width = (fields.bounded(side, field.name) for side in pair)
        return height, width

    return fields.checked_field(check, default, fields.OPTIONAL_SIZE)


def sides(config: Any) -> tuple[Dim, Dim]:
    """Returns the height and width of a file's latents; 64 if it says none, as Stable Diffusion's."""
    found = config.sample_size
    return (64, 64) if found is None else (found if isinstance(found, tuple) else (found, found))


def pixels_of_latent(config: Any) -> Dim:
    """Returns the pixels of a side for each latent: what the user says, or 8, or 1 for a model of colours."""
    if config.vae_scale_factor is not None:
        return config.vae_scale_factor
    return 1 if config.in_channels in COLOURS else PIXELS


def image_size(config: Any) -> tuple[Dim, Dim]:
    """Returns the size in pixels of the picture that a file's latents stand for."""
    height, width = sides(config)
    factor = pixels_of_latent(config)
    return height * factor, width * factor


def latents(config: Any, workload: Workload) -> tuple[Dim, Dim]:
    """Returns the height and width of the latents of a picture. Raises ConfigError if a side is no whole number."""
    assert workload.image_size is not None
    factor = pixels_of_latent(config)
    for side in workload.image_size:
        if has_value(side) and has_value(factor) and side % factor:
            raise ConfigError(
                f"image_size {side} is no multiple of {factor}, the pixels of a latent (vae_scale_factor): give "
                f"{side // factor * factor or factor} or {(side // factor + 1) * factor}"
            )
    height, width = (exact_div(side, factor, "image_size / vae_scale_factor") for side in workload.image_size)
    return height, width


def stated(config: Any, workload: Workload) -> dict[str, Any]:
    """Returns the latents' size, for the header of reports; nothing where they are the pixels."""
    found = latents(config, workload)
    return {} if found == workload.image_size else {"latents": found}


def video(config: Any, workload: Workload) -> tuple[Dim, Dim, Dim]:
    """Returns the frames, the height and the width of the latents of a video: of `config.pixels` a side each, and of
    `vae_temporal_factor` frames but the first, which has latents of its own. Raises ConfigError if they do not fit."""
    assert workload.image_size is not None
    assert workload.frames is not None
    each, pixels = config.vae_temporal_factor, config.pixels
    rest = workload.frames - 1
    if has_value(rest) and has_value(each) and rest % each:
        raise ConfigError(
            f"frames {workload.frames} is not 1 more than a multiple of {each} (vae_temporal_factor): give "
            f"{rest // each * each + 1} or {(rest // each + 1) * each + 1}"
        )
    for side in workload.image_size:
        if has_value(side) and has_value(pixels) and side % pixels:
            raise ConfigError(
                f"image_size {side} is no multiple of {pixels}, the pixels of a latent (vae_scale_factor)"
            )
    height, width = (exact_div(side, pixels, "image_size / vae_scale_factor") for side in workload.image_size)
    return exact_div(rest, each, "(frames - 1) / vae_temporal_factor") + 1, height, width


def video_stated(config: Any, workload: Workload) -> dict[str, Any]:
    """Returns the latents' frames, height and width, for the header of reports."""
    return {"latents": video(config, workload)}
