"""MLCD's tower: CLIP's, whose queries and keys are rotated by row and column, with a learned place for the class token.

An et al., 2024 (arXiv:2407.17331).
"""

from __future__ import annotations

from graphacct import (
    Architecture,
    Builder,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    floor_div,
    frozen,
    prod,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.layers import layer_norm
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, patches, tower

VISION = "MLCDVisionModel"


@frozen(kw_only=True)
class MLCDVisionConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1664)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(336)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def build(config: MLCDVisionConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the graph from images to their tokens and the class token, normalized."""
    side, width = workload.image_size, config.hidden_size
    assert side is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *side))
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, width, config.patch_size, bias=False)
        own = b.parameter("class_embedding", (width,))
        token = b.apply("expand", own, name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
    x = layer_norm(b, "pre_layrnorm", x)
    turned = turns(config, b, prod([floor_div(*pair) for pair in zip(side, config.patch_size, strict=True)]))
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="out_proj",
        norms=("layer_norm1", "layer_norm2"),
        attention_dropout=config.attention_dropout,
        stream_first=True,
        turns_learned=True,
    )
    with b.scope("encoder"):
        x = tower(kind, workload, b, x, turns=turned)
    return x, layer_norm(b, "post_layernorm", b.apply("select", x, name="first", dim=1))


def turns(config: MLCDVisionConfig, b: Builder, count: Dim) -> tuple[Value, Value]:
    """Returns cosines and sines of each token's angles: the class token's are learned, a patch's are its row's and its
    column's."""
    d_head = exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")
    half = exact_div(d_head, 2, "width of a head / 2")
    own = b.parameter("class_pos_emb", (1, half))
    own = b.apply("concat", own, own, name="class_angles", dim=-1)
    with b.scope("vision_rotary_embedding"):
        places = b.apply("constant", name="places", shape=(count, 2, 1), dtype="float32")
        rates = b.apply(
            "constant", name="inv_freq", shape=(exact_div(half, 2, "width of a head / 4"),), dtype="float32"
        )
        angles = b.apply("mul", places, rates, name="angles")
        angles = b.apply("reshape", angles, name="half", shape=(count, half))
        angles = b.apply("concat", angles, angles, name="whole", dim=-1)
        tables = {}
        for kind in ("cos", "sin"):
            table = b.apply(kind, angles, name=kind)
            if b.dtype != "float32":
                table = b.apply("cast", table, name=f"{kind}_narrowed", dtype=b.dtype)
            tables[kind] = table
    found = []
    for kind, table in tables.items():
        x = b.apply("concat", b.apply(kind, own, name=f"class_{kind}"), table, name=f"{kind}_of_all", dim=0)
        found.append(b.apply("cast", x, name=f"{kind}_wide", dtype="float32") if b.dtype != "float32" else x)
    return found[0], found[1]


ARCHITECTURE = Architecture(
    "mlcd_vision_model",
    MLCDVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("rope_parameters", "rope_scaling", "projection_dim", "num_key_value_groups")),
    model_types=("mlcd_vision_model", "mlcd"),
    losses=SUM_ALONE,
    doc="MLCD's tower: CLIP's, whose queries and keys are rotated by row and column.",
)
