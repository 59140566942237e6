"""UNet2DConditionModel: the U-Net of Stable Diffusion, SDXL and others, which is told a time and a text.

Ronneberger et al., 2015 (arXiv:1505.04597); Rombach et al., 2022 (arXiv:2112.10752); Podell et al., 2023
(arXiv:2307.01952).
"""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_diffusers import conditions, keys, latents
from graphacct_diffusers.attention import KINDS
from graphacct_diffusers.layers import conv, fourier, group_norm, sinusoids, time_embedding
from graphacct_diffusers.losses import LOSSES
from graphacct_diffusers.resnet import SCALE_SHIFT, SHIFT, Resnet
from graphacct_diffusers.unet_blocks import CROSS, DOWN, MID, UP, Block, down, middle, up

TOKENS = 77
"""Tokens of CLIP's texts."""


@frozen(kw_only=True)
class UNetConfig:
    """The keys that the cost of a U-Net with conditions depends on."""

    sample_size: Any = latents.sample_size(None)
    vae_scale_factor: Dim | None = fields.optional_size()
    in_channels: Dim = fields.size(4)
    out_channels: Dim = fields.size(4)
    center_input_sample: bool = fields.flag(False)
    flip_sin_to_cos: bool = fields.flag(True)
    down_block_types: tuple[str, ...] = keys.block_names((*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"), DOWN)
    mid_block_type: str | None = keys.optional_choice("UNetMidBlock2DCrossAttn", MID)
    up_block_types: tuple[str, ...] = keys.block_names(("UpBlock2D", *("CrossAttnUpBlock2D",) * 3), UP)
    only_cross_attention: bool | tuple[bool, ...] = keys.switches(False)
    block_out_channels: tuple[Dim, ...] = fields.counts((320, 640, 1280, 1280))
    layers_per_block: keys.Each = keys.each(2)
    downsample_padding: int = keys.only(1, 0)
    dropout: float = fields.probability(0.0)
    act_fn: str = keys.act()
    norm_num_groups: Dim = fields.size(32)
    cross_attention_dim: keys.Each = keys.each(1280, optional=True)
    transformer_layers_per_block: keys.Each = keys.each(1, minimum=0)
    reverse_transformer_layers_per_block: keys.Each = keys.each(None, minimum=0, optional=True)
    encoder_hid_dim: Dim | None = fields.optional_size()
    encoder_hid_dim_type: str | None = keys.optional_choice(None, ("text_proj", "text_image_proj", "image_proj"))
    attention_head_dim: keys.Each = keys.each(8)
    num_attention_heads: None = keys.only(None, why=": attention_head_dim says it")
    dual_cross_attention: bool = fields.always(False)
    use_linear_projection: bool = fields.flag(False)
    class_embed_type: str | None = keys.optional_choice(
        None, ("timestep", "identity", "projection", "simple_projection")
    )
    addition_embed_type: str | None = keys.optional_choice(None, ("text", "text_image", "text_time", "image"))
    addition_time_embed_dim: Dim | None = fields.optional_size()
    num_class_embeds: Dim | None = fields.optional_size()
    upcast_attention: bool = fields.flag(False)
    resnet_time_scale_shift: str = fields.choice(SHIFT, (SHIFT, SCALE_SHIFT))
    resnet_skip_time_act: bool = fields.flag(False)
    time_embedding_type: str = fields.choice("positional", ("positional", "fourier"))
    time_embedding_dim: Dim | None = fields.optional_size()
    time_embedding_act_fn: str | None = keys.optional_act()
    timestep_post_act: str | None = keys.optional_act()
    time_cond_proj_dim: Dim | None = fields.optional_size()
    conv_in_kernel: Dim = keys.kernel(3)
    conv_out_kernel: Dim = keys.kernel(3)
    projection_class_embeddings_input_dim: Dim | None = fields.optional_size()
    attention_type: str = keys.only("default")
    class_embeddings_concat: bool = fields.flag(False)
    mid_block_only_cross_attention: bool | None = fields.optional_flag()
    cross_attention_norm: str | None = keys.optional_choice(None, ("layer_norm", "group_norm"))
    addition_embed_type_num_heads: Dim = fields.size(64)

    def __attrs_post_init__(self) -> None:
        count = len(self.block_out_channels)
        for name in ("down_block_types", "up_block_types"):
            if len(getattr(self, name)) != count:
                raise ConfigError(f"{name} has {len(getattr(self, name))} blocks, and block_out_channels {count}")
        for name in ("layers_per_block", "attention_head_dim", "cross_attention_dim", "only_cross_attention"):
            keys.per_block(getattr(self, name), count, name)
        nested = any(isinstance(depth, tuple) for depth in keys.per_block(self.depths_down, count, TRANSFORMERS))
        if nested and self.reverse_transformer_layers_per_block is None:
            raise ConfigError(f"{TRANSFORMERS} is a list of lists, which needs reverse_{TRANSFORMERS}")
        keys.per_block(self.depths_up, count, f"reverse_{TRANSFORMERS}")

    @property
    def depths_down(self) -> keys.Each:
        """Transformer blocks of the blocks that go down."""
        return self.transformer_layers_per_block

    @property
    def depths_up(self) -> keys.Each:
        """Transformer blocks of the blocks that go up, in their order."""
        if self.reverse_transformer_layers_per_block is not None:
            return self.reverse_transformer_layers_per_block
        found = self.depths_down
        return found[::-1] if isinstance(found, tuple) else found

    @property
    def asks_text(self) -> bool:
        """Whether any block has attention to a text."""
        names = (*self.down_block_types, *self.up_block_types, self.mid_block_type or "")
        return any(CROSS in name for name in names)

    @property
    def cross_width(self) -> Dim:
        """The width of the text that is asked. Raises ConfigError if blocks disagree."""
        if self.cross_attention_dim is None:
            raise ConfigError("cross_attention_dim is null, and blocks ask a text of that width")
        widths = set(keys.per_block(self.cross_attention_dim, len(self.block_out_channels), "cross_attention_dim"))
        if len(widths) > 1:
            raise ConfigError(
                f"cross_attention_dim differs between blocks ({', '.join(map(str, sorted(widths)))}), which all ask "
                "one text"
            )
        return widths.pop()


TRANSFORMERS = "transformer_layers_per_block"


def build(c: UNetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from noisy latents to the noise in them."""
    height, width = latents.latents(c, workload)
    x = b.input("sample", (workload.batch, c.in_channels, height, width))
    time, text = told(c, workload, b)
    x, skipped = encoded(c, workload, b, centred(c, b, x), time, text)
    return decoded(c, workload, b, x, skipped, time, text)


def centred(c: Any, b: Builder, x: Value) -> Value:
    """Returns the input, brought from 0 to 1 to -1 to 1 if the file says so."""
    if not c.center_input_sample:
        return x
    return b.apply("shift", b.apply("scale", x, name="sample_doubled"), name="sample_centred")


def told(c: Any, workload: Workload, b: Builder) -> tuple[Value, Value | None]:
    """Returns the embedding of the time with all that is added to it, and the text's tokens."""
    batch = workload.batch
    first = c.block_out_channels[0]
    width = c.time_embedding_dim or (4 if c.time_embedding_type == "positional" else 2) * first
    steps = b.input("timestep", (batch,), "int64")
    if c.time_embedding_type == "positional":
        x = sinusoids(b, "time_proj", steps, first, flip=c.flip_sin_to_cos)
    else:
        x = fourier(b, "time_proj", steps, width)
    given = x.spec.shape[-1]
    condition = b.input("timestep_cond", (batch, c.time_cond_proj_dim)) if c.time_cond_proj_dim else None
    time = time_embedding(b, "time_embedding", x, width, kind=c.act_fn, post=c.timestep_post_act, condition=condition)
    label = conditions.of_class(c, b, batch, given, width)
    if label is not None and c.class_embeddings_concat:
        time = b.apply("concat", time, label, name="time_and_class", dim=-1)
    elif label is not None:
        time = b.apply("add", time, label, name="time_and_class")
    image = conditions.image_told(c, b, batch)
    states, text = _text(c, workload, b, image)
    more = conditions.added(c, b, states, image, batch, width)
    if more is not None:
        time = b.apply("add", time, more, name="time_and_more")
    if c.time_embedding_act_fn:
        time = b.apply(keys.ACTIVATIONS[c.time_embedding_act_fn], time, name="time_embed_act")
    return time, text


def _text(c: Any, workload: Workload, b: Builder, image: Value | None) -> tuple[Value | None, Value | None]:
    if not c.asks_text and c.encoder_hid_dim is None and c.addition_embed_type != "text":
        return None, None
    return conditions.text_states(c, b, image, workload.batch, workload.seq_len or TOKENS)


def resnets(c: Any, workload: Workload, *, skip_act: bool = False) -> Resnet:
    """Returns what the ResNet blocks share; `skip_act` if the kind of block knows of an activated time."""
    return Resnet(
        groups=c.norm_num_groups,
        act=c.act_fn,
        time=c.resnet_time_scale_shift,
        time_activated=skip_act and c.resnet_skip_time_act,
        dropout=c.dropout,
        workload=workload,
    )


def described(c: Any, workload: Workload, place: int, *, upwards: bool) -> Block:
    """Returns one of the blocks that go down, or up."""
    count = len(c.block_out_channels)
    level = count - 1 - place if upwards else place
    kind = (c.up_block_types if upwards else c.down_block_types)[place]
    layers = keys.per_block(c.layers_per_block, count, "layers_per_block")[level] + upwards
    heads = keys.per_block(c.attention_head_dim, count, "attention_head_dim")
    depth = keys.per_block(c.depths_up if upwards else c.depths_down, count, TRANSFORMERS)[place]
    simple = kind.startswith(("Resnet", "Simple"))
    return Block(
        kind=kind,
        channels=c.block_out_channels[level],
        layers=layers,
        resized=place < count - 1,
        resnet=resnets(c, workload, skip_act=simple),
        heads=heads[level],
        head_width=heads[place],  # going up too the list is read from its beginning, as the class does
        depths=depths_of(depth, layers),
        linear=c.use_linear_projection,
        only_text=keys.per_block(c.only_cross_attention, count, "only_cross_attention")[level],
        text_norm=c.cross_attention_norm,
        padding=c.downsample_padding,
    )


def depths_of(depth: Any, layers: int) -> tuple[Dim, ...]:
    """Returns the transformer blocks of each layer. Raises ConfigError if a list has fewer than layers."""
    if not isinstance(depth, tuple):
        return (depth,) * layers
    if len(depth) < layers:
        raise ConfigError(f"{TRANSFORMERS} has {len(depth)} entries for a block of {layers} layers")
    return depth


def encoded(
    c: Any, workload: Workload, b: Builder, x: Value, time: Value, text: Value | None, hint: Value | None = None
) -> tuple[Value, list[Value]]:
    """Returns the map in the middle, and the maps that the way up takes. `hint` is added after the first
    convolution."""
    x = conv(b, "conv_in", x, c.block_out_channels[0], c.conv_in_kernel)
    if hint is not None:
        x = b.apply("add", x, hint, name="with_hint")
    skipped = [x]
    for place in range(len(c.block_out_channels)):
        x, found = down(b, f"down_blocks.{place}", x, time, text, described(c, workload, place, upwards=False))
        skipped += found
    if c.mid_block_type is None:
        return x, skipped
    return middle(b, x, time, text, mid(c, workload)), skipped


def mid(c: Any, workload: Workload) -> Block:
    """Returns the block in the middle."""
    heads = keys.per_block(c.attention_head_dim, len(c.block_out_channels), "attention_head_dim")[-1]
    only = c.mid_block_only_cross_attention
    if only is None:
        only = c.only_cross_attention if isinstance(c.only_cross_attention, bool) else False
    simple = "Simple" in c.mid_block_type
    depth = keys.per_block(c.depths_down, len(c.block_out_channels), TRANSFORMERS)[-1]
    return Block(
        kind=c.mid_block_type,
        channels=c.block_out_channels[-1],
        layers=0 if c.mid_block_type == "UNetMidBlock2D" else 1,
        resized=False,
        resnet=resnets(c, workload, skip_act=simple),
        heads=heads,
        head_width=heads,
        depths=depths_of(depth, 1),
        linear=c.use_linear_projection,
        only_text=only and simple,
        text_norm=c.cross_attention_norm,
    )


def decoded(
    c: Any, workload: Workload, b: Builder, x: Value, skipped: list[Value], time: Value, text: Value | None
) -> Value:
    """Returns the output from the map in the middle and those on the way down."""
    count = len(c.block_out_channels)
    for place in range(count):
        d = described(c, workload, place, upwards=True)
        if len(skipped) < d.layers:
            raise ConfigError(f"up_block_types: block {place} has {d.layers} layers and {len(skipped)} maps are left")
        left = skipped[len(skipped) - d.layers - 1].spec.shape[2:] if place < count - 1 else None
        x = up(b, f"up_blocks.{place}", x, skipped, time, text, d, left)
    x = b.apply(keys.ACTIVATIONS[c.act_fn], group_norm(b, "conv_norm_out", x, c.norm_num_groups), name="conv_act")
    return conv(b, "conv_out", x, c.out_channels, c.conv_out_kernel)


def tokens(config: UNetConfig) -> Dim | None:
    """Returns the tokens of a text, None for a model without one."""
    return TOKENS if config.asks_text else None


ARCHITECTURE = Architecture(
    "unet-2d-condition",
    UNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": tokens, "image_size": latents.image_size},
    attention=KINDS,
    dtype="float32",
    no_cost=keys.NO_COST,
    losses=LOSSES,
    model_types=("UNet2DConditionModel",),
    stated=latents.stated,
    doc="A U-Net told a time and a text: Stable Diffusion, SDXL. image_size is the picture's, in pixels.",
)
