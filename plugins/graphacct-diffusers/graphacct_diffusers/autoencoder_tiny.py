"""AutoencoderTiny: TAESD and its like, a small autoencoder that stands for a large one (github.com/madebyollin/taesd).

A forward pass encodes a picture, rounds its latents to bytes as if they were stored as a picture, and decodes those.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, same
from graphacct_diffusers import keys
from graphacct_diffusers.layers import act, conv
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.resnet import doubled

WIDTHS = (64, 64, 64, 64)
SIDE = 512
"""The side of the pictures of Stable Diffusion, as no key of a file says one."""


@frozen(kw_only=True)
class AutoencoderTinyConfig:
    """The keys that the cost of a tiny autoencoder depends on."""

    in_channels: Dim = fields.size(3)
    out_channels: Dim = fields.size(3)
    encoder_block_out_channels: tuple[Dim, ...] = fields.counts(WIDTHS)
    decoder_block_out_channels: tuple[Dim, ...] = fields.counts(WIDTHS)
    block_out_channels: Any = keys.each(None, optional=True)
    act_fn: str = keys.act("relu")
    upsample_fn: str = keys.only("nearest")
    latent_channels: Dim = fields.size(4)
    upsampling_scaling_factor: Dim = fields.size(2)
    num_encoder_blocks: tuple[int, ...] = fields.counts((1, 3, 3, 3))
    num_decoder_blocks: tuple[int, ...] = fields.counts((3, 3, 3, 1))

    def __attrs_post_init__(self) -> None:
        for side in ("encoder", "decoder"):
            widths, blocks = getattr(self, f"{side}_block_out_channels"), getattr(self, f"num_{side}_blocks")
            if len(widths) != len(blocks):
                raise ConfigError(
                    f"num_{side}_blocks has {len(blocks)} entries, and {side}_block_out_channels {len(widths)}"
                )
            if any(not same(width, widths[0]) for width in widths):
                raise ConfigError(
                    f"{side}_block_out_channels are {list(widths)}, and all its blocks have the same width"
                )
        if self.block_out_channels not in (None, self.decoder_block_out_channels):
            raise ConfigError("block_out_channels are not decoder_block_out_channels, which the class writes there too")


def build(c: AutoencoderTinyConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a picture to the picture that its latents are decoded to."""
    latents = encode(c, workload, b)
    b.hold(latents)
    x = b.apply("clamp", b.apply("shift", b.apply("scale", latents, name="scaled"), name="shifted"), name="limited")
    x = b.apply(
        "cast", b.apply("round", b.apply("scale", x, name="levels"), name="rounded"), name="bytes", dtype="uint8"
    )
    b.hold(x)
    x = b.apply("scale", b.apply("cast", x, name="from_bytes", dtype=b.dtype), name="fractions")
    x = b.apply("scale", b.apply("shift", x, name="unshifted"), name="unscaled")
    b.hold(x)
    return decode(c, workload, b, x)


def encode(c: AutoencoderTinyConfig, workload: Workload, b: Builder) -> Value:
    """Returns the latents of a picture."""
    assert workload.image_size is not None
    return encoder(c, b, b.input("sample", (workload.batch, c.in_channels, *workload.image_size)))


def decode(c: AutoencoderTinyConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the picture that latents stand for."""
    return decoder(c, b, x)


def encoder(c: AutoencoderTinyConfig, b: Builder, x: Value) -> Value:
    """Applies EncoderTiny: convolutions that halve the map, with blocks after each."""
    with b.scope("encoder"):
        x = b.apply("scale", b.apply("shift", x, name="from_0"), name="to_1")
        place = 0
        for index, (width, blocks) in enumerate(zip(c.encoder_block_out_channels, c.num_encoder_blocks, strict=True)):
            x = conv(b, f"layers.{place}", x, width, stride=2 if index else 1, bias=not index)
            x = b.repeat("layers", blocks, partial(block, c), x, start=place + 1)
            place += blocks + 1
        return conv(b, f"layers.{place}", x, c.latent_channels)


def decoder(c: AutoencoderTinyConfig, b: Builder, x: Value) -> Value:
    """Applies DecoderTiny: blocks, and maps that grow between them."""
    last = len(c.num_decoder_blocks) - 1
    with b.scope("decoder"):
        x = b.apply("tanh", b.apply("scale", x, name="third"), name="bounded")
        x = b.apply("scale", x, name="thrice")
        x = conv(b, "layers.0", x, c.decoder_block_out_channels[0])
        x = act(b, c.act_fn, x, "layers.1")
        place = 2
        for index, (width, blocks) in enumerate(zip(c.decoder_block_out_channels, c.num_decoder_blocks, strict=True)):
            x = b.repeat("layers", blocks, partial(block, c), x, start=place)
            place += blocks
            if index < last:
                grown = tuple(side * c.upsampling_scaling_factor for side in x.spec.shape[2:])
                x = doubled(b, f"layers.{place}", x, grown)
                place += 1
            x = conv(b, f"layers.{place}", x, c.out_channels if index == last else width, bias=index == last)
            place += 1
        return b.apply("shift", b.apply("scale", x, name="twice"), name="from_minus_1")


def block(c: AutoencoderTinyConfig, b: Builder, x: Value) -> Value:
    """Applies AutoencoderTinyBlock: three convolutions, and x added."""
    width = x.spec.shape[1]
    b.hold(x)
    y = act(b, c.act_fn, conv(b, "conv.0", x, width), "conv.1")
    y = act(b, c.act_fn, conv(b, "conv.2", y, width), "conv.3")
    y = conv(b, "conv.4", y, width)
    return b.apply("relu", b.apply("add", y, x, name="residual"), name="fuse")


ARCHITECTURE = Architecture(
    "autoencoder-tiny",
    AutoencoderTinyConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (SIDE, SIDE)},
    dtype="float32",
    no_cost={**keys.NO_COST, "latent_magnitude": None, "latent_shift": None},
    losses=LOSSES,
    model_types=("AutoencoderTiny",),
    doc="A tiny autoencoder of pictures: encodes image_size pixels, and decodes the latents rounded to bytes.",
)
