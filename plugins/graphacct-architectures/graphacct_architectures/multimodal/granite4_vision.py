"""Granite 4 Vision: pictures of any size, whose tokens windowed queries make fewer (a Q-Former in each window), from
several layers of a tower into several layers of the text.

IBM, 2026 (Granite 4 Vision).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    brief,
    exact_div,
    fields,
    frozen,
)
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.multimodal.llava_next import RESOLUTIONS
from graphacct_architectures.multimodal.parts.anyres import AnySize, packed, resolutions
from graphacct_architectures.multimodal.parts.compose import Composition, Layered, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import without_first
from graphacct_architectures.multimodal.parts.qformer import QFormerConfig, asked
from graphacct_architectures.multimodal.parts.towers import looked, vision_model
from graphacct_architectures.residing import reside

CLASSES = ("Granite4VisionForConditionalGeneration", "Granite4VisionModel")
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""The places of a square of four tokens, of which each of the last projectors starts from one."""
HEAD = 64
"""The width of a head of the Q-Former."""


@frozen(kw_only=True)
class WindowConfig(QFormerConfig):
    """The Q-Former's keys; its width is the tower's."""

    num_hidden_layers: Dim = fields.size(1)
    cross_attention_frequency: Dim = fields.size(1)


def _pairs() -> Any:
    """Returns the key of the tower's layers that are read, each with the text's layer that it is added before."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, int], ...]:
        items = value if isinstance(value, (list, tuple)) else [value]
        pairs = [tuple(item) if isinstance(item, (list, tuple)) else () for item in items]
        if not all(len(pair) == 2 and all(type(part) is int for part in pair) for pair in pairs):
            raise ConfigError(
                f"{field.name} is a list of pairs of layers, of the tower and the text, not {brief(value)}"
            )
        return tuple((seen, text) for seen, text in pairs)

    return fields.checked_field(check)


def _rate() -> Any:
    """Returns the share of a side's tokens that is left."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        parts = value.split("/") if isinstance(value, str) else []
        if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and int(part[:6]) > 0 for part in parts):
            raise ConfigError(f"{field.name} is a fraction of two whole numbers, as '1/4', not {brief(value)}")
        return f"{int(parts[0][:6])}/{int(parts[1][:6])}"

    return fields.checked_field(check)


def _targets() -> Any:
    """Returns the text's layers that the four last projectors' tokens are added before."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = (12, 15, 18, 21) if value is None else value
        whole = isinstance(items, (list, tuple)) and all(type(item) is int for item in items)
        if not whole or len(items) > len(CORNERS):
            raise ConfigError(f"{field.name} is a list of up to {len(CORNERS)} layers of the text, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, (12, 15, 18, 21))


@frozen(kw_only=True)
class Granite4VisionConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("clip_vision_model")
    text_config: SubModel = text_model("granite", always=True)
    qformer_config: WindowConfig | None = fields.nested(WindowConfig, "granite4_vision")
    vision_feature_select_strategy: str = fields.choice("default", ("default", "full"))
    image_grid_pinpoints: tuple[tuple[int, int], ...] = resolutions(RESOLUTIONS)
    downsample_rate: str = _rate()
    deepstack_layer_map: tuple[tuple[int, int], ...] = _pairs()
    spatial_vision_layer: int = fields.checked_field(lambda value, field: value, -1)
    spatial_target_layers: tuple[int, ...] = _targets()
    projector_dropout: float = fields.probability(0.1)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


@frozen
class Windows:
    """One projector.

    Attributes:
        former: The Q-Former's keys.
        side: Tokens of a side of a square.
        window, queries: Tokens of a side of a window, and what is left of them.
        out: The text's width.
        dropout: The dropout probability before and after the Q-Former, in training.
        corner: The place of each square of four tokens that the queries start from; None for means.
    """

    former: WindowConfig
    side: int
    window: int
    queries: int
    out: Dim
    dropout: float
    corner: tuple[int, int] | None = None

    def __call__(self, workload: Workload, b: Builder, x: Value) -> Value:
        """Returns the tokens (squares, fewer tokens, out) of x (squares, tokens, width); the builder is in the
        projector's scope."""
        squares, tokens, width = x.spec.shape
        if tokens != self.side**2:
            raise ConfigError(
                f"a square of an image has {tokens} tokens and not {self.side}x{self.side}: "
                "vision_feature_select_strategy is 'default' for a tower with a class token, and 'full' for one without"
            )
        x = layer_norm(b, "norm", x)
        count = self.side // self.window
        seen = windowed(b, "seen", x, self.side, self.window)
        few = self.fewer(b, x)
        few = windowed(b, "few", few, count * self.queries, self.queries)
        own = b.parameter("query", (1, self.queries**2, width))
        queries = b.apply("add", own, few, name="queries")
        places = b.parameter("image_positions", (1, self.window**2, width))
        seen = dropped(b, "dropout", b.apply("add", seen, places, name="placed"), self.dropout, workload)
        each = attrs.evolve(workload, batch=squares * count * count)
        with b.scope("qformer"):
            y = asked(self.former, each, b, queries, seen)
        n = self.queries
        y = b.apply("reshape", y, name="windows_apart", shape=(squares, count, count, n, n, width))
        y = b.apply("transpose", y, name="rows_first", dims=(2, 3))
        y = b.apply(
            "reshape",
            b.apply("contiguous", y, name="rows_copied"),
            name="raster",
            shape=(squares, (count * n) ** 2, width),
        )
        return linear(b, "out_linear", dropped(b, "dropout_out", y, self.dropout, workload), self.out)

    def fewer(self, b: Builder, x: Value) -> Value:
        """Returns the tokens that the queries start from."""
        squares, _, width = x.spec.shape
        side, left = self.side, self.side * self.queries // self.window
        if self.corner is not None:
            half = side // 2
            x = b.apply("reshape", x, name="fours", shape=(squares, half, 2, half, 2, width))
            x = b.apply("select", x, name="fours_row", dim=2, index=self.corner[0])
            x = b.apply("select", x, name="fours_column", dim=3, index=self.corner[1])
            return b.apply("reshape", x, name="corners", shape=(squares, half * half, width))
        x = b.apply("reshape", x, name="plane", shape=(squares, side, side, width))
        x = b.apply("permute", x, name="width_first", dims=(0, 3, 1, 2))
        x = b.apply("adaptive_avg_pool", x, name="means", size=(left, left))
        x = b.apply("permute", x, name="width_last", dims=(0, 2, 3, 1))
        return b.apply("reshape", x, name="means_flat", shape=(squares, left * left, width))


