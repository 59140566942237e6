"""AutoencoderKL: pictures to latents and back, of Stable Diffusion, SDXL, SD3 and FLUX.

Kingma and Welling, 2013 (arXiv:1312.6114); Rombach et al., 2022 (arXiv:2112.10752). A forward pass encodes a picture
and decodes the mean of its latents, as the class's does: the scopes `encoder` and `decoder` say what each costs.
"""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import KINDS, map_attention
from graphacct_diffusers.layers import conv, group_norm
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.resnet import Resnet, downsample, resnet, upsample

DOWN = ("DownEncoderBlock2D", "AttnDownEncoderBlock2D")
UP = ("UpDecoderBlock2D", "AttnUpDecoderBlock2D")


@frozen(kw_only=True)
class CoderConfig:
    """The keys of an encoder and its decoder."""

    in_channels: Dim = fields.size(3)
    out_channels: Dim = fields.size(3)
    down_block_types: tuple[str, ...] = keys.block_names(DOWN[:1], DOWN)
    up_block_types: tuple[str, ...] = keys.block_names(UP[:1], UP)
    block_out_channels: tuple[Dim, ...] = fields.counts((64,))
    layers_per_block: int = fields.size(1)
    act_fn: str = keys.act()
    norm_num_groups: Dim = fields.size(32)
    sample_size: Any = latents.sample_size(32)

    def __attrs_post_init__(self) -> None:
        count = len(self.block_out_channels)
        for name in ("down_block_types", "up_block_types"):
            if len(getattr(self, name)) != count:
                raise ConfigError(f"{name} has {len(getattr(self, name))} blocks, and block_out_channels {count}")


@frozen(kw_only=True)
class AutoencoderKLConfig(CoderConfig):
    """The keys that the cost of a variational autoencoder depends on."""

    latent_channels: Dim = fields.size(4)
    use_quant_conv: bool = fields.flag(True)
    use_post_quant_conv: bool = fields.flag(True)
    mid_block_add_attention: bool = fields.flag(True)


def build(c: AutoencoderKLConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a picture to the picture that its latents are decoded to."""
    return decode(c, workload, b, encode(c, workload, b))


def encode(c: AutoencoderKLConfig, workload: Workload, b: Builder) -> Value:
    """Returns the mean of a picture's latents, and holds the distribution that it is of."""
    assert workload.image_size is not None
    x = b.input("sample", (workload.batch, c.in_channels, *workload.image_size))
    x = encoder(c, workload, b, x, 2 * c.latent_channels, attended=c.mid_block_add_attention)
    if c.use_quant_conv:
        x = conv(b, "quant_conv", x, 2 * c.latent_channels, 1)
    return mean_of(b, x)


def mean_of(b: Builder, x: Value) -> Value:
    """Applies DiagonalGaussianDistribution: the mean (batch, channels, …) of what an encoder gives, which is the mean
    and the logarithm of the variance. All of the distribution is computed, and kept until the model returns."""
    x, spread = b.apply("split", x, name="moments", parts=2, dim=1)
    spread = b.apply("clamp", spread, name="log_variance")
    deviation = b.apply("exp", b.apply("scale", spread, name="half_log_variance"), name="deviation")
    b.hold(x, spread, deviation, b.apply("exp", spread, name="variance"))
    return x


def decode(c: AutoencoderKLConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the picture that latents stand for."""
    if c.use_post_quant_conv:
        x = conv(b, "post_quant_conv", x, c.latent_channels, 1)
    return decoder(c, workload, b, x, attended=c.mid_block_add_attention)


def encoder(
    c: Any, workload: Workload, b: Builder, x: Value, channels: Dim, *, attended: bool = True, name: str = "encoder"
) -> Value:
    """Applies Encoder: blocks that halve the map between them, and a block in the middle."""
    r = resnets(c, workload)
    with b.scope(name):
        x = conv(b, "conv_in", x, c.block_out_channels[0])
        for place, (kind, width) in enumerate(zip(c.down_block_types, c.block_out_channels, strict=True)):
            with b.scope(f"down_blocks.{place}"):
                for index in range(c.layers_per_block):
                    x = layer(b, index, x, width, kind, r)
                if place < len(c.block_out_channels) - 1:
                    x = downsample(b, "downsamplers.0", x, padding=0)
        x = between(b, x, attended, r)
        x = b.apply("silu", group_norm(b, "conv_norm_out", x, c.norm_num_groups), name="conv_act")
        return conv(b, "conv_out", x, channels)


def decoder(c: Any, workload: Workload, b: Builder, x: Value, *, attended: bool = True) -> Value:
    """Applies Decoder: a block in the middle, and blocks that double the map between them."""
    r = resnets(c, workload)
    widths = c.block_out_channels[::-1]
    with b.scope("decoder"):
        x = conv(b, "conv_in", x, widths[0])
        x = between(b, x, attended, r)
        for place, (kind, width) in enumerate(zip(c.up_block_types, widths, strict=True)):
            with b.scope(f"up_blocks.{place}"):
                for index in range(c.layers_per_block + 1):
                    x = layer(b, index, x, width, kind, r)
                if place < len(widths) - 1:
                    x = upsample(b, "upsamplers.0", x)
        x = b.apply("silu", group_norm(b, "conv_norm_out", x, c.norm_num_groups), name="conv_act")
        return conv(b, "conv_out", x, c.out_channels)


def resnets(c: Any, workload: Workload) -> Resnet:
    """Returns what the ResNet blocks share."""
    return Resnet(groups=c.norm_num_groups, act=c.act_fn, workload=workload)


def layer(b: Builder, index: int, x: Value, width: Dim, kind: str, r: Resnet) -> Value:
    """Applies a ResNet block, and attention of one head if the block's kind has it."""
    x = resnet(b, f"resnets.{index}", x, width, None, r)
    if not kind.startswith("Attn"):
        return x
    return map_attention(b, f"attentions.{index}", x, width, r.workload, group_norm, groups=r.groups)


def between(b: Builder, x: Value, attended: bool, r: Resnet) -> Value:
    """Applies UNetMidBlock2D: two ResNet blocks, and attention of one head between them."""
    width = x.spec.shape[1]
    with b.scope("mid_block"):
        x = resnet(b, "resnets.0", x, width, None, r)
        if attended:
            x = map_attention(b, "attentions.0", x, width, r.workload, group_norm, groups=r.groups)
        return resnet(b, "resnets.1", x, width, None, r)


ARCHITECTURE = Architecture(
    "autoencoder-kl",
    AutoencoderKLConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": latents.sides},
    attention=KINDS,
    dtype="float32",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("AutoencoderKL",),
    doc="A variational autoencoder of pictures: encodes image_size pixels, and decodes the mean of the latents.",
)
