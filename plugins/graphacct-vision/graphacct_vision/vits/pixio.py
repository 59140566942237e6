"""Pixio: a ViT with several class tokens, whose positions are interpolated to any image (Yang et al., 2025,
arXiv:2512.15715)."""

from __future__ import annotations

from graphacct_architectures.layers import dropped, layer_norm
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import patch_count, patches, tower_states
from graphacct_architectures.vit_layers import vit_layers

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen, prod, same
from graphacct_vision.parts.backbones import ALIASES, Backbone, as_map
from graphacct_vision.parts.windows import ratio, times
from graphacct_vision.vits.dinov2 import interpolated, normed, unread_norm

CLASSES = ("PixioModel", "PixioBackbone")


@frozen(kw_only=True)
class PixioConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(1280)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(16)
    mlp_ratio: float = ratio(4)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(256)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    qkv_bias: bool = fields.flag(True)
    drop_path_rate: float = fields.probability(0.0)
    apply_layernorm: bool = fields.flag(True)
    reshape_hidden_states: bool = fields.flag(True)
    n_cls_tokens: int = fields.size(8)
    head_dim: Dim | None = fields.optional_size()


def build(config: PixioConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to all tokens and the mean of the class tokens, or to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels, ())[1:]
    places = config.handed_on(config.num_hidden_layers)
    with b.scope("pixio"):
        states, *_ = encoded(config, workload, b, pixels, places)
    grid = grid_of(config, pixels)
    found: list[Value] = []
    for place in places:
        state = states[place]
        if config.apply_layernorm:
            state = normed(b, state, f"layernorm_{place}" if found else "layernorm")
        if config.reshape_hidden_states:
            state = as_map(b, state, config.n_cls_tokens, grid, f"stage{place}")
        found.append(state)
    if not config.apply_layernorm:
        unread_norm(b, config.hidden_size)
    return tuple(found)


def grid_of(config: PixioConfig, pixels: Value) -> tuple[Dim, Dim]:
    """Returns how many rows and columns of whole patches an image has."""
    rows, columns = (floor_div(side, step) for side, step in zip(pixels.spec.shape[2:], config.patch_size, strict=True))
    return rows, columns


def encoded(
    config: PixioConfig, workload: Workload, b: Builder, pixels: Value, wanted: tuple[int, ...]
) -> tuple[dict[Dim, Value], Value, Value]:
    """Returns the tokens after the `wanted` numbers of layers, all tokens at the end, normalized, and the mean of the
    class tokens."""
    front, width = config.n_cls_tokens, config.hidden_size
    with b.scope("embeddings"):
        x = patches(b, "patch_embeddings.projection", pixels, width, config.patch_size, bias=True)
        token = b.parameter("cls_token", (1, front, width))
        token = b.apply("expand", token, name="cls", shape=(workload.batch, front, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        learned = patch_count(config.image_size, config.patch_size)
        table = b.parameter("position_embeddings", (1, learned + front, width))
        grid, sides = grid_of(config, pixels), pixels.spec.shape[2:]
        known = same(prod(grid), learned) and same(*sides)
        where = table if known else interpolated(b, table, config.image_size, grid, front=front)
        x = b.apply("add", x, where, name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    b.hold(x)
    hidden = times(width, config.mlp_ratio)
    kind = vit_layers(config, hidden=hidden, drop_path=config.drop_path_rate, softmax_upcast=False)
    states = tower_states(kind, workload, b, x, wanted)
    x = layer_norm(b, "layernorm", states[config.num_hidden_layers])
    first = b.apply("slice", x, name="class_tokens", dim=1, start=0, length=front)
    return states, x, b.apply("mean", first, name="pooled", dim=1)


ARCHITECTURE = Architecture(
    "pixio",
    PixioConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    model_types=("pixio",),
    losses=SUM_ALONE,
    doc="Pixio: a ViT with several class tokens, whose positions are interpolated to any image.",
)
