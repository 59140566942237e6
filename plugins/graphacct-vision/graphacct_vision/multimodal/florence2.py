"""Florence-2: a DaViT whose tokens stand before a text in BART's encoder.

Xiao et al., 2023 (arXiv:2311.06242).
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import embedding, layer_norm, linear
from graphacct_architectures.multimodal import Paired, Part, composition, of_images, pairs, placed

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen, less
from graphacct_vision.vits.davit import DavitConfig, mapped

CLASSES = ("Florence2ForConditionalGeneration", "Florence2Model")
SIDE = 768
"""Pixels on a side of an image whose size is not given, as the published model takes them."""


@frozen(kw_only=True)
class Florence2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: DavitConfig | None = fields.nested(DavitConfig, "florence2")
    text_config: SubModel = fields.model("bart", fits=pairs)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> DavitConfig:
        """The tower."""
        return self.vision_config or DavitConfig()


def compose(config: Florence2Config, root: str) -> Paired:
    """Returns the text model where it stands, and its images through the tower and the projector."""
    pair = placed(config.text_config, root, tied=config.tie_word_embeddings)

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        assert images.image_size is not None  # the architecture declares its default
        pixels = b.input("pixel_values", (images.batch, config.vision.in_channels, *images.image_size))
        with b.scope(f"{root}vision_tower"):
            x = mapped(config.vision, images, b, pixels)
        with b.scope(f"{root}multi_modal_projector"):
            return projected(config.vision, b, x)

    return Paired(pair, (Part("images", rows),))


def projected(c: DavitConfig, b: Builder, x: Value) -> Value:
    """Returns an image's tokens, and before them their mean, with learned places and that of the only frame."""
    images, width, rows, columns = x.spec.shape
    most = c.max_position_embeddings
    for side in (rows, columns):
        if less(most, side):
            raise ConfigError(
                f"an image has {side} places on a side, and vision_config.max_position_embeddings is {most}"
            )
    x = b.apply("add", x, places(c, b, images, (rows, columns), width), name="with_places")
    x = b.apply("reshape", x, name="flat", shape=(images, width, rows * columns))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    with b.scope("visual_temporal_embed"):
        table = b.parameter("pos_idx_to_embed", (c.max_temporal_embeddings, width), buffer=True)
        first = b.apply("slice", table, name="first", dim=0, start=0, length=1)
    first = b.apply("reshape", first, name="frame", shape=(1, 1, width))
    x = b.apply("add", x, first, name="with_frame")
    x = b.apply("reshape", x, name="frames", shape=(images, 1, rows * columns, width))
    parts = (b.apply("mean", x, name="mean_of_places", dim=2), b.apply("mean", x, name="mean_of_frames", dim=1))
    x = b.apply("concat", *parts, name="all", dim=1)
    return layer_norm(b, "image_proj_norm", linear(b, "image_projection", x, c.projection_dim, bias=False))


def places(c: DavitConfig, b: Builder, images: Dim, grid: tuple[Dim, Dim], width: Dim) -> Value:
    """Returns a learned row and a learned column of each place, (images, width, rows, columns)."""
    rows, columns = grid
    if type(width) is not int:
        raise ConfigError(f"embed_dim ends in {width}: rows and columns share it, so give a number")
    half = width // 2
    with b.scope("image_position_embed"):
        found = []
        for word, count, own, shape in (
            ("column", columns, width - half, (1, columns, width - half)),
            ("row", rows, half, (rows, 1, half)),
        ):
            ids = b.apply("reshape", b.apply("arange", name=f"{word}_ids", n=count), name=f"{word}s", shape=(count,))
            y = embedding(b, f"{word}_embeddings", ids, c.max_position_embeddings, own)
            y = b.apply("reshape", y, name=f"{word}_rows", shape=shape)
            found.append(b.apply("expand", y, name=f"{word}_of_all", shape=(rows, columns, own)))
        x = b.apply("concat", *found, name="both", dim=-1)
        x = b.apply("permute", x, name="width_first", dims=(2, 0, 1))
        x = b.apply("reshape", x, name="of_image", shape=(1, width, rows, columns))
        y = b.apply("repeat", x, name="of_images", times=(images, 1, 1, 1))
    result: Value = y
    return result


def context(config: Any) -> Dim:
    """Returns the longest sequence of the text model."""
    found: Dim = config.text_config.architecture.sizes["seq_len"](config.text_config.config)
    return found


ARCHITECTURE = composition(
    "florence2",
    Florence2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (SIDE, SIDE),
    sizes={"encoder_seq_len": lambda config: None, "seq_len": context},
    no_cost=dict.fromkeys(("is_encoder_decoder",)),
    doc="Florence-2: a DaViT whose tokens stand before a text in BART's encoder.",
)
