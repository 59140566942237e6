"""ControlNetModel: the way down of a U-Net with a picture's outlines added, whose maps another U-Net takes (Zhang et
al., 2023, arXiv:2302.05543)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import KINDS
from graphacct_diffusers.layers import conv
from graphacct_diffusers.unet_2d_condition import UNetConfig, encoded, tokens, told


@frozen(kw_only=True)
class ControlNetConfig(UNetConfig):
    """The keys of a ControlNet: those of a U-Net that its way down has, and those of what is added."""

    up_block_types: tuple[str, ...] = ()
    conditioning_channels: Dim = fields.size(3)
    conditioning_embedding_out_channels: tuple[Dim, ...] = fields.counts((16, 32, 96, 256))
    controlnet_conditioning_channel_order: str = fields.choice("rgb", ("rgb", "bgr"))
    global_pool_conditions: bool = fields.always(False)

    def __attrs_post_init__(self) -> None:
        count = len(self.block_out_channels)
        if len(self.down_block_types) != count:
            raise ConfigError(f"down_block_types has {len(self.down_block_types)} blocks, block_out_channels {count}")
        if self.up_block_types:
            raise ConfigError("up_block_types: a ControlNet goes down alone")
        for name in ("attention_head_dim", "only_cross_attention", "transformer_layers_per_block"):
            keys.per_block(getattr(self, name), count, name)


def build(c: ControlNetConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from noisy latents and a picture to the maps that are added to a U-Net's."""
    assert workload.image_size is not None
    height, width = latents.latents(c, workload)
    x = b.input("sample", (workload.batch, c.in_channels, height, width))
    pixels = workload.image_size
    grown = 2 ** (len(c.conditioning_embedding_out_channels) - 1)
    if not all(equal(side * grown, of) for side, of in zip((height, width), pixels, strict=True)):
        raise ConfigError(
            f"vae_scale_factor {latents.pixels_of_latent(c)}: the outlines shrink {grown} times "
            "(conditioning_embedding_out_channels), and the latents must be as large"
        )
    outlines = b.input("controlnet_cond", (workload.batch, c.conditioning_channels, *pixels))
    if c.controlnet_conditioning_channel_order == "bgr":
        outlines = b.apply("flip", outlines, name="channels_turned", dims=(1,))
    time, text = told(c, workload, b)
    hint = outlined(b, "controlnet_cond_embedding", outlines, c.conditioning_embedding_out_channels, c)
    x, maps = encoded(c, workload, b, x, time, text, hint)
    found = [conv(b, f"controlnet_down_blocks.{i}", one, one.spec.shape[1], 1) for i, one in enumerate(maps)]
    found.append(conv(b, "controlnet_mid_block", x, x.spec.shape[1], 1))
    return tuple(b.apply("scale", one, name=f"residual_{i}") for i, one in enumerate(found))


def outlined(b: Builder, name: str, x: Value, widths: Sequence[Dim], c: Any) -> Value:
    """Applies ControlNetConditioningEmbedding: convolutions that halve a picture as often as there are `widths` but
    one."""
    with b.scope(name):
        x = b.apply("silu", conv(b, "conv_in", x, widths[0]), name="act_in")
        for index in range(len(widths) - 1):
            x = b.apply("silu", conv(b, f"blocks.{2 * index}", x, widths[index]), name=f"act_{2 * index}")
            place = 2 * index + 1
            x = b.apply("silu", conv(b, f"blocks.{place}", x, widths[index + 1], stride=2), name=f"act_{place}")
        return conv(b, "conv_out", x, c.block_out_channels[0])


ARCHITECTURE = Architecture(
    "controlnet",
    ControlNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": tokens, "image_size": latents.image_size},
    attention=KINDS,
    dtype="float32",
    no_cost=keys.NO_COST,
    losses=SUM_ALONE,
    model_types=("ControlNetModel",),
    stated=latents.stated,
    doc="A ControlNet: the way down of a U-Net, with a picture's outlines. image_size is in pixels.",
)
