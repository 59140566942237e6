"""CLAP's encoder of sounds: a spectrum folded to a square, and Swin's stages over its patches.

Chen et al., 2022 (arXiv:2202.00874); Wu et al., 2022 (arXiv:2211.06687). Where a file fuses parts of
longer sounds, all sounds are longer.
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
    has_value,
    prod,
)
from graphacct_vision.parts.layers import batch_norm, convolution
from graphacct_vision.parts.windows import Grid, alternating, merged
from graphacct_vision.vits.swin_older import OlderSwinConfig

MODEL, PROJECTED = "ClapAudioModel", "ClapAudioModelWithProjection"
FRAMES = 1001
"""Frames of ten seconds."""


@frozen(kw_only=True)
class ClapAudioConfig(OlderSwinConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, PROJECTED))
    num_mel_bins: Dim = fields.size(64)
    spec_size: Dim = fields.size(256)
    patch_stride: tuple[Dim, Dim] = fields.sides(4)
    num_heads: tuple[Dim, ...] = fields.counts((4, 8, 16, 32))
    window_size: Dim = fields.size(8)
    hidden_dropout_prob: float = fields.probability(0.1)
    drop_path_rate: float = fields.probability(0.0)
    hidden_size: Dim = fields.size(768)
    projection_dim: Dim = fields.size(512)
    projection_hidden_act: str = activation("relu")
    enable_fusion: bool = fields.flag(False)
    fusion_type: str | None = fields.checked_field(lambda value, field: value, None, metadata=fields.OPTIONAL)
    patch_embed_input_channels: Dim = fields.size(1)
    flatten_patch_embeds: bool = fields.always(True)
    enable_patch_layer_norm: bool = fields.flag(True)
    aff_block_r: Dim = fields.size(4)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for key, sides in (("spec_size", (self.spec_size,)), ("num_mel_bins", (self.num_mel_bins,))):
            if not all(has_value(side) for side in sides):
                raise ConfigError(f"{key} must be a number: it says how a spectrum is folded")
        if self.enable_fusion and self.fusion_type == "channel_map":
            raise ConfigError("fusion_type is 'channel_map', which the library's class cannot run")
        if self.spec_size % self.num_mel_bins:
            raise ConfigError(
                f"spec_size {self.spec_size} is no multiple of num_mel_bins {self.num_mel_bins}: a spectrum is folded "
                "to a square"
            )
        if any(side % 2 ** (len(self.depths) - 1) for side in self.grid):
            raise ConfigError(
                f"spec_size {self.spec_size} makes {self.grid[0]}x{self.grid[1]} patches, which the stages cannot halve"
            )

    @property
    def grid(self) -> Any:
        """Rows and columns of patches."""
        return tuple(floor_div(self.spec_size, step) for step in self.patch_stride)

    @property
    def folds(self) -> Dim:
        """How many parts of a spectrum lie one over the other."""
        return floor_div(self.spec_size, self.num_mel_bins)

    @property
    def frames(self) -> Dim:
        """The longest spectrum."""
        return self.spec_size * self.folds


def encoded(config: ClapAudioConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the last map (batch, width, bins, places) of a spectrum, and its mean; the builder is in the model's
    scope."""
    workload = attrs.evolve(workload, attention="eager")  # its class knows no other
    frames, bins = workload.frames, config.num_mel_bins
    if has_value(frames) and has_value(config.frames) and frames > config.frames:
        raise ConfigError(f"frames {frames} is more than {config.frames}, which spec_size and num_mel_bins make")
    channels = 4 if config.enable_fusion else config.patch_embed_input_channels
    x = b.input("input_features", (workload.batch, channels, frames, bins))
    with b.scope("audio_encoder"):
        x = b.apply("transpose", x, name="bins_first", dims=(1, 3))
        x = batch_norm(b, "batch_norm", x, training=workload.phase == "train")
        x = b.apply("transpose", x, name="bins_last", dims=(1, 3))
        x = folded(config, b, x)
        with b.scope("patch_embed"):
            x = embedded(config, workload, b, x)
        x = stages(config, workload, b, x)
        return pooled(config, b, layer_norm(b, "norm", x))


def folded(config: ClapAudioConfig, b: Builder, x: Value) -> Value:
    """Returns a spectrum (batch, channels, frames, bins) as squares (batch, channels, side, side)."""
    batch, channels, frames, bins = x.spec.shape
    if not equal(frames, config.frames):
        x = b.apply("upsample_bicubic", x, name="stretched", size=(config.frames, bins))
    parts, length = config.folds, config.spec_size
    x = b.apply("reshape", x, name="parts", shape=(batch, channels * parts, length, bins))
    x = b.apply("contiguous", b.apply("permute", x, name="bins_by_time", dims=(0, 1, 3, 2)), name="bins_together")
    return b.apply("reshape", x, name="square", shape=(batch, channels, bins * parts, length))


