"""Llama 4's tower: patches with learned places and a class token behind them, rows and columns that rotate queries and
keys, squares of tokens as one, and a network on these.

Meta, "The Llama 4 herd", 2025.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    differ,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.layers import dropped, layer_norm, linear, resident, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.parts.projector import Shuffled
from graphacct_architectures.tower import check_image

VISION = "Llama4VisionModel"


def _share(default: float) -> Any:
    """Returns the side of a token in the squares that become one: one divided by a whole number."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1
        if not fits or round(1 / value) != 1 / value:
            raise ConfigError(f"{field.name} is 1 divided by a whole number, such as 0.5, not {brief(value)}")
        return float(value)

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class Llama4VisionConfig:
    """The tower's keys that the cost depends on. The class has GELU whatever `hidden_act` says."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(768)
    hidden_act: str = activation("gelu")
    num_hidden_layers: Dim = fields.size(34)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    intermediate_size: Dim = fields.size(5632)
    vision_output_dim: Dim = fields.size(7680)
    image_size: tuple[Dim, Dim] = fields.sides(448)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    pixel_shuffle_ratio: float = _share(0.5)
    projector_input_dim: Dim = fields.size(4096)
    projector_output_dim: Dim = fields.size(4096)
    projector_dropout: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def seen(config: Llama4VisionConfig, workload: Workload, b: Builder, key: str = "image_size") -> Value:
    """Returns the tokens of each image, (images, tokens, projector_output_dim); the builder is in the tower's scope."""
    side = check_image(workload.image_size, config.image_size, key)
    images, width = workload.batch, config.hidden_size
    rows, columns = (floor_div(size, step) for size, step in zip(side, config.patch_size, strict=True))
    count = rows * columns
    pixels = b.input("pixel_values", (images, config.num_channels, *side))
    high, wide = config.patch_size
    with b.scope("patch_embedding"):
        shape = (images, config.num_channels, rows, high, columns, wide)
        x = b.apply("reshape", pixels, name="grid", shape=shape)
        x = b.apply("permute", x, name="patches_first", dims=(0, 2, 4, 1, 3, 5))
        x = b.apply("reshape", x, name="patches", shape=(images, count, config.num_channels * high * wide))
        x = linear(b, "linear", x, width, bias=False)
    token = b.apply("expand", b.parameter("class_embedding", (width,)), name="class_token", shape=(images, 1, width))
    x = b.apply("concat", x, token, name="with_class", dim=1)
    x = b.apply("add", x, b.parameter("positional_embedding_vlm", (count + 1, width)), name="with_places")
    x = layer_norm(b, "layernorm_pre", x)
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    half = exact_div(d_head, 2, "width of a head / 2")
    turns = [
        b.apply("constant", name=f"turn_{word}", shape=(count + 1, half), dtype="float32") for word in ("cos", "sin")
    ]
    b.hold(*turns)
    with b.scope("model"):
        x = b.repeat("layers", config.num_hidden_layers, layer(config, d_head, workload), x, constants=tuple(turns))
    x = layer_norm(b, "layernorm_post", x)
    x = b.apply("slice", x, name="without_class", dim=1, start=0, length=count)
    with b.scope("vision_adapter"):
        return adapted(config, workload, b, x)


def adapted(config: Llama4VisionConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns squares of tokens as one, through a network of two layers. Of sizes on which the class does not run the
    parameters are there."""
    x = Shuffled(round(1 / config.pixel_shuffle_ratio))(b, x)
    images, tokens, width = x.spec.shape
    with b.scope("mlp"):
        if differ(width, config.intermediate_size):
            weight = b.parameter("fc1.weight", (config.projector_input_dim, config.intermediate_size))
            resident(b, "fc1", weight)
            x = b.apply("full", name="missing", shape=(images, tokens, config.projector_input_dim), dtype=b.dtype)
        else:
            x = linear(b, "fc1", x, config.projector_input_dim, bias=False)
        x = dropped(b, "dropout", b.apply("gelu", x, name="act"), config.projector_dropout, workload)
        if differ(config.projector_input_dim, config.projector_output_dim):
            shape = (images, tokens, config.projector_output_dim)
            resident(b, "fc2", b.parameter("fc2.weight", (config.projector_output_dim,) * 2))
            x = b.apply("full", name="missing_too", shape=shape, dtype=b.dtype)
        else:
            x = linear(b, "fc2", x, config.projector_output_dim, bias=False)
        found: Value = b.apply("gelu", x, name="act_last")
    return found


def check_sizes(config: Llama4VisionConfig) -> None:
    """Raises ConfigError for sizes on which the class does not run, such as its defaults."""
    square = config.hidden_size * round(1 / config.pixel_shuffle_ratio) ** 2
    if differ(square, config.intermediate_size):
        raise ConfigError(
            f"intermediate_size is {config.intermediate_size}, and the adapter reads squares of tokens that are "
            f"{square} wide, hidden_size / pixel_shuffle_ratio squared: the class does not run"
        )
    if differ(config.projector_input_dim, config.projector_output_dim):
        raise ConfigError(
            f"projector_input_dim is {config.projector_input_dim} and projector_output_dim "
            f"{config.projector_output_dim}: they have to agree, or the class does not run"
        )


def layer(config: Llama4VisionConfig, d_head: Dim, workload: Workload) -> Callable[..., Value]:
    """Returns the body of one layer."""
    heads, width = config.num_attention_heads, config.hidden_size
    a = Attention(heads, heads, d_head, causal=False, unmasked=True, upcast="", dropout=config.attention_dropout)

    def turned(b: Builder, x: Value, turns: tuple[Value, ...], label: str) -> Value:
        y: Value = b.apply("rotary_embedding", x, *turns, name=f"{label}_rope")
        return y if y.spec.dtype == b.dtype else b.apply("cast", y, name=f"{label}_narrowed", dtype=b.dtype)

    def body(b: Builder, x: Value, *turns: Value) -> Value:
        b.hold(x)
        y = layer_norm(b, "input_layernorm", x)
        with b.scope("self_attn"):
            b.hold(y)
            q, k, v = (split_heads(b, linear(b, f"{label}_proj", y, width), heads, d_head, label) for label in "qkv")
            q, k = (turned(b, part, turns, label) for part, label in ((q, "q"), (k, "k")))
            y, weights = attended(a, workload, b, q, k, v, {})
            y = linear(b, "o_proj", y, width)
        b.hold(*weights)
        x = b.apply("add", x, y, name="attn_residual")
        y = layer_norm(b, "post_attention_layernorm", x)
        with b.scope("mlp"):
            y = b.apply("gelu", linear(b, "fc1", y, config.intermediate_size), name="act")
            y = linear(b, "fc2", y, width)
        found: Value = b.apply("add", x, y, name="mlp_residual")
        return found

    return body


def build(config: Llama4VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images to their tokens."""
    if config != Llama4VisionConfig():  # the class's defaults do not run either; of them the parameters are there
        check_sizes(config)
    return seen(config, workload, b)


ARCHITECTURE = Architecture(
    "llama4_vision_model",
    Llama4VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(
        (
            "rope_parameters",
            "vision_feature_select_strategy",
            "vision_feature_layer",
            "norm_eps",
            "multi_modal_projector_bias",
        )
    ),
    model_types=("llama4_vision_model",),
    losses=SUM_ALONE,
    doc="Llama 4's tower alone: patches, a class token behind them, squares of tokens as one.",
)
