"""UNet2DModel: a U-Net that is told a time, and perhaps a class (Ho et al., 2020, arXiv:2006.11239)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import embedding

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import keys, latents
from graphacct_diffusers.attention import KINDS
from graphacct_diffusers.layers import conv, fourier, group_norm, sinusoids, time_embedding
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.resnet import SCALE_SHIFT, SHIFT, Resnet
from graphacct_diffusers.unet_2d_condition import centred
from graphacct_diffusers.unet_blocks import Block, down, middle, up

DOWN = ("DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D")
UP = ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D")
CONV, RESNET = "conv", "resnet"
FOURIER = "fourier"


@frozen(kw_only=True)
class UNet2DConfig:
    """The keys that the cost of a U-Net without a text depends on."""

    sample_size: Any = latents.sample_size(None)
    vae_scale_factor: Dim = fields.size(1)
    in_channels: Dim = fields.size(3)
    out_channels: Dim = fields.size(3)
    center_input_sample: bool = fields.flag(False)
    time_embedding_type: str = fields.choice("positional", ("positional", "fourier"))
    time_embedding_dim: Dim | None = fields.optional_size()
    flip_sin_to_cos: bool = fields.flag(True)
    down_block_types: tuple[str, ...] = keys.block_names((DOWN[0], *(DOWN[1],) * 3), DOWN)
    mid_block_type: str | None = keys.optional_choice("UNetMidBlock2D", ("UNetMidBlock2D",))
    up_block_types: tuple[str, ...] = keys.block_names((*(UP[1],) * 3, UP[0]), UP)
    block_out_channels: tuple[Dim, ...] = fields.counts((224, 448, 672, 896))
    layers_per_block: Any = fields.size(2)
    downsample_padding: int = keys.only(1, 0)
    downsample_type: str = fields.choice(CONV, (CONV, RESNET))
    upsample_type: str = fields.choice(CONV, (CONV, RESNET))
    dropout: float = fields.probability(0.0)
    act_fn: str = keys.act()
    attention_head_dim: Dim | None = fields.optional_size(8)
    norm_num_groups: Dim = fields.size(32)
    attn_norm_num_groups: Dim | None = fields.optional_size()
    resnet_time_scale_shift: str = fields.choice(SHIFT, (SHIFT, SCALE_SHIFT))
    add_attention: bool = fields.flag(True)
    class_embed_type: str | None = keys.optional_choice(None, ("timestep", "identity"))
    num_class_embeds: Dim | None = fields.optional_size()
    num_train_timesteps: Dim | None = fields.optional_size()

    def __attrs_post_init__(self) -> None:
        count = len(self.block_out_channels)
        for name in ("down_block_types", "up_block_types"):
            if len(getattr(self, name)) != count:
                raise ConfigError(f"{name} has {len(getattr(self, name))} blocks, and block_out_channels {count}")


def build(c: UNet2DConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a noisy picture to the noise in it."""
    height, width = latents.latents(c, workload)
    x = centred(c, b, b.input("sample", (workload.batch, c.in_channels, height, width)))
    steps = b.input("timestep", (workload.batch,), b.dtype if c.time_embedding_type == FOURIER else "int64")
    steps = b.apply("scale", steps, name="timesteps")
    time = told(c, workload, b, steps)
    x = conv(b, "conv_in", x, c.block_out_channels[0])
    skipped = [x]
    for place in range(len(c.block_out_channels)):
        x, found = down(b, f"down_blocks.{place}", x, time, None, described(c, workload, place, upwards=False))
        skipped += found
    if c.mid_block_type is not None:
        x = middle(b, x, time, None, mid(c, workload))
    for place in range(len(c.block_out_channels)):
        x = up(b, f"up_blocks.{place}", x, skipped, time, None, described(c, workload, place, upwards=True))
    x = b.apply("silu", group_norm(b, "conv_norm_out", x, c.norm_num_groups), name="conv_act")
    x = conv(b, "conv_out", x, c.out_channels)
    if c.time_embedding_type == FOURIER:
        levels = b.apply("reshape", steps, name="noise_levels", shape=(workload.batch, 1, 1, 1))
        x = b.apply("div", x, levels, name="by_noise_level")
    return x


def told(c: UNet2DConfig, workload: Workload, b: Builder, steps: Value) -> Value:
    """Returns the embedding of the time, with a class's added."""
    first, batch = c.block_out_channels[0], workload.batch
    width = c.time_embedding_dim or 4 * first

    def projected(name: str, x: Value) -> Value:
        if c.time_embedding_type == FOURIER:
            x = b.apply("log", x, name=f"{name}_log")
            return fourier(b, name, x, 2 * first)
        return sinusoids(b, name, x, first, flip=c.flip_sin_to_cos)

    time = time_embedding(b, "time_embedding", projected("time_proj", steps), width)
    if c.class_embed_type == "timestep":
        if c.time_embedding_type == FOURIER:
            raise ConfigError("class_embed_type 'timestep' with time_embedding_type 'fourier' is not modelled")
        labels = b.input("class_labels", (batch,), "int64")
        label = time_embedding(b, "class_embedding", projected("class_proj", labels), width)
    elif c.class_embed_type == "identity":
        label = b.input("class_labels", (batch, width))
    elif c.num_class_embeds is not None:
        label = embedding(b, "class_embedding", b.input("class_labels", (batch,), "int64"), c.num_class_embeds, width)
    else:
        return time
    return b.apply("add", time, label, name="time_and_class")


def described(c: UNet2DConfig, workload: Workload, place: int, *, upwards: bool) -> Block:
    """Returns one of the blocks that go down, or up."""
    count = len(c.block_out_channels)
    kind = (c.up_block_types if upwards else c.down_block_types)[place]
    channels = c.block_out_channels[count - 1 - place if upwards else place]
    by = c.upsample_type if upwards else c.downsample_type
    return Block(
        kind=kind,
        channels=channels,
        layers=c.layers_per_block + upwards,
        resized=place < count - 1,
        resnet=resnets(c, workload),
        head_width=channels if c.attention_head_dim is None else c.attention_head_dim,
        padding=c.downsample_padding,
        resized_by_resnet=kind.startswith("Attn") and by == RESNET,
    )


def mid(c: UNet2DConfig, workload: Workload) -> Block:
    """Returns the block in the middle: with attention, unless the file says otherwise."""
    channels = c.block_out_channels[-1]
    groups = c.norm_num_groups if c.resnet_time_scale_shift == SHIFT else None
    return Block(
        kind="AttnMidBlock" if c.add_attention else "MidBlock",
        channels=channels,
        layers=1,
        resized=False,
        resnet=resnets(c, workload),
        head_width=channels if c.attention_head_dim is None else c.attention_head_dim,
        norm_groups=c.attn_norm_num_groups or groups,
    )


def resnets(c: UNet2DConfig, workload: Workload) -> Resnet:
    """Returns what the ResNet blocks share."""
    return Resnet(
        groups=c.norm_num_groups,
        act=c.act_fn,
        time=c.resnet_time_scale_shift,
        dropout=c.dropout,
        workload=workload,
    )


ARCHITECTURE = Architecture(
    "unet-2d",
    UNet2DConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": latents.image_size},
    attention=KINDS,
    dtype="float32",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("UNet2DModel",),
    stated=latents.stated,
    doc="A U-Net told a time alone, on pixels or on latents (vae_scale_factor pixels of a side each).",
)
