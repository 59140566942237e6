"""The tower of Idefics3 and SmolVLM on its own: SigLIP's, for images of any size, whose patches each choose the learned
position that is nearest.

Laurençon et al., 2024 (arXiv:2408.12637).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.layers import embedding, layer_norm
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.siglip import described
from graphacct_architectures.tower import patch_count, patches, tower_states

VISION = "Idefics3VisionTransformer"


@frozen(kw_only=True)
class Idefics3VisionConfig:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(32)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def image_states(
    config: Idefics3VisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, config.hidden_size, config.patch_size, bias=True)
        ids = b.apply("constant", name="position_ids", shape=x.spec.shape[:2], dtype="int64")
        count = patch_count(config.image_size, config.patch_size)
        x = b.apply("add", x, embedding(b, "position_embedding", ids, count, config.hidden_size), name="embed")
    with b.scope("encoder"):
        return tower_states(described(config), workload, b, x, wanted)


def finish(config: Idefics3VisionConfig, b: Builder, x: Value) -> Value:
    """Returns the tokens, normalized."""
    return layer_norm(b, "post_layernorm", x)


def build(config: Idefics3VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images to their tokens."""
    return finish(config, b, image_states(config, workload, b)[config.num_hidden_layers])


ARCHITECTURE = Architecture(
    "idefics3_vision",
    Idefics3VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={
        "size": None,
        "max_image_size": None,
        "use_base_siglip": None,
        "model_name": None,
        "vision_use_head": None,
    },
    model_types=("idefics3_vision",),
    losses=SUM_ALONE,
    doc="The tower of Idefics3 and SmolVLM alone: SigLIP's, for images of any size.",
)
