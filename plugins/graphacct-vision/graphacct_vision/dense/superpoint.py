"""SuperPoint: how likely each pixel is a point of interest, and what each place looks like (DeTone et al., 2017,
arXiv:1712.07629).

Which pixels are chosen depends on the image; what is computed for the chosen ones is no product and is left out.
"""

from __future__ import annotations

from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.parts.layers import convolution

CLASSES = ("SuperPointForKeypointDetection",)
COLOURS = 3
CELL = 8
"""The sides of the square of pixels that a place scores; one more score says that there is no point."""
SCORES = CELL * CELL + 1


@frozen(kw_only=True)
class SuperPointConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    encoder_hidden_sizes: tuple[Dim, ...] = fields.counts((64, 64, 128, 128))
    decoder_hidden_size: Dim = fields.size(256)
    keypoint_decoder_dim: int = fields.size(SCORES)
    descriptor_decoder_dim: Dim = fields.size(256)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.keypoint_decoder_dim != SCORES:
            raise ConfigError(
                f"keypoint_decoder_dim is {self.keypoint_decoder_dim}: the library's class scores squares of 8x8 "
                f"pixels and none, {SCORES}"
            )
        if len(self.encoder_hidden_sizes) < 2:
            raise ConfigError("encoder_hidden_sizes has at least two numbers: of the first block and of the last")


def build(config: SuperPointConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the scores of each and the descriptors of each place."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, COLOURS, *workload.image_size))
    x = b.apply("slice", pixels, name="grey", dim=1, start=0, length=1)
    last = len(config.encoder_hidden_sizes) - 1
    with b.scope("encoder"):
        for place, width in enumerate(config.encoder_hidden_sizes):
            with b.scope(f"conv_blocks.{place}"):
                for part in "ab":
                    x = convolution(b, f"conv_{part}", x, width, 3, padding=1, bias=True)
                    x = b.apply("relu", x, name=f"relu_{part}")
                x = b.apply("max_pool", x, name="pool", kernel=2, stride=2) if place < last else x
    found = []
    for name, word, out in (
        ("keypoint_decoder", "score", config.keypoint_decoder_dim),
        ("descriptor_decoder", "descriptor", config.descriptor_decoder_dim),
    ):
        with b.scope(name):
            y = convolution(b, f"conv_{word}_a", x, config.decoder_hidden_size, 3, padding=1, bias=True)
            y = convolution(b, f"conv_{word}_b", b.apply("relu", y, name="relu"), out, bias=True)
            found.append(y)
    with b.scope("keypoint_decoder"):
        scores = b.apply("permute", found[0], name="scores_last", dims=(0, 2, 3, 1))
        scores = b.apply("softmax", scores, name="probabilities")
    return scores, found[1]


ARCHITECTURE = Architecture(
    "superpoint",
    SuperPointConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (480, 640)},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("keypoint_threshold", "max_keypoints", "nms_radius", "border_removal_distance")),
    model_types=("superpoint",),
    losses=SUM_ALONE,
    doc="SuperPoint: how likely each pixel is a point of interest, and what each place looks like.",
)
