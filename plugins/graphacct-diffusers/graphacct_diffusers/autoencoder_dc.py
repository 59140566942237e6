"""AutoencoderDC: pictures to strongly compressed latents and back, for Sana (Chen et al., 2024, arXiv:2410.10733).

A forward pass encodes a picture and decodes its latents: the scopes `encoder` and `decoder` say what each costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    exact_div,
    fields,
    frozen,
)
from graphacct_diffusers import keys
from graphacct_diffusers.compression_blocks import (
    BATCH,
    RES,
    RMS,
    VIT,
    Level,
    block,
    channel_norm,
    grouped_mean,
    grown,
    repeated,
    shrunk,
)
from graphacct_diffusers.layers import act, conv
from graphacct_diffusers.losses import LOSSES

SIDE = 512
"""Pixels of a side, which the file does not say: Sana's smallest pictures."""


def kernels(default: Sequence[Sequence[int]]) -> Any:
    """Returns a list of sizes of convolutions for each block."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, ...], ...]:
        lists = isinstance(value, (list, tuple)) and 0 < len(value) <= keys.MOST_BLOCKS
        parts = value if lists and all(isinstance(part, (list, tuple)) for part in value) else None
        if parts is None or not all(
            type(size) is int and 0 < size < 100 and size % 2 for part in parts for size in part
        ):
            raise ConfigError(f"{field.name} is a list of odd sizes of convolutions for each block, not {brief(value)}")
        return tuple(tuple(part) for part in parts)

    return fields.checked_field(check, tuple(map(tuple, default)))


WIDTHS = (128, 256, 512, 512, 1024, 1024)
SCALES: tuple[tuple[int, ...], ...] = ((), (), (), (5,), (5,), (5,))


@frozen(kw_only=True)
class AutoencoderDCConfig:
    """The keys that the cost of a deep compression autoencoder depends on."""

    in_channels: Dim = fields.size(3)
    latent_channels: Dim = fields.size(32)
    attention_head_dim: int = fields.size(32)
    encoder_block_types: Any = keys.named(RES, (RES, VIT))
    decoder_block_types: Any = keys.named(RES, (RES, VIT))
    encoder_block_out_channels: tuple[int, ...] = fields.counts(WIDTHS)
    decoder_block_out_channels: tuple[int, ...] = fields.counts(WIDTHS)
    encoder_layers_per_block: tuple[int, ...] = keys.each((2, 2, 2, 3, 3, 3), minimum=0)
    decoder_layers_per_block: tuple[int, ...] = keys.each((3, 3, 3, 3, 3, 3), minimum=0)
    encoder_qkv_multiscales: tuple[tuple[int, ...], ...] = kernels(SCALES)
    decoder_qkv_multiscales: tuple[tuple[int, ...], ...] = kernels(SCALES)
    upsample_block_type: str = fields.choice("pixel_shuffle", ("pixel_shuffle", "interpolate"))
    downsample_block_type: str = fields.choice("pixel_unshuffle", ("pixel_unshuffle", "Conv"))
    decoder_norm_types: Any = keys.named(RMS, (RMS, BATCH))
    decoder_act_fns: Any = keys.named("silu", tuple(keys.ACTIVATIONS))
    encoder_out_shortcut: bool = fields.flag(True)
    decoder_in_shortcut: bool = fields.flag(True)
    decoder_conv_act_fn: str = keys.act("relu")

    def __attrs_post_init__(self) -> None:
        for side in ("encoder", "decoder"):
            count = len(getattr(self, f"{side}_block_out_channels"))
            for name in ("block_types", "layers_per_block", "qkv_multiscales"):
                keys.per_block(getattr(self, f"{side}_{name}"), count, f"{side}_{name}")
        for name in ("decoder_norm_types", "decoder_act_fns"):
            keys.per_block(getattr(self, name), len(self.decoder_block_out_channels), name)

    @property
    def block_out_channels(self) -> tuple[int, ...]:
        """Channels of the levels, each of half the size of the one before."""
        return self.encoder_block_out_channels


def levels(c: AutoencoderDCConfig, side: str) -> list[Level]:
    """Returns the levels of the encoder or the decoder, the largest map first."""
    widths = getattr(c, f"{side}_block_out_channels")
    count = len(widths)
    kinds = keys.per_block(getattr(c, f"{side}_block_types"), count, "block_types")
    layers = keys.per_block(getattr(c, f"{side}_layers_per_block"), count, "layers_per_block")
    scales = getattr(c, f"{side}_qkv_multiscales")
    norms, acts = (RMS,) * count, ("silu",) * count
    if side == "decoder":
        norms = keys.per_block(c.decoder_norm_types, count, "decoder_norm_types")
        acts = keys.per_block(c.decoder_act_fns, count, "decoder_act_fns")
    return [
        Level(kind=kind, layers=many, width=width, head=c.attention_head_dim, scales=scale, norm=norm, act=name)
        for kind, many, width, scale, norm, name in zip(kinds, layers, widths, scales, norms, acts, strict=True)
    ]


def build(c: AutoencoderDCConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a picture to the picture that its latents are decoded to."""
    return decode(c, workload, b, encode(c, workload, b))


