"""DINOv2: ViT with layer scale, positions that are interpolated to any image, and SwiGLU in its giant.

Oquab et al., 2023 (arXiv:2304.07193); registers: Darcet et al., 2023 (arXiv:2309.16588).
"""

from __future__ import annotations

from math import isqrt
from typing import ClassVar

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import dropped, layer_norm, linear, resident
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import Tower, patch_count, patches, tower, tower_states

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    Parameter,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
    prod,
    same,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone, as_map

CLASSES = ("Dinov2Model", "Dinov2ForImageClassification", "Dinov2Backbone")


@frozen(kw_only=True)
class Dinov2Config(Backbone):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "dinov2"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    mlp_ratio: Dim = fields.size(4)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    qkv_bias: bool = fields.flag(True)
    head_dim: Dim | None = fields.optional_size()
    drop_path_rate: float = fields.probability(0.0)
    use_swiglu_ffn: bool = fields.flag(False)
    apply_layernorm: bool = fields.flag(True)
    reshape_hidden_states: bool = fields.flag(True)
    use_mask_token: bool = fields.flag(True)

    @property
    def registers(self) -> Dim | None:
        """How many tokens between the class token and the patches are there to be written to; None if the family has
        none."""
        return None

    @property
    def front(self) -> Dim:
        """How many tokens stand before the patches."""
        return 1 if self.registers is None else 1 + self.registers