def windowed(b: Builder, label: str, x: Value, side: int, window: int) -> Value:
    """Returns x (squares, side², width) as windows (squares · windows, window², width)."""
    squares, tokens, width = x.spec.shape
    if tokens != side * side or side % window:
        raise ConfigError(
            f"downsample_rate cuts {side} tokens of a side into windows of {window}, and they are {tokens} in all: "
            "image_size / patch_size of vision_config has to be whole windows"
        )
    count = side // window
    x = b.apply("reshape", x, name=f"{label}_plane", shape=(squares, count, window, count, window, width))
    x = b.apply("transpose", x, name=f"{label}_windows", dims=(2, 3))
    return b.apply("reshape", x, name=f"{label}_flat", shape=(squares * count * count, window * window, width))


def compose(config: Granite4VisionConfig, root: str) -> Composition:
    """Returns a decoder, and the tokens of its pictures that are added before its layers."""
    text = described(config.text_config)
    tower = config.vision_config.config
    queries, window = (int(part) for part in config.downsample_rate.split("/"))
    sizes = AnySize(config.vision_config, config.image_grid_pinpoints, rate=Fraction(queries, window))
    width = tower.hidden_size
    former = attrs.evolve(
        config.qformer_config or WindowConfig(),
        hidden_size=width,
        num_attention_heads=exact_div(width, HEAD, f"vision_config.hidden_size / {HEAD}"),
        encoder_hidden_size=width,
    )
    base = Windows(former, sizes.patches, window, queries, text.width, config.projector_dropout)
    targets = dict(enumerate(config.spatial_target_layers))
    layers = (*(seen for seen, _ in config.deepstack_layer_map), config.spatial_vision_layer)
    projectors: list[tuple[str, int, Windows, int | None]] = [
        (f"layerwise_projectors.{index}", index, base, layer)
        for index, (_, layer) in enumerate(config.deepstack_layer_map)
    ]
    projectors += [
        (f"spatial_projectors.{index}", -1, attrs.evolve(base, corner=corner), targets.get(index))
        for index, corner in enumerate(CORNERS)
    ]

    def rows(workload: Workload, b: Builder) -> Layered:
        found = sizes.cut(workload)
        images = workload.batch * (workload.images or 0)
        squares = attrs.evolve(workload, batch=images * found.tiles, image_size=(sizes.tile, sizes.tile))
        with b.scope(f"{root}vision_tower"):
            read = looked(config.vision_config, squares, b, layers)
        if config.vision_feature_select_strategy == "default":
            read = tuple(without_first(b, x, f"patches_{i}") for i, x in enumerate(read))
        newline = b.parameter(f"{root}image_newline", (text.width,))
        made: dict[int, Value] = {}
        for name, index, projector, layer in projectors:
            if layer is None:  # none reads it
                aside = Builder(name, b.operators, b.dtype)
                with aside.scope(f"{root}{name}"):
                    unread = projector(squares, aside, aside.input("x", read[index].spec.shape))
                reside(b, aside.graph(unread))
                continue
            with b.scope(f"{root}{name}"):
                x = projector(squares, b, read[index])
            with b.scope(f"{root}packed.{name}"):
                x = packed(sizes, found, b, x, newline, images)
                shape = (images * x.spec.shape[1], text.width)
                made[layer] = b.apply("reshape", x, name="rows_of_all", shape=shape)
        if not made:
            raise ConfigError("deepstack_layer_map and spatial_target_layers are empty: no layer reads an image")
        return Layered(made)

    return Composition(
        text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings, scaled=True
    )


ARCHITECTURE = composition(
    "granite4_vision",
    Granite4VisionConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes={"tiles": lambda config: None},
    no_cost={"vision_feature_layer": None},
    doc="Granite 4 Vision: pictures of any size, windowed queries, added to several of the text's layers.",
)
