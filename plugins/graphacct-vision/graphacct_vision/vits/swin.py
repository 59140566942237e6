"""Swin: stages of attention in shifted windows, with learned numbers for pairs of places.

Liu et al., 2021 (arXiv:2103.14030).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar, TypeAlias

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Mlp, mlp
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear, resident
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import Tower, attention, check_image, patches
from graphacct_architectures.vision.patched import in_squares, square_side

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
    prod,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.layers import padded
from graphacct_vision.parts.windows import (
    Grid,
    alternating,
    into_windows,
    merged,
    out_of_windows,
    padded_grid,
    ratio,
    regions,
    times,
)

Body: TypeAlias = Callable[..., Value]
ENDS = ("Model", "ForImageClassification", "ForMaskedImageModeling", "Backbone")
CLASSES = tuple(f"Swin{end}" for end in ENDS)


@frozen(kw_only=True)
class SwinConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "swin"
    """The encoder's name in a class with a head."""
    BACKBONE_NORMS: ClassVar[bool] = True
    """Whether the backbone has a norm for each stage that it hands on."""
    NORM_LAST: ClassVar[bool] = False
    """Whether merged patches are normalized after their projection."""
    NORMED: ClassVar[bool] = True
    """Whether the last stage's tokens are normalized."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(4)
    embed_dim: Dim = fields.size(96)
    depths: tuple[int, ...] = fields.counts((2, 2, 6, 2))
    num_heads: tuple[Dim, ...] = fields.counts((3, 6, 12, 24))
    window_size: Dim = fields.size(7)
    mlp_ratio: float = ratio(4.0)
    qkv_bias: bool = fields.flag(True)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    drop_path_rate: float = fields.probability(0.1)
    hidden_act: str = activation("gelu")
    use_absolute_embeddings: bool = fields.flag(False)
    encoder_stride: Dim = fields.size(32)

    def __attrs_post_init__(self) -> None:
        if len(self.depths) != len(self.num_heads):
            raise ConfigError(
                f"depths has {len(self.depths)} stages, num_heads {len(self.num_heads)}: one count for each"
            )
        if any(type(depth) is not int for depth in self.depths):
            raise ConfigError("depths are integers: layers of a stage alternate")

    def width(self, stage: int) -> Dim:
        """Returns the channels of a stage."""
        return self.embed_dim * 2**stage

    def windows(self, stage: int, grid: Grid) -> tuple[Dim, bool]:
        """Returns a stage's window and whether every other layer's is shifted: not where one window has the whole map.

        Raises ConfigError where a map is smaller than the window that the numbers of pairs are for.
        """
        window = self.window_size
        if not all(has_value(side) for side in (*grid, window)):
            raise ConfigError("image_size and window_size are integers: they decide whether windows are shifted")
        partitions = self.architectures.endswith("Backbone")  # a backbone pads a small map
        if not partitions and min(grid) < window:
            raise ConfigError(
                f"a stage has {grid[0]}x{grid[1]} patches, less than window_size {window}: take a larger image_size"
            )
        return window, bool((partitions or min(grid) > window) and window > 1)

    def block(self, workload: Workload, stage: int, grid: Grid, window: Dim) -> Callable[[bool, bool], Body]:
        """Returns what makes a layer's body, of whether its windows are shifted and whether it drops no branch."""
        return partial(block, self, workload, stage, grid, window)


def build(config: SwinConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's tokens and their mean, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    image = workload.image_size
    assert image is not None  # the architecture declares its default
    if config.use_absolute_embeddings:
        image = check_image(image, config.image_size)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    if config.architectures.endswith("Model"):
        x = normed_stages(config, workload, b, pixels)
        return x, b.apply("mean", x, name="pooler", dim=1)
    if config.architectures.endswith("Backbone"):
        return maps(config, workload, b, pixels)
    with b.scope(config.SCOPE):
        x = normed_stages(config, workload, b, pixels)
        if config.architectures.endswith("ForImageClassification"):
            x = b.apply("mean", x, name="pooler", dim=1)
    if config.architectures.endswith("ForImageClassification"):
        return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)
    batch, count, width = x.spec.shape
    side = square_side(count, config.architectures)
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("reshape", x, name="places", shape=(batch, width, side, side))
    return in_squares(b, x, config.encoder_stride, config.num_channels)