def embedded(config: ClapAudioConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the patches as tokens, (batch, patches, width)."""
    batch, (rows, columns) = x.spec.shape[0], config.patch_size
    down, right = config.patch_stride
    padding = (floor_div(rows - down, 2), floor_div(columns - right, 2))
    width = config.embed_dim
    options: dict[str, Any] = {"padding": padding, "bias": True}
    if config.enable_fusion:
        local = b.apply("slice", x, name="parts", dim=1, start=1, length=3)
        x = b.apply("slice", x, name="whole", dim=1, start=0, length=1)
    x = convolution(b, "proj", x, width, config.patch_size, stride=config.patch_stride, **options)
    if config.enable_fusion:
        side = config.spec_size
        local = b.apply("contiguous", local, name="parts_copied")
        local = b.apply("reshape", local, name="each", shape=(3 * batch, 1, side, side))
        local = convolution(b, "mel_conv2d", local, width, (rows, 3 * columns), stride=(down, 3 * right), **options)
        _, _, high, wide = local.spec.shape
        local = b.apply("reshape", local, name="of_longer", shape=(batch, 3, width, high, wide))
        local = b.apply("permute", local, name="side_by_side", dims=(0, 2, 3, 1, 4))
        local = b.apply("contiguous", local, name="joined")
        local = b.apply("reshape", local, name="row", shape=(batch, width, high, 3 * wide))
        missing = x.spec.shape[3] - 3 * wide
        local = b.apply("pad", local, name="padded", padding=((0, missing),))
        with b.scope("fusion_model"):
            x = fused(config, workload, b, x, local)
    count = prod(x.spec.shape[2:])
    x = b.apply("reshape", x, name="flat", shape=(batch, width, count))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    return layer_norm(b, "norm", x) if config.enable_patch_layer_norm else x


def fused(config: ClapAudioConfig, workload: Workload, b: Builder, x: Value, other: Value) -> Value:
    """Returns two maps mixed by weights of their sum: of each place, and of the whole map."""
    width = x.spec.shape[1]
    inner = floor_div(width, config.aff_block_r)
    both = b.apply("add", x, other, name="both")
    parts = []
    training = workload.phase == "train"
    for name, first in (("local_att", 0), ("global_att", 1)):
        y = b.apply("mean", both, name=f"{name}.0", dim=(2, 3), keepdim=True) if first else both
        y = convolution(b, f"{name}.{first}", y, inner, bias=True)
        y = batch_norm(b, f"{name}.{first + 1}", y, training=training)
        y = b.apply("relu", y, name=f"{name}.{first + 2}")
        y = convolution(b, f"{name}.{first + 3}", y, width, bias=True)
        parts.append(batch_norm(b, f"{name}.{first + 4}", y, training=training))
    share = b.apply("sigmoid", b.apply("add", *parts, name="weights_of_both"), name="sigmoid")
    x = b.apply("mul", b.apply("scale", x, name="doubled"), share, name="share")
    rest = b.apply("rsub", share, name="rest")
    other = b.apply("mul", b.apply("scale", other, name="other_doubled"), rest, name="other_share")
    return b.apply("add", x, other, name="mixed")


def stages(config: ClapAudioConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's tokens."""
    grid: Grid = config.grid
    growing = bool(config.drop_path_rate) and workload.phase == "train"
    for index, depth in enumerate(config.depths):
        with b.scope(f"layers.{index}"):
            window, shifts = config.windows(index, grid)
            body = config.block(workload, index, grid, window)
            x = alternating(b, "blocks", depth, body, x, spared=growing and index == 0, shifts=shifts)
            if index + 1 < len(config.depths):
                with b.scope("downsample"):
                    x, grid = merged(b, x, grid)
    return x


def pooled(config: ClapAudioConfig, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last stage's tokens with the parts of the spectrum side by side, and the mean of all places."""
    batch, _, width = x.spec.shape
    halved = 2 ** (len(config.depths) - 1)
    rows, columns = (floor_div(side, halved) for side in config.grid)
    bins = floor_div(rows, config.folds)
    if not equal(bins * config.folds, rows):
        raise ConfigError(f"the last stage's {rows} rows are no multiple of the {config.folds} parts of a spectrum")
    x = b.apply("contiguous", b.apply("permute", x, name="channels_first", dims=(0, 2, 1)), name="channels")
    x = b.apply("reshape", x, name="parts_of_rows", shape=(batch, width, config.folds, bins, columns))
    x = b.apply("contiguous", b.apply("permute", x, name="bins_before_parts", dims=(0, 1, 3, 2, 4)), name="bins")
    x = b.apply("reshape", x, name="map", shape=(batch, width, bins, config.folds * columns))
    flat = b.apply("reshape", x, name="places", shape=(batch, width, bins * config.folds * columns))
    return x, b.apply("mean", flat, name="avgpool", dim=-1)


def projected(b: Builder, x: Value, width: Dim, act: str) -> Value:
    """Returns x after two linear layers; the builder is in their scope."""
    x = activated(b, ACTIVATIONS[act], linear(b, "linear1", x, width), "activation")
    return linear(b, "linear2", x, width)


def build(config: ClapAudioConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from a spectrum to the last map and its mean, or to the projected mean."""
    if config.architectures == MODEL:
        return encoded(config, workload, b)
    with b.scope("audio_model"):
        _, x = encoded(config, workload, b)
    with b.scope("audio_projection"):
        return projected(b, x, config.projection_dim, config.projection_hidden_act)


ARCHITECTURE = Architecture(
    "clap_audio_model",
    ClapAudioConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: min(FRAMES, config.frames)},
    per_second={"frames": lambda config: 100},
    attention=("eager",),
    dtype="float32",
    aliases={
        **{"torch_dtype": "dtype", "num_attention_heads": "num_heads", "patch_embeds_hidden_size": "embed_dim"},
        **fields.LABELS,
    },
    no_cost=dict.fromkeys(("num_classes", "num_hidden_layers", "initializer_factor", "fusion_num_hidden_layers")),
    model_types=("clap_audio_model",),
    losses=SUM_ALONE,
    doc="CLAP's encoder of sounds: a spectrum folded to a square, and Swin's stages over its patches.",
)
