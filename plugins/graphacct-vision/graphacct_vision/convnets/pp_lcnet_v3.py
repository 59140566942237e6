"""PP-LCNet V3: PP-LCNet whose convolutions are sums of several, as PP-OCR has it.

Cui et al., 2025 (arXiv:2507.05595).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated

from graphacct import Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.convnets import lcnet
from graphacct_vision.parts.layers import batch_norm

CLASSES = ("PPLCNetV3Backbone",)
BLOCKS: tuple[tuple[lcnet.Block, ...], ...] = (
    ((3, 16, 32, 1, False),),
    ((3, 32, 64, 2, False), (3, 64, 64, 1, False)),
    ((3, 64, 128, 2, False), (3, 128, 128, 1, False)),
    ((3, 128, 256, 2, False), *((5, 256, 256, 1, False),) * 4),
    ((5, 256, 512, 2, True), (5, 512, 512, 1, True), *((5, 512, 512, 1, False),) * 2),
)


@frozen(kw_only=True)
class PPLCNetV3Config(lcnet.ScaledKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    conv_symmetric_num: int = fields.size(4)

    @property
    def default_blocks(self) -> tuple[tuple[lcnet.Block, ...], ...]:
        """The stages of a file that names none."""
        return BLOCKS


def stages(config: PPLCNetV3Config, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns the stem's map and each stage's."""
    return lcnet.encoded(config, workload, b, x, partial(lcnet.scaled_stem, act=""), block, "layers")


def block(config: PPLCNetV3Config, training: bool, b: Builder, x: Value, one: lcnet.Block) -> Value:
    """Returns a map after a convolution of places, weights of channels and a convolution of channels."""
    kernel, taken, out, stride, weighted = one
    width = config.scaled(taken)
    with b.scope("depthwise_convolution"):
        x = summed(config, training, b, x, width, kernel, stride=stride, groups=width)
    x = lcnet.weighted(b, "squeeze_excitation_module", x, config.reduction) if weighted else x
    with b.scope("pointwise_convolution"):
        return summed(config, training, b, x, config.scaled(out), 1)


def summed(
    config: PPLCNetV3Config,
    training: bool,
    b: Builder,
    x: Value,
    width: int,
    kernel: int,
    *,
    stride: Any = 1,
    groups: int = 1,
) -> Value:
    """Returns the sum of convolutions beside each other, and of x itself where it has the shape, scaled and shifted."""
    options: dict[str, Any] = {"training": training, "act": "", "stride": stride, "groups": groups}
    parts = []
    if x.spec.shape[1] == width and stride == 1:
        parts.append(batch_norm(b, "identity", x, training=training))
    if kernel > 1:
        parts.append(lcnet.padded_conv(b, "conv_small_symmetric", x, width, 1, **options))
    for place in range(config.conv_symmetric_num):
        parts.append(lcnet.padded_conv(b, f"conv_symmetric.{place}", x, width, kernel, **options))
    y = parts[0]
    for place, part in enumerate(parts[1:]):
        y = b.apply("add", y, part, name=f"sum_{place}")
    y = shifted(b, "lab", y)
    if stride == 2:  # the module is there, and does not run
        for word in ("scale", "bias"):
            b.apply("resident", b.parameter(f"act.lab.{word}", (1,)), name=f"act.lab.{word}_unread")
        return y
    with b.scope("act"):
        return shifted(b, "lab", activated(b, ACTIVATIONS[config.hidden_act], y, "act"))


def shifted(b: Builder, name: str, x: Value) -> Value:
    """Returns x times one learned number, plus another."""
    with b.scope(name):
        x = b.apply("mul", b.parameter("scale", (1,)), x, name="scaled")
        return b.apply("add", x, b.parameter("bias", (1,)), name="shifted")


ARCHITECTURE = lcnet.family(
    "pp_lcnet_v3",
    PPLCNetV3Config,
    PresetFiles(__file__),
    "PP-LCNet V3: PP-LCNet whose convolutions are sums of several; maps of stages.",
    stages,
)