def maps(config: SwinConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, ...]:
    """Returns the normalized stages that a backbone hands on, each before the patches are merged."""
    places = config.handed_on(len(config.depths))
    if not config.BACKBONE_NORMS:
        found = stages(config, workload, b, pixels)
        return tuple(as_map(b, *found[place], f"map_{place}") for place in places)
    with b.scope(config.SCOPE):
        found = stages(config, workload, b, pixels)
        layer_norm(b, "layernorm", found[-1][0])  # of the bare model, whose output is not read
    maps = []
    with b.scope("hidden_states_norms"):
        names = ["stem", *(f"stage{place}" for place in range(1, len(found)))]
        for place in places:
            x, grid = found[place]
            x = as_map(b, layer_norm(b, names[place], x), grid, f"{names[place]}_channels_first")
            maps.append(b.apply("contiguous", x, name=f"{names[place]}_map"))
    return tuple(maps)


def as_map(b: Builder, x: Value, grid: Grid, name: str) -> Value:
    """Returns tokens (batch, places, channels) as a map, a view."""
    batch, _, channels = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_places", shape=(batch, *grid, channels))
    return b.apply("permute", x, name=name, dims=(0, 3, 1, 2))


def normed_stages(config: SwinConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the last stage's tokens, normalized where the family does so."""
    x = stages(config, workload, b, pixels)[-1][0]
    return layer_norm(b, "layernorm", x) if config.NORMED else x


def embedded(config: SwinConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Grid]:
    """Returns the normalized patches, with learned positions if the file says so, and their grid. The image is padded
    to whole patches."""
    width = config.embed_dim
    grid = tuple(floor_div(side, step) for side, step in zip(config.image_size, config.patch_size, strict=True))
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            pixels = padded(b, pixels, config.patch_size)
            found = [floor_div(side, step) for side, step in zip(pixels.spec.shape[2:], config.patch_size, strict=True)]
            x = patches(b, "projection", pixels, width, config.patch_size, bias=True)
        x = layer_norm(b, "norm", x)
        if config.architectures.endswith("ForMaskedImageModeling"):  # for patches that no workload masks
            resident(b, "mask_token", b.parameter("mask_token", (1, 1, width)))
        if config.use_absolute_embeddings:
            learned = b.parameter("position_embeddings", (1, prod(grid), width))
            x = b.apply("add", x, learned, name="with_positions")
        return dropped(b, "dropout", x, config.hidden_dropout_prob, workload), (found[0], found[1])


def stages(config: SwinConfig, workload: Workload, b: Builder, pixels: Value) -> list[tuple[Value, Grid]]:
    """Returns the stem's tokens and each stage's before they are merged, with their grids."""
    x, grid = embedded(config, workload, b, pixels)
    found = [(x, grid)]
    growing = bool(config.drop_path_rate) and workload.phase == "train"
    with b.scope("encoder.layers"):
        for index, depth in enumerate(config.depths):
            with b.scope(str(index)):
                window, shifts = config.windows(index, grid)
                body = config.block(workload, index, grid, window)
                spared = growing and index == 0
                x = alternating(b, "blocks", depth, body, x, spared=spared, shifts=shifts)
                found.append((x, grid))
                if index + 1 < len(config.depths):
                    with b.scope("downsample"):
                        x, grid = merged(b, x, grid, norm_last=config.NORM_LAST)
    return found


def block(
    config: SwinConfig, workload: Workload, stage: int, grid: Grid, window: Dim, shifted: bool, spared: bool
) -> Body:
    """Returns the body of a layer: attention in windows, then a network of one hidden layer."""
    return partial(layer, config, workload, stage, grid, window, shifted, 0.0 if spared else config.drop_path_rate)


def layer(
    config: SwinConfig,
    workload: Workload,
    stage: int,
    grid: Grid,
    window: Dim,
    shifted: bool,
    rate: float,
    b: Builder,
    x: Value,
) -> Value:
    """Returns x (batch, rows * columns, channels) after a layer."""
    kind = kind_of(config, stage)
    shift = floor_div(window, 2) if shifted else 0
    b.hold(x)
    y = into_windows(b, layer_norm(b, "layernorm_before", x), grid, window, shift)
    hidden = regions(b, grid, window) if shifted else None
    with b.scope("attention"):
        b.hold(y)
        y, _ = attention(
            kind,
            exact_div(x.spec.shape[-1], kind.heads, "channels / num_heads"),
            workload,
            b,
            y,
            pairs(b, x.spec.shape[0], kind.heads, window, grid, hidden),
        )
    y = dropped(b, "attn_dropout", y, config.hidden_dropout_prob, workload)
    y = out_of_windows(b, y, x.spec.shape[0], grid, window, shift)
    x = b.apply("add", x, drop_path(b, "attn_drop_path", y, rate, workload), name="attn_residual")
    y = layer_norm(b, "layernorm_after", x)
    with b.scope("mlp"):
        b.hold(y)
        y = mlp(kind.mlp, b, y)
    y = dropped(b, "mlp_dropout", y, config.hidden_dropout_prob, workload)
    return b.apply("add", y, x, name="mlp_residual")


def kind_of(config: SwinConfig, stage: int) -> Tower:
    """Returns what a stage's attention and network are."""
    act = ACTIVATIONS[config.hidden_act]
    hidden = times(config.width(stage), config.mlp_ratio)
    return Tower(
        config.depths[stage],
        config.num_heads[stage],
        Mlp(hidden, act, gated=False, up="fc1", down="fc2", bias=True),
        stack="blocks",
        attention="attention",
        out="o_proj",
        norms=("layernorm_before", "layernorm_after"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_probs_dropout_prob,
    )


def pairs(b: Builder, batch: Dim, heads: Dim, window: Dim, grid: Grid, hidden: Value | None) -> Value:
    """Returns the learned number of each pair of places in a window, (1, heads, window², window²), and in shifted
    windows (batch * windows, …) with those hidden that lay apart."""
    count = window**2
    with b.scope("relative_position_bias"):
        table = b.parameter("relative_position_bias_table", ((2 * window - 1) ** 2, heads))
        places = b.apply("constant", name="index", shape=(count**2,), dtype="int64")
        x = b.apply("index_select", table, places, name="read", dim=0)
        x = b.apply("reshape", x, name="pairs", shape=(count, count, heads))
        x = b.apply("contiguous", b.apply("permute", x, name="by_head", dims=(2, 0, 1)), name="copied")
        x = b.apply("reshape", x, name="bias", shape=(1, heads, count, count))
    if hidden is None:
        return x
    number = prod(floor_div(side, window) for side in padded_grid(grid, window))
    each = b.apply("reshape", hidden, name="hidden_of_windows", shape=(1, number, 1, count, count))
    each = b.apply("expand", each, name="hidden_of_batch", shape=(batch, number, 1, count, count))
    each = b.apply("reshape", each, name="hidden", shape=(batch * number, 1, count, count))
    return b.apply("add", x, each, name="pairs")


def family(
    name: str,
    config: type[SwinConfig],
    presets: PresetFiles,
    doc: str,
    attention: tuple[str, ...] = ("fused", "eager"),
) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: config.image_size},
        attention=attention,
        dtype="float32",
        aliases={**ALIASES, "num_attention_heads": "num_heads"},
        no_cost={
            "hidden_size": None,
            "num_layers": None,
            "num_hidden_layers": None,
            "path_norm": None,
            "pretrained_window_sizes": None,
        },
        model_types=(name,),
        losses=LOSSES,
        default_loss=lambda config: entropy_if(config.labelled),
        doc=doc,
    )


ARCHITECTURE = family(
    "swin", SwinConfig, PresetFiles(__file__), "Swin: stages of attention in shifted windows, patches merged between."
)