def encode(c: AutoencoderDCConfig, workload: Workload, b: Builder) -> Value:
    """Returns the latents of a picture."""
    assert workload.image_size is not None
    x = b.input("sample", (workload.batch, c.in_channels, *workload.image_size))
    found = levels(c, "encoder")
    unshuffled = c.downsample_block_type == "pixel_unshuffle"
    with b.scope("encoder"):
        if found[0].layers:
            x = conv(b, "conv_in", x, found[0].width)
        else:
            x = shrunk(b, "conv_in", x, found[1].width, unshuffled, shortcut=False)
        for place, level in enumerate(found):
            with b.scope(f"down_blocks.{place}"):
                for index in range(level.layers):
                    x = block(b, str(index), x, level, workload)
                if place < len(found) - 1 and level.layers:
                    x = shrunk(b, str(level.layers), x, found[place + 1].width, unshuffled)
        if not c.encoder_out_shortcut:
            return conv(b, "conv_out", x, c.latent_channels)
        mean = grouped_mean(b, "out_shortcut", x, exact_div(x.spec.shape[1], c.latent_channels, "block_out_channels"))
        return b.apply("add", conv(b, "conv_out", x, c.latent_channels), mean, name="with_shortcut")


def decode(c: AutoencoderDCConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the picture that latents stand for."""
    found = levels(c, "decoder")
    shuffled = c.upsample_block_type == "pixel_shuffle"
    with b.scope("decoder"):
        width = found[-1].width
        if c.decoder_in_shortcut:
            more = repeated(b, "in_shortcut", x, exact_div(width, c.latent_channels, "block_out_channels"))
            x = b.apply("add", conv(b, "conv_in", x, width), more, name="with_shortcut")
        else:
            x = conv(b, "conv_in", x, width)
        for place in reversed(range(len(found))):
            level = found[place]
            with b.scope(f"up_blocks.{place}"):
                grows = place < len(found) - 1 and level.layers > 0
                if grows:
                    x = grown(b, "0", x, level.width, shuffled)
                for index in range(level.layers):
                    x = block(b, str(index + grows), x, level, workload)
        x = channel_norm(b, "norm_out", x)
        x = act(b, c.decoder_conv_act_fn, x, "conv_act")
        if found[0].layers:
            return conv(b, "conv_out", x, c.in_channels)
        return grown(b, "conv_out", x, c.in_channels, shuffled, shortcut=False)


ARCHITECTURE = Architecture(
    "autoencoder-dc",
    AutoencoderDCConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (SIDE, SIDE)},
    dtype="float32",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("AutoencoderDC",),
    doc="A deep compression autoencoder of pictures: encodes image_size pixels, and decodes the latents.",
)
