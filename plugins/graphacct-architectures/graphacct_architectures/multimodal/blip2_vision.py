"""BLIP-2's tower on its own: a ViT with one projection for queries, keys and values.

Li et al., 2023 (arXiv:2301.12597).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.layers import layer_norm
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower_states

VISION = "Blip2VisionModel"


@frozen(kw_only=True)
class Blip2VisionConfig:
    """The tower's keys that the cost depends on; images have three channels."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1408)
    intermediate_size: Dim = fields.size(6144)
    num_hidden_layers: Dim = fields.size(39)
    num_attention_heads: Dim = fields.size(16)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def image_states(
    config: Blip2VisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says."""
    side = check_image(workload.image_size, config.image_size, key)
    pixels = b.input("pixel_values", (workload.batch, 3, *side))
    width = config.hidden_size
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, width, config.patch_size, bias=True)
        own = b.parameter("class_embedding", (1, 1, width))
        x = b.apply(
            "concat", b.apply("expand", own, name="cls", shape=(workload.batch, 1, width)), x, name="all", dim=1
        )
        count = patch_count(config.image_size, config.patch_size) + 1
        x = b.apply("add", x, b.parameter("position_embedding", (1, count, width)), name="with_positions")
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="projection",
        norms=("layer_norm1", "layer_norm2"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_dropout,
        softmax_upcast=False,
        joint="qkv",
    )
    with b.scope("encoder"):
        return tower_states(kind, workload, b, x, wanted)


def pair(b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the tokens, normalized, and the first of each image, normalized once more: the class always has both."""
    x = layer_norm(b, "post_layernorm", x)
    first = b.apply("select", x, name="first", dim=1)
    width = x.spec.shape[-1:]
    norm = b.parameter("post_layernorm.weight", width), b.parameter("post_layernorm.bias", width)
    return x, b.apply("layer_norm", first, *norm, name="post_layernorm_first")


def finish(config: Blip2VisionConfig, b: Builder, x: Value) -> Value:
    """Returns the tokens, normalized."""
    return pair(b, x)[0]


def build(config: Blip2VisionConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the graph from images to their tokens, and to the first of each."""
    return pair(b, image_states(config, workload, b)[config.num_hidden_layers])


ARCHITECTURE = Architecture(
    "blip_2_vision_model",
    Blip2VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"num_channels": (3,), "dropout": None, "projection_dim": None},
    model_types=("blip_2_vision_model",),
    losses=SUM_ALONE,
    doc="BLIP-2's tower alone: a ViT with one projection for queries, keys and values.",
)
