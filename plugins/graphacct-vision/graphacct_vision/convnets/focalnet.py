"""FocalNet: a gated sum of convolutions of growing sizes in place of attention.

Yang et al., 2022 (arXiv:2203.11926).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear, resident
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.vision.patched import in_squares, square_side

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.layers import convolution, padded
from graphacct_vision.parts.lists import check_stages
from graphacct_vision.parts.stages import repeated
from graphacct_vision.parts.windows import Grid, ratio, times

CLASSES = tuple(f"FocalNet{end}" for end in ("Model", "ForImageClassification", "ForMaskedImageModeling", "Backbone"))
GROWTH = 2


@frozen(kw_only=True)
class FocalNetConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[int, int] = fields.sides(4)
    embed_dim: Dim = fields.size(96)
    use_conv_embed: bool = fields.flag(False)
    depths: tuple[int, ...] = fields.counts((2, 2, 6, 2))
    focal_levels: tuple[int, ...] = fields.counts((2, 2, 2, 2))
    focal_windows: tuple[int, ...] = fields.counts((3, 3, 3, 3))
    mlp_ratio: float = ratio(4.0)
    hidden_dropout_prob: float = fields.probability(0.0)
    drop_path_rate: float = fields.probability(0.1)
    use_layerscale: bool = fields.flag(False)
    use_post_layernorm: bool = fields.flag(False)
    use_post_layernorm_in_modulation: bool = fields.flag(False)
    normalize_modulator: bool = fields.flag(False)
    encoder_stride: Dim = fields.size(32)

    def __attrs_post_init__(self) -> None:
        if len(self.focal_levels) < len(self.depths) or len(self.focal_windows) < len(self.depths):
            check_stages(len(self.depths), focal_levels=self.focal_levels, focal_windows=self.focal_windows)
        if any(type(count) is not int for count in (*self.depths, *self.focal_levels, *self.focal_windows)):
            raise ConfigError("depths, focal_levels and focal_windows are integers")
        if any(window % 2 == 0 for window in self.focal_windows[: len(self.depths)]):
            raise ConfigError(f"focal_windows are odd, so that maps keep their size, not {list(self.focal_windows)}")


def build(config: FocalNetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's tokens and their mean, to maps of stages, or to the
    pixels of masked patches."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    kind = config.architectures.removeprefix("FocalNet")
    if kind == "Model":
        return pooled(b, stages(config, workload, b, pixels)[-1][0])
    with b.scope("focalnet"):
        found = stages(config, workload, b, pixels)
        x = layer_norm(b, "layernorm", found[-1][0])
        mean = x if kind == "ForMaskedImageModeling" else b.apply("mean", x, name="pooler", dim=1)
    if kind == "Backbone":
        return tuple(as_map(b, *found[place], f"map_{place}") for place in config.handed_on(len(config.depths)))
    if kind == "ForImageClassification":
        return mean if equal(config.num_labels, 0) else linear(b, "classifier", mean, config.num_labels)
    batch, count, width = x.spec.shape
    side = square_side(count, config.architectures)
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("reshape", x, name="places", shape=(batch, width, side, side))
    return in_squares(b, x, config.encoder_stride, config.num_channels)


def pooled(b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the normalized tokens and their mean."""
    x = layer_norm(b, "layernorm", x)
    return x, b.apply("mean", x, name="pooler", dim=1)


def as_map(b: Builder, x: Value, grid: Grid, name: str) -> Value:
    """Returns tokens (batch, places, channels) as a map, a view."""
    batch, _, channels = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_places", shape=(batch, *grid, channels))
    return b.apply("permute", x, name=name, dims=(0, 3, 1, 2))


def embedded(
    config: FocalNetConfig, b: Builder, x: Value, width: Dim, size: tuple[int, int], *, stem: bool
) -> tuple[Value, Grid]:
    """Returns patches as tokens, and their grid; or places of a convolution whose steps overlap. The map is padded to
    whole patches."""
    x = padded(b, x, size)
    if config.use_conv_embed:
        kernel, stride, padding = (7, 4, 2) if stem else (3, 2, 1)
        x = convolution(b, "projection", x, width, kernel, stride=stride, padding=padding, bias=True)
    else:
        x = convolution(b, "projection", x, width, size, stride=size, bias=True)
    batch, _, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
    return b.apply("transpose", x, name="tokens", dims=(1, 2)), (rows, columns)


