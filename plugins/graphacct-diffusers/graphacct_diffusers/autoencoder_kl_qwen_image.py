"""AutoencoderKLQwenImage: Wan's autoencoder for pictures, which are videos of one frame (Wu et al., 2025,
arXiv:2508.02324)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Architecture, PresetFiles, frozen
from graphacct_diffusers import autoencoder_kl_wan as wan
from graphacct_diffusers import keys
from graphacct_diffusers.losses import LOSSES

SIDE = 1024
"""Pixels of a side, which the file does not say: about those of Qwen-Image's pictures."""
COLOURS = "input_channels"
encode, decode = wan.encode, wan.decode


@frozen(kw_only=True)
class AutoencoderKLQwenImageConfig(wan.AutoencoderKLWanConfig):
    """The keys that the cost of Qwen-Image's autoencoder depends on: Wan's, with as many colours out as in."""

    decoder_base_dim: None = keys.only(None)
    is_residual: bool = keys.only(False)
    patch_size: None = keys.only(None)


def prepared(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a file's keys with the colours of what is decoded, which are those of what is encoded."""
    return {**content, "out_channels": content[COLOURS]} if COLOURS in content else content


ARCHITECTURE = Architecture(
    "autoencoder-kl-qwen-image",
    AutoencoderKLQwenImageConfig,
    wan.build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (SIDE, SIDE), "frames": lambda config: 1},
    dtype="float32",
    aliases={COLOURS: "in_channels"},
    prepare=prepared,
    no_cost=wan.NO_COST,
    losses=LOSSES,
    model_types=("AutoencoderKLQwenImage",),
    doc="Qwen-Image's autoencoder: encodes image_size pixels, and decodes the mean of the latents.",
)
