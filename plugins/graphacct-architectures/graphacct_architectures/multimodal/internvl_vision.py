"""InternVL's tower on its own: a ViT with a scale of each part's output.

Chen et al., 2023 (arXiv:2312.14238).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.layers import dropped, layer_norm, resident
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower_states

VISION = "InternVLVisionModel"
NORMS = {"layer_norm": Norm(LAYER_NORM, bias=True), "rms_norm": Norm()}


@frozen(kw_only=True)
class InternVLVisionConfig:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(448)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("gelu")
    attention_bias: bool = fields.flag(False)
    use_qk_norm: bool = fields.flag(False)
    norm_type: str = fields.choice("layer_norm", tuple(NORMS))
    use_mask_token: bool = fields.flag(False)
    use_absolute_position_embeddings: bool = fields.flag(True)
    use_mean_pooling: bool = fields.flag(True)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    projection_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()
    module: ClassVar[str] = "encoder"
    stack: ClassVar[str] = "layer"

    @property
    def dropped_layers(self) -> float:
        """The probability with which the last layer's branches are dropped whole, in training."""
        return 0.0


def image_states(
    config: InternVLVisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says."""
    side = check_image(workload.image_size, config.image_size, key)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *side))
    width = config.hidden_size
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, config.patch_size, bias=True)
        if config.use_mask_token:  # replaces masked patches, which a workload does not give
            resident(b, "mask_token", b.parameter("mask_token", (1, 1, width)))
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        if config.use_absolute_position_embeddings:
            count = patch_count(config.image_size, config.patch_size) + 1
            x = b.apply("add", x, b.parameter("position_embeddings", (1, count, width)), name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack=config.stack,
        attention="attention",
        out="projection_layer",
        norms=("layernorm_before", "layernorm_after"),
        bias=config.attention_bias,
        attention_dropout=config.attention_dropout,
        dropout=config.hidden_dropout_prob,
        scales=("lambda_1", "lambda_2"),
        norm=NORMS[config.norm_type],
        qk_norm=Norm() if config.use_qk_norm else None,
        softmax_upcast=False,
        out_dropout=config.projection_dropout,
        drop_path=config.dropped_layers,
        drop_path_grows=True,
    )
    with b.scope(config.module):
        return tower_states(kind, workload, b, x, wanted)


def finish(config: InternVLVisionConfig, b: Builder, x: Value) -> Value:
    """Returns the tokens, normalized unless they are to be averaged."""
    return x if config.use_mean_pooling else layer_norm(b, "layernorm", x)


def build(config: InternVLVisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images to their tokens."""
    return finish(config, b, image_states(config, workload, b)[config.num_hidden_layers])


ARCHITECTURE = Architecture(
    "internvl_vision",
    InternVLVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"drop_path_rate": (0,), "layer_scale_init_value": None},
    model_types=("internvl_vision",),
    losses=SUM_ALONE,
    doc="InternVL's tower alone: a ViT with a scale of each part's output.",
)