def build(config: Dinov2Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last layer's output and its class token, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("Backbone"):
        return maps(config, workload, b, pixels)
    if config.architectures.endswith("Model"):
        x = encoded(config, workload, b, pixels)
        return x, b.apply("select", x, name="pooled", dim=1)
    with b.scope(config.SCOPE):
        x = encoded(config, workload, b, pixels)
    front = config.front
    first = b.apply("select", x, name="first", dim=1)
    rest = b.apply("slice", x, name="patches", dim=1, start=front, length=x.spec.shape[1] - front)
    x = b.apply("concat", first, b.apply("mean", rest, name="mean", dim=1), name="both", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def maps(config: Dinov2Config, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, ...]:
    """Returns the stages that a backbone hands on, as maps or as tokens."""
    places = config.handed_on(config.num_hidden_layers)
    grid = grid_of(config, pixels)
    x = embedded(config, workload, b, pixels)
    b.hold(x)
    with b.scope("encoder"):
        states = tower_states(tower_of(config), workload, b, x, places)
    found: list[Value] = []
    for place in places:
        state = states[place]
        name = "layernorm" if len(found) == 0 else f"layernorm_{place}"
        state = normed(b, state, name) if config.apply_layernorm else state
        if config.reshape_hidden_states:
            state = as_map(b, state, config.front, grid, f"stage{place}")
        found.append(state)
    if not config.apply_layernorm:
        unread_norm(b, config.hidden_size)
    return tuple(found)


def unread_norm(b: Builder, width: Dim) -> None:
    """Adds the final norm of a backbone that runs none."""
    resident(b, "layernorm", *(b.parameter(f"layernorm.{part}", (width,)) for part in ("weight", "bias")))


def normed(b: Builder, x: Value, name: str, module: str = "layernorm") -> Value:
    """Returns x after the final norm, which each stage passes; `name` is the node's."""
    width = x.spec.shape[-1:]
    weights = (b.parameter(f"{module}.weight", width), b.parameter(f"{module}.bias", width))
    return b.apply("layer_norm", x, *weights, name=name)


def grid_of(config: Dinov2Config, pixels: Value) -> tuple[Dim, Dim]:
    """Returns how many rows and columns of whole patches an image has."""
    rows, columns = (floor_div(side, step) for side, step in zip(pixels.spec.shape[2:], config.patch_size, strict=True))
    return rows, columns


def encoded(config: Dinov2Config, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens of the bare model, normalized."""
    x = embedded(config, workload, b, pixels)
    b.hold(x)
    with b.scope("encoder"):
        x = tower(tower_of(config), workload, b, x)
    return layer_norm(b, "layernorm", x)


def embedded(config: Dinov2Config, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the class token and the patches with their positions, and the registers between them."""
    width = config.hidden_size
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, config.patch_size, bias=True)
        if config.use_mask_token:  # replaces masked patches, which a workload does not give
            resident(b, "mask_token", b.parameter("mask_token", (1, width)))
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        x = b.apply("add", x, positions(config, b, pixels), name="with_positions")
        if config.registers is not None:
            x = with_registers(config.registers, b, x)
        return dropped(b, "dropout", x, config.hidden_dropout_prob, workload)


def with_registers(count: Dim, b: Builder, x: Value) -> Value:
    """Returns x with `count` registers after its first token."""
    batch, tokens, width = x.spec.shape
    learned = b.parameter("register_tokens", (1, count, width))
    registers = b.apply("expand", learned, name="registers", shape=(batch, count, width))
    first = b.apply("slice", x, name="first", dim=1, start=0, length=1)
    rest = b.apply("slice", x, name="rest", dim=1, start=1, length=tokens - 1)
    return b.apply("concat", first, registers, rest, name="with_registers", dim=1)


def positions(config: Dinov2Config, b: Builder, pixels: Value) -> Value | Parameter:
    """Returns the learned positions (1, tokens, width), interpolated in float32 for an image of another size."""
    width = config.hidden_size
    learned = patch_count(config.image_size, config.patch_size)
    table = b.parameter("position_embeddings", (1, learned + 1, width))
    height, across = pixels.spec.shape[2:]
    grid = grid_of(config, pixels)
    if same(prod(grid), learned) and same(height, across):
        return table
    return interpolated(b, table, config.image_size, grid)


def interpolated(
    b: Builder,
    table: Parameter,
    image: tuple[Dim, Dim],
    grid: tuple[Dim, Dim],
    between: str = "upsample_bicubic",
    front: int = 1,
) -> Value:
    """Returns the learned positions of the class token, or of all `front` tokens before the patches, and of a square of
    patches, those resized to the grid by the operator `between`."""
    _, tokens, width = table.spec.shape
    learned = tokens - front
    if type(learned) is not int or isqrt(learned) ** 2 != learned:
        raise ConfigError(f"image_size {image[0]}x{image[1]} has no square of patches to resize")
    first = b.apply("slice", table, name="position_of_cls", dim=1, start=0, length=front)
    rest = b.apply("slice", table, name="positions_of_patches", dim=1, start=front, length=learned)
    side = isqrt(learned)
    rest = b.apply("reshape", rest, name="positions_by_place", shape=(1, side, side, width))
    rest = b.apply("permute", rest, name="positions_channels_first", dims=(0, 3, 1, 2))
    if b.dtype != "float32":
        rest = b.apply("cast", rest, name="positions_wide", dtype="float32")
    rest = b.apply(between, rest, name="positions_resized", size=grid)
    if b.dtype != "float32":
        rest = b.apply("cast", rest, name="positions_narrowed", dtype=b.dtype)
    rest = b.apply("permute", rest, name="positions_channels_last", dims=(0, 2, 3, 1))
    rest = b.apply("reshape", rest, name="positions_flat", shape=(1, prod(grid), width))
    return b.apply("concat", first, rest, name="positions", dim=1)


def tower_of(config: Dinov2Config) -> Tower:
    """Returns the layers, under their names in the transformers library."""
    wide = config.hidden_size * config.mlp_ratio
    if config.use_swiglu_ffn:  # two thirds, rounded up to a multiple of 8
        network = Mlp(floor_div(floor_div(2 * wide, 3) + 7, 8) * 8, "silu", bias=True)
    else:
        network = Mlp(wide, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True)
    return Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        network,
        stack="layer",
        attention="attention",
        out="o_proj",
        norms=("norm1", "norm2"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_probs_dropout_prob,
        d_head=config.head_dim,
        scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
        drop_path=config.drop_path_rate,
        softmax_upcast=False,
    )


def family(name: str, config: type[Dinov2Config], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: config.image_size},
        attention=("fused", "eager"),
        dtype="float32",
        aliases=ALIASES,
        no_cost={"layerscale_value": None},
        model_types=(name,),
        losses=LOSSES,
        default_loss=lambda config: entropy_if(config.labelled),
        doc=doc,
    )


ARCHITECTURE = family(
    "dinov2", Dinov2Config, PresetFiles(__file__), "DINOv2: ViT with layer scale, for images of any size."
)
