"""InternViT on its own, as its authors' code has it: a ViT with a scale of each part's output, and one projection for
queries, keys and values.

Chen et al., 2023 (arXiv:2312.14238). The library's class has the same tower under other names (`internvl_vision`).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, patch_count, patches, tower_states

VISION = "InternVisionModel"
NORMS = {"layer_norm": Norm(LAYER_NORM, bias=True), "rms_norm": Norm()}


@frozen(kw_only=True)
class InternVisionConfig:
    """The tower's keys that the cost depends on; images have three channels."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(3200)
    intermediate_size: Dim = fields.size(12800)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(25)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("gelu")
    qkv_bias: bool = fields.flag(False)
    qk_normalization: bool = fields.flag(True)
    norm_type: str = fields.choice("rms_norm", tuple(NORMS))
    dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    drop_path_rate: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def image_states(
    config: InternVisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, 3, *workload.image_size))
    width = config.hidden_size
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, width, config.patch_size, bias=True)
        own = b.parameter("class_embedding", (1, 1, width))
        token = b.apply("expand", own, name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        x = b.apply("add", x, positions(config, workload, b), name="with_positions")
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="attn",
        out="proj",
        norms=("norm1", "norm2"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_dropout,
        scales=("ls1", "ls2"),
        norm=NORMS[config.norm_type],
        qk_norm=Norm() if config.qk_normalization else None,
        softmax_upcast=False,
        out_dropout=config.dropout,
        joint="qkv",
        stream_first=True,
        drop_path=config.drop_path_rate,
        drop_path_grows=True,
    )
    with b.scope("encoder"):
        return tower_states(kind, workload, b, x, wanted)


def positions(config: InternVisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the learned positions, those of patches interpolated in float32 to the image's size, whatever it is."""
    width, count = config.hidden_size, patch_count(config.image_size, config.patch_size)
    assert workload.image_size is not None
    table = b.parameter("position_embedding", (1, count + 1, width))
    first = b.apply("slice", table, name="position_of_cls", dim=1, start=0, length=1)
    rest = b.apply("slice", table, name="positions", dim=1, start=1, length=count)
    if b.dtype != "float32":
        rest = b.apply("cast", rest, name="positions_wide", dtype="float32")
    high, wide = (floor_div(side, step) for side, step in zip(config.image_size, config.patch_size, strict=True))
    rest = b.apply("reshape", rest, name="position_plane", shape=(1, high, wide, width))
    rest = b.apply("permute", rest, name="position_width_first", dims=(0, 3, 1, 2))
    high, wide = (floor_div(side, step) for side, step in zip(workload.image_size, config.patch_size, strict=True))
    rest = b.apply("upsample_bicubic", rest, name="positions_resized", size=(high, wide))
    rest = b.apply("reshape", rest, name="position_rows", shape=(1, width, high * wide))
    rest = b.apply("permute", rest, name="position_width_last", dims=(0, 2, 1))
    if b.dtype != "float32":
        rest = b.apply("cast", rest, name="positions_narrowed", dtype=b.dtype)
    both: Value = b.apply("concat", first, rest, name="all_positions", dim=1)
    return both


def finish(config: InternVisionConfig, b: Builder, x: Value) -> Value:
    """Returns the tokens as they are: there is no last norm."""
    return x


def build(config: InternVisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images to their tokens."""
    return image_states(config, workload, b)[config.num_hidden_layers]


ARCHITECTURE = Architecture(
    "intern_vit_6b",
    InternVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    aliases={"torch_dtype": "dtype"},
    no_cost={"num_channels": (3,), "use_flash_attn": None, "initializer_factor": None},
    model_types=("intern_vit_6b",),
    losses=SUM_ALONE,
    doc="InternViT alone, as its authors' code has it.",
)
