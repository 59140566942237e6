"""DINOv3: patches whose queries and keys are rotated by row and column, with registers and layer scale.

Siméoni et al., 2025 (arXiv:2508.10104).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import layer_norm, resident
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, patches, tower, tower_states

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
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
from graphacct_vision.parts.backbones import ALIASES, Backbone, as_map
from graphacct_vision.vits.dinov2 import normed

CLASSES = ("DINOv3ViTModel", "DINOv3ViTBackbone")


def _optional_number(value: float | None, field: attrs.Attribute[float | None]) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ConfigError(f"{field.name} is a number or null, not {value!r}")
    return value


@frozen(kw_only=True)
class DINOv3ViTConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    hidden_size: Dim = fields.size(384)
    intermediate_size: Dim = fields.size(1536)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(6)
    attention_dropout: float = fields.probability(0.0)
    query_bias: bool = fields.flag(True)
    key_bias: bool = fields.flag(False)
    value_bias: bool = fields.flag(True)
    proj_bias: bool = fields.flag(True)
    mlp_bias: bool = fields.flag(True)
    drop_path_rate: float = fields.probability(0.0)
    use_gated_mlp: bool = fields.flag(False)
    num_register_tokens: Dim = fields.size(0, minimum=0)
    pos_embed_shift: float | None = fields.checked_field(_optional_number, None, metadata=fields.OPTIONAL)
    pos_embed_jitter: float | None = fields.checked_field(_optional_number, None, metadata=fields.OPTIONAL)
    pos_embed_rescale: float | None = fields.checked_field(_optional_number, 2.0, metadata=fields.OPTIONAL)
    apply_layernorm: bool = fields.flag(True)
    reshape_hidden_states: bool = fields.flag(True)
    return_class_token: bool = fields.flag(False)


def build(config: DINOv3ViTConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the last layer's output and its class token, or to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    x = embedded(config, b, pixels)
    b.hold(x)
    rows, columns = (floor_div(side, step) for side, step in zip(workload.image_size, config.patch_size, strict=True))
    with b.scope("rope_embeddings"):
        turns = angles(config, workload, b, (rows, columns))
    if config.architectures == "DINOv3ViTModel":
        with b.scope("model"):
            x = tower(tower_of(config), workload, b, x, turns=turns)
        x = layer_norm(b, "norm", x)
        return x, b.apply("select", x, name="pooled", dim=1)
    places = config.handed_on(config.num_hidden_layers)
    with b.scope("model"):
        states = tower_states(tower_of(config), workload, b, x, places, turns=turns)
    return handed_on(config, b, states, (rows, columns))


def handed_on(
    config: DINOv3ViTConfig, b: Builder, states: Mapping[Dim, Value], grid: tuple[Dim, Dim]
) -> tuple[Value, ...]:
    """Returns maps or tokens of the stages that a backbone hands on: the last is normalized in any case."""
    places = config.handed_on(config.num_hidden_layers)
    found, normed_any = [], False
    for place in places:
        state = states[place]
        if place == config.num_hidden_layers or config.apply_layernorm:
            state = normed(b, state, f"norm_{place}" if normed_any else "norm", "norm")
            normed_any = True
        if config.return_class_token:
            found.append(b.apply("select", state, name=f"cls_{place}", dim=1))
        front = 1 + config.num_register_tokens
        found.append(as_map(b, state, front, grid, f"stage{place}", flat=not config.reshape_hidden_states))
    if config.num_hidden_layers not in places:
        normed(b, states[config.num_hidden_layers], "norm_last" if normed_any else "norm", "norm")
    return tuple(found)


def embedded(config: DINOv3ViTConfig, b: Builder, pixels: Value) -> Value:
    """Returns the class token, the registers and the patches."""
    batch, width = pixels.spec.shape[0], config.hidden_size
    with b.scope("embeddings"):
        x = patches(b, "patch_embeddings", pixels, width, config.patch_size, bias=True)
        resident(b, "mask_token", b.parameter("mask_token", (1, 1, width)))  # for patches that no workload masks
        front = [b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(batch, 1, width))]
        count = config.num_register_tokens
        registers = b.parameter("register_tokens", (1, count, width))
        front.append(b.apply("expand", registers, name="registers", shape=(batch, count, width)))
        return b.apply("concat", *front, x, name="with_tokens", dim=1)


def angles(config: DINOv3ViTConfig, workload: Workload, b: Builder, grid: tuple[Dim, Dim]) -> tuple[Value, Value]:
    """Returns the cosines and sines (patches, d_head) of each patch's row and column, moved at random in training."""
    sides = []
    for count, side in zip(grid, ("rows", "columns"), strict=True):
        places = b.apply("arange", name=side, batch=1, n=count)
        places = b.apply("cast", places, name=f"{side}_wide", dtype="float32")
        places = b.apply("scale", places, name=f"{side}_relative")
        shape = (count, 1, 1) if side == "rows" else (1, count, 1)
        places = b.apply("reshape", places, name=f"{side}_column", shape=shape)
        sides.append(b.apply("expand", places, name=f"{side}_of_patches", shape=(*grid, 1)))
    x = b.apply("concat", *sides, name="places", dim=-1)
    x = b.apply("reshape", x, name="places_flat", shape=(prod(grid), 2))
    x = b.apply("shift", b.apply("scale", x, name="doubled"), name="centred")
    if workload.phase == "train":
        x = moved(config, b, x)
    quarter = exact_div(
        exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / heads"), 4, "d_head / 4"
    )
    x = b.apply("reshape", b.apply("scale", x, name="in_circles"), name="coordinates", shape=(prod(grid), 2, 1))
    rates = b.apply("constant", name="inv_freq", shape=(1, 1, quarter), dtype="float32")
    x = b.apply("mul", x, rates, name="angles")
    x = b.apply("reshape", x, name="angles_flat", shape=(prod(grid), 2 * quarter))
    x = b.apply("repeat", x, name="angles_twice", times=(1, 2))
    cos, sin = b.apply("cos", x, name="cos"), b.apply("sin", x, name="sin")
    if b.dtype != "float32":
        cos, sin = (b.apply("cast", y, name=f"{y.name.rpartition('.')[2]}_cast", dtype=b.dtype) for y in (cos, sin))
    return cos, sin


