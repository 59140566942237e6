"""GLPN: the depth of each place, from a pyramid of maps and a decoder that chooses between them.

Kim et al., 2022 (arXiv:2201.07436).
"""

from __future__ import annotations

from functools import partial

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import layer_norm
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
    exact_div,
    fields,
    frozen,
)
from graphacct_vision.parts.grids import by_place, overlapping
from graphacct_vision.parts.layers import batch_norm, convolution, resized
from graphacct_vision.parts.stages import repeated
from graphacct_vision.vits.reduced import IMAGE, Reduced, ReducedKeys, layer

CLASSES = ("GLPNModel", "GLPNForDepthEstimation")


@frozen(kw_only=True)
class GLPNConfig(ReducedKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    decoder_hidden_size: Dim = fields.size(64)
    head_in_index: int = attrs.field(default=-1)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        count = len(self.depths)
        if type(self.head_in_index) is not int or not -count <= self.head_in_index < count:
            raise ConfigError(f"head_in_index is {self.head_in_index!r}: an index of one of {count} stages")


def build(config: GLPNConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the last stage's map, or to the depth of each place."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return stages(config, workload, b, pixels)[-1]
    with b.scope("glpn"):
        found = stages(config, workload, b, pixels)
    with b.scope("decoder"):
        decoded = decoder(config, workload, b, found)
    x, width = decoded[config.head_in_index], config.decoder_hidden_size
    with b.scope("head"):
        x = b.apply("relu", convolution(b, "head.0", x, width, 3, padding=1, bias=True), name="head.1")
        x = b.apply("sigmoid", convolution(b, "head.2", x, 1, 3, padding=1, bias=True), name="relative")
        x = b.apply("scale", x, name="depth")
    return b.apply("reshape", x, name="predicted_depth", shape=(workload.batch, *x.spec.shape[2:]))


def decoder(config: GLPNConfig, workload: Workload, b: Builder, maps: list[Value]) -> list[Value]:
    """Returns the map of each stage of the decoder, each twice as large as the encoder's, from the last backwards."""
    width, found = config.decoder_hidden_size, list[Value]()
    for index, x in enumerate(reversed(maps)):
        with b.scope(f"stages.{index}"):
            if not equal(x.spec.shape[1], width):
                x = convolution(b, "convolution", x, width, bias=True)
            if found:
                with b.scope("fusion"):
                    x = fused(b, x, found[-1], workload.phase == "train")
            found.append(doubled(b, "upsample", x))
    found[-1] = doubled(b, "final_upsample", found[-1])
    return found


def doubled(b: Builder, name: str, x: Value) -> Value:
    """Returns a map twice as large along each side."""
    rows, columns = x.spec.shape[2:]
    return resized(b, name, x, (2 * rows, 2 * columns))


def fused(b: Builder, near: Value, far: Value, training: bool) -> Value:
    """Returns two maps added up, each place's weights made of both."""
    width = near.spec.shape[1]
    half = exact_div(width, 2, "decoder_hidden_size / 2")
    x = b.apply("concat", near, far, name="both", dim=1)
    for index, channels in enumerate((width, half), 1):
        with b.scope(f"convolutional_layer{index}"):
            x = batch_norm(b, "1", convolution(b, "0", x, channels, 3, padding=1, bias=True), training=training)
            x = b.apply("relu", x, name="2")
    x = convolution(b, "convolutional_layer3", x, 2, 3, padding=1, bias=True)
    x = b.apply("sigmoid", x, name="sigmoid")
    parts = []
    for place, part in enumerate((near, far)):
        weight = b.apply("slice", x, name=f"weights_{place}", dim=1, start=place, length=1)
        parts.append(b.apply("mul", part, weight, name=f"weighted_{place}"))
    return b.apply("add", *parts, name="fused")


def stages(config: GLPNConfig, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns each stage's map."""
    found = []
    with b.scope("encoder"):
        for index, (depth, width) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            with b.scope(f"patch_embeddings.{index}"):
                x, grid = overlapping(b, x, width, config.patch_sizes[index], config.strides[index])
            body, first = (
                partial(layer, kind_of(config, index), workload, grid, rate)
                for rate in (config.drop_path_rate, config.drop_path_rate if index else 0.0)  # the rate grows from 0
            )
            x = layer_norm(b, f"layer_norm.{index}", repeated(f"block.{index}", depth, first, body, b, x))
            with b.scope(f"map_{index}"):
                x = by_place(b, x, grid)
            found.append(x)
    return found


def kind_of(config: GLPNConfig, index: int) -> Reduced:
    """Returns what a stage's layers are."""
    return Reduced(
        heads=config.num_attention_heads[index],
        ratio=config.sr_ratios[index],
        hidden=config.hidden_sizes[index] * config.mlp_ratios[index],
        act=ACTIVATIONS[config.hidden_act],
        reduction="sr",
        inner="self",
        attention_dropout=config.attention_probs_dropout_prob,
        dropout=config.hidden_dropout_prob,
        stream_first=False,
    )


ARCHITECTURE = Architecture(
    "glpn",
    GLPNConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("max_depth", "image_size", "downsampling_rates")),
    model_types=("glpn",),
    losses=SUM_ALONE,
    doc="GLPN: the depth of each place, from a pyramid of maps and a decoder that chooses between them.",
)