def stages(config: FocalNetConfig, workload: Workload, b: Builder, x: Value) -> list[tuple[Value, Grid]]:
    """Returns the stem's tokens and each stage's after they are merged, with their grids."""
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x, grid = embedded(config, b, x, config.embed_dim, config.patch_size, stem=True)
        x = layer_norm(b, "norm", x)
        if config.architectures.endswith("ForMaskedImageModeling"):  # for patches that no workload masks
            resident(b, "mask_token", b.parameter("mask_token", (1, 1, config.embed_dim)))
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    found = [(x, grid)]
    with b.scope("encoder.stages"):
        for stage, depth in enumerate(config.depths):
            body = partial(layer, config, workload, stage, grid, config.drop_path_rate)
            first = body if stage else partial(layer, config, workload, stage, grid, 0.0)  # the rate grows from 0
            x = repeated(f"{stage}.layers", depth, first, body, b, x)
            if stage + 1 < len(config.depths):
                with b.scope(f"{stage}.downsample"):
                    batch, _, width = x.spec.shape
                    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
                    x = b.apply("reshape", x, name="map", shape=(batch, width, *grid))
                    x, grid = embedded(config, b, x, 2 * width, (2, 2), stem=False)
                    x = layer_norm(b, "norm", x)
            found.append((x, grid))
    return found


def layer(
    config: FocalNetConfig, workload: Workload, stage: int, grid: Grid, chance: float, b: Builder, x: Value
) -> Value:
    """Returns the tokens after a layer."""
    batch, count, width = x.spec.shape
    last = config.use_post_layernorm
    y = x if last else layer_norm(b, "norm1", x)
    y = b.apply("reshape", y, name="map", shape=(batch, *grid, width))
    with b.scope("modulation"):
        y = modulated(config, workload, stage, b, y)
    y = b.apply("reshape", y, name="tokens", shape=(batch, count, width))
    y = layer_norm(b, "norm1", y) if last else y
    x = b.apply("add", x, drop_path(b, "drop_path", scaled(config, b, "gamma_1", y), chance, workload), name="residual")
    y = x if last else layer_norm(b, "norm2", x)
    with b.scope("mlp"):
        y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "fc1", y, times(width, config.mlp_ratio)))
        y = dropped(b, "drop", y, config.hidden_dropout_prob, workload)
        y = dropped(b, "drop_after", linear(b, "fc2", y, width), config.hidden_dropout_prob, workload)
    y = layer_norm(b, "norm2", y) if last else y
    y = drop_path(b, "drop_path_after", scaled(config, b, "gamma_2", y), chance, workload)
    return b.apply("add", x, y, name="mlp_residual")


def scaled(config: FocalNetConfig, b: Builder, name: str, x: Value) -> Value:
    """Returns x times a parameter of its width, or times 1."""
    if not config.use_layerscale:
        return b.apply("scale", x, name=name)
    return b.apply("mul", b.parameter(name, x.spec.shape[-1:]), x, name=f"{name}_scaled")


def modulated(config: FocalNetConfig, workload: Workload, stage: int, b: Builder, x: Value) -> Value:
    """Returns a map (batch, rows, columns, width) times what each place sees around it."""
    width, levels = x.spec.shape[-1], config.focal_levels[stage]
    x = linear(b, "projection_in", x, 2 * width + levels + 1)
    x = b.apply("contiguous", b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2)), name="map")
    query, near, gates = b.apply("split", x, name="parts", sizes=(width, width, levels + 1), dim=1)
    seen: Value | None = None
    for level in range(levels + 1):
        if level < levels:
            kernel = GROWTH * level + config.focal_windows[stage]
            options: dict[str, Any] = {"padding": kernel // 2, "groups": width}
            near = convolution(b, f"focal_layers.{level}.0", near, width, kernel, **options)
            part = near = b.apply("gelu", near, name=f"focal_layers.{level}.1")
        else:
            part = b.apply("mean", near, name="mean_of_rows", dim=2, keepdim=True)
            part = b.apply("mean", part, name="mean_of_columns", dim=3, keepdim=True)
            part = b.apply("gelu", part, name="activation")
        gate = b.apply("slice", gates, name=f"gate_{level}", dim=1, start=level, length=1)
        part = b.apply("mul", part, gate, name=f"gated_{level}")
        seen = (
            b.apply("shift", part, name="seen_0") if seen is None else b.apply("add", seen, part, name=f"seen_{level}")
        )
    assert seen is not None
    if config.normalize_modulator:
        seen = b.apply("scale", seen, name="averaged")
    y = b.apply("mul", query, convolution(b, "projection_context", seen, width, bias=True), name="modulated")
    y = b.apply("contiguous", b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1)), name="tokens")
    y = layer_norm(b, "layernorm", y) if config.use_post_layernorm_in_modulation else y
    return dropped(b, "projection_dropout", linear(b, "projection_out", y, width), config.hidden_dropout_prob, workload)


ARCHITECTURE = Architecture(
    "focalnet",
    FocalNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    no_cost={"hidden_sizes": None, "layerscale_value": None},
    model_types=("focalnet",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="FocalNet: instead of attention, a gated sum of convolutions of growing sizes.",
)
