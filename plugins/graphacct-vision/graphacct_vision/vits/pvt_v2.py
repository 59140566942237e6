"""PVT V2: overlapping patches, and attention over keys and values of a smaller map (Wang et al., 2021,
arXiv:2106.13797)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import (
    Architecture,
    Builder,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    frozen,
    prod,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.grids import by_place, overlapping
from graphacct_vision.parts.lists import check_blocks
from graphacct_vision.parts.stages import repeated
from graphacct_vision.vits.reduced import LISTS, Reduced, layer

CLASSES = ("PvtV2Model", "PvtV2ForImageClassification", "PvtV2Backbone")


@frozen(kw_only=True)
class PvtV2Config(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    num_encoder_blocks: Dim = fields.size(4)
    depths: tuple[Dim, ...] = fields.counts((2, 2, 2, 2))
    sr_ratios: tuple[Dim, ...] = fields.counts((8, 4, 2, 1))
    hidden_sizes: tuple[Dim, ...] = fields.counts((32, 64, 160, 256))
    patch_sizes: tuple[int, ...] = fields.counts((7, 3, 3, 3))
    strides: tuple[Dim, ...] = fields.counts((4, 2, 2, 2))
    num_attention_heads: tuple[Dim, ...] = fields.counts((1, 2, 5, 8))
    mlp_ratios: tuple[Dim, ...] = fields.counts((8, 8, 4, 4))
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    drop_path_rate: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(True)
    linear_attention: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        check_blocks(self, LISTS)


def build(config: PvtV2Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the last stage's map, to logits, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("ForImageClassification"):
        with b.scope("pvt_v2"):
            x = stages(config, workload, b, pixels)[-1]
        x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
        x = b.apply("reshape", x, name="places", shape=(workload.batch, prod(x.spec.shape[1:3]), x.spec.shape[-1]))
        x = b.apply("mean", x, name="mean", dim=1)
        return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)
    found = stages(config, workload, b, pixels)
    if config.architectures.endswith("Model"):
        return found[-1]
    return tuple(found[place] for place in config.handed_on(len(config.depths), stem=False))


def stages(config: PvtV2Config, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns each stage's map."""
    found = []
    with b.scope("encoder.layers"):
        for index, (depth, width) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            with b.scope(str(index)):
                size, step = config.patch_sizes[index], config.strides[index]
                with b.scope("patch_embedding"):
                    x, grid = overlapping(b, x, width, size, step)
                body, first = (
                    partial(layer, kind_of(config, index), workload, grid, rate)
                    for rate in (config.drop_path_rate, config.drop_path_rate if index else 0.0)  # it grows from 0
                )
                x = layer_norm(b, "layer_norm", repeated("blocks", depth, first, body, b, x))
                x = by_place(b, x, grid)
            found.append(x)
    return found


def kind_of(config: PvtV2Config, index: int) -> Reduced:
    """Returns what a stage's layers are."""
    return Reduced(
        heads=config.num_attention_heads[index],
        ratio=config.sr_ratios[index],
        hidden=config.hidden_sizes[index] * config.mlp_ratios[index],
        act=ACTIVATIONS[config.hidden_act],
        reduction="spatial_reduction",
        out="proj",
        bias=config.qkv_bias,
        linear=config.linear_attention,
        attention_dropout=config.attention_probs_dropout_prob,
        dropout=config.hidden_dropout_prob,
    )


ARCHITECTURE = Architecture(
    "pvt_v2",
    PvtV2Config,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    model_types=("pvt_v2",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="PVT V2: overlapping patches, attention over keys and values of a smaller map.",
)
