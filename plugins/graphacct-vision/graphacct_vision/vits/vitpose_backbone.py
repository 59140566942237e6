"""ViTPose's backbone: ViT over patches of a padded image (Xu et al., 2022, arXiv:2204.12484)."""

from __future__ import annotations

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import dropped
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, check_image, patch_count, tower_states
from graphacct_architectures.vit_layers import older

from graphacct import (
    Architecture,
    Builder,
    DeclinedError,
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
from graphacct_vision.parts.layers import convolution
from graphacct_vision.vits.dinov2 import normed

CLASSES = ("VitPoseBackbone",)
PADDING = 2


@frozen(kw_only=True)
class VitPoseBackboneConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides((256, 192))
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    mlp_ratio: Dim = fields.size(4)
    num_experts: Dim = fields.size(1)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(True)

    def __attrs_post_init__(self) -> None:
        if not equal(self.num_experts, 1):
            raise DeclinedError(f"num_experts is {self.num_experts}: ViTPose++'s experts of data sets are not modelled")


def build(config: VitPoseBackboneConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the tokens of stages, each normalized by the one norm."""
    image = check_image(workload.image_size, config.image_size)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    width = config.hidden_size
    with b.scope("embeddings"):
        x = convolution(
            *(b, "patch_embeddings.projection", pixels, width, config.patch_size),
            stride=config.patch_size,
            padding=PADDING,
            bias=True,
        )
        batch, _, *places = x.spec.shape
        x = b.apply("reshape", x, name="flat", shape=(batch, width, prod(places)))
        x = b.apply("transpose", x, name="tokens", dims=(1, 2))
        count = patch_count(config.image_size, config.patch_size)
        table = b.parameter("position_embeddings", (1, count + 1, width))
        for start, length, word in ((1, count, "patches"), (0, 1, "cls")):
            own = b.apply("slice", table, name=f"positions_of_{word}", dim=1, start=start, length=length)
            x = b.apply("add", x, own, name=f"with_{word}")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    b.hold(x)
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.mlp_ratio * width, ACTIVATIONS[config.hidden_act], gated=False, bias=True),
        stack="layer",
        attention="attention",
        out="",
        norms=("layernorm_before", "layernorm_after"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_probs_dropout_prob,
        out_dropout=config.hidden_dropout_prob,
        softmax_upcast=False,
    )
    kind = older(kind, "attention")
    kind = attrs.evolve(kind, mlp=attrs.evolve(kind.mlp, module="mlp", up="fc1", down="fc2"))
    places_on = config.handed_on(config.num_hidden_layers)
    with b.scope("encoder"):
        states = tower_states(kind, workload, b, x, places_on)
    return tuple(
        normed(b, states[place], f"layernorm_{place}" if index else "layernorm")
        for index, place in enumerate(places_on)
    )


ARCHITECTURE = Architecture(
    "vitpose_backbone",
    VitPoseBackboneConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost={"part_features": None},
    model_types=("vitpose_backbone",),
    losses=SUM_ALONE,
    doc="ViTPose's backbone: ViT over patches of a padded image.",
)