def moved(config: DINOv3ViTConfig, b: Builder, x: Value) -> Value:
    """Returns the coordinates shifted, stretched by side and stretched at random."""
    if config.pos_embed_shift is not None:
        x = b.apply("add", x, b.apply("random", name="shift", shape=(1, 2)), name="shifted")
    for key, shape in (("jitter", (1, 2)), ("rescale", (1,))):
        if getattr(config, f"pos_embed_{key}") is not None:
            factor = b.apply("exp", b.apply("random", name=f"{key}_log", shape=shape), name=key)
            x = b.apply("mul", x, factor, name=f"{key}_applied")
    return x


def tower_of(config: DINOv3ViTConfig) -> Tower:
    """Returns the layers, under their names in the transformers library."""
    return Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            gated=config.use_gated_mlp,
            bias=config.mlp_bias,
        ),
        stack="layer",
        attention="attention",
        out="o_proj",
        norms=("norm1", "norm2"),
        bias=config.query_bias,
        key_bias=config.key_bias,
        value_bias=config.value_bias,
        out_bias=config.proj_bias,
        attention_dropout=config.attention_dropout,
        scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
        drop_path=config.drop_path_rate,
        softmax_upcast=False,
        rotary_after=1 + config.num_register_tokens,
    )


ARCHITECTURE = Architecture(
    "dinov3_vit",
    DINOv3ViTConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost={"layerscale_value": None},
    model_types=("dinov3_vit",),
    losses=SUM_ALONE,
    doc="DINOv3: patches rotated by row and column, registers, layer scale; for images of any size.",
)
