"""PP-LCNet: a small convolutional net for CPUs (Cui et al., 2021, arXiv:2109.15099)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.convnets import lcnet
from graphacct_vision.parts.layers import convolution, flat_logits

CLASSES = ("PPLCNetBackbone", "PPLCNetForImageClassification")
BLOCKS: tuple[tuple[lcnet.Block, ...], ...] = (
    ((3, 16, 32, 1, False),),
    ((3, 32, 64, 2, False), (3, 64, 64, 1, False)),
    ((3, 64, 128, 2, False), (3, 128, 128, 1, False)),
    ((3, 128, 256, 2, False), *((5, 256, 256, 1, False),) * 5),
    ((5, 256, 512, 2, True), (5, 512, 512, 1, True)),
)


@frozen(kw_only=True)
class PPLCNetConfig(lcnet.ScaledKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    class_expand: Dim = fields.size(1280)
    hidden_dropout_prob: float = fields.probability(0.2)

    @property
    def default_blocks(self) -> tuple[tuple[lcnet.Block, ...], ...]:
        """The stages of a file that names none."""
        return BLOCKS


def build(config: PPLCNetConfig, workload: Workload, b: Builder) -> Any:
    """Returns the graph from pixels to maps of stages, or to logits."""
    if config.architectures == CLASSES[0]:
        return lcnet.backbone_build(config, workload, b, stages)
    assert workload.image_size is not None  # the architecture declares its default
    x = stages(
        config, workload, b, b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    )[-1]
    x = b.apply("mean", x, name="avg_pool", dim=(2, 3), keepdim=True)
    x = convolution(b, "last_convolution", x, config.class_expand)
    x = activated(b, ACTIVATIONS[config.hidden_act], x, "act_fn")
    return flat_logits(b, "head", b.apply("scale", x, name="scaled"), config.num_labels)


def stages(config: PPLCNetConfig, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns the stem's map and each stage's."""
    stem = partial(lcnet.scaled_stem, act=ACTIVATIONS[config.hidden_act])
    return lcnet.encoded(config, workload, b, x, stem, block, "layers")


def block(config: PPLCNetConfig, training: bool, b: Builder, x: Value, one: lcnet.Block) -> Value:
    """Returns a map after a convolution of places, weights of channels and a convolution of channels."""
    kernel, taken, out, stride, weighted = one
    width, act = config.scaled(taken), ACTIVATIONS[config.hidden_act]
    conv = partial(lcnet.padded_conv, b, training=training, act=act)
    x = conv("depthwise_convolution", x, width, kernel, stride=stride, groups=width)
    x = lcnet.weighted(b, "squeeze_excitation_module", x, config.reduction) if weighted else x
    return conv("pointwise_convolution", x, config.scaled(out), 1)


ARCHITECTURE = lcnet.family(
    "pp_lcnet",
    PPLCNetConfig,
    PresetFiles(__file__),
    "PP-LCNet: a small convolutional net for CPUs; maps of stages, or classes.",
    stages,
    build=build,
)
