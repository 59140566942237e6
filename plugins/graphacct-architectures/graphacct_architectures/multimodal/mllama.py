"""Llama 3.2 Vision: a ViT in two parts over the tiles of an image, whose tokens some of the decoder's layers ask.

Dubey et al., 2024 (arXiv:2407.21783), section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    brief,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.mllama_text import MASK, ROWS, STATES, describe
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.family import whole
from graphacct_architectures.layers import embedding, layer_norm, linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower, tower_states

CLASSES = ("MllamaForConditionalGeneration", "MllamaModel")
RATIOS = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1))
EIGHT = 8
"""The tokens of a tile are padded to a multiple of so many."""


def _layers() -> Any:
    """Returns the key of the layers whose outputs are read besides the last."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = (3, 7, 15, 23, 30) if value is None else value
        if not isinstance(items, (list, tuple)) or not items or not all(type(item) is int for item in items):
            raise ConfigError(f"{field.name} is a list of layers, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, (3, 7, 15, 23, 30))


def _ratios() -> Any:
    """Returns the key of the shapes in tiles that an image may have: how many there are."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, int], ...]:
        items = RATIOS if value is None else value
        pairs = (
            [tuple(item) for item in items if isinstance(item, (list, tuple))]
            if isinstance(items, (list, tuple))
            else []
        )
        if not pairs or len(pairs) != len(items) or not all(map(_is_ratio, pairs)):
            raise ConfigError(f"{field.name} is a list of pairs of tiles, not {brief(value)}")
        return tuple((high, wide) for high, wide in pairs)

    return fields.checked_field(check, RATIOS)


def _is_ratio(pair: tuple[Any, ...]) -> bool:
    return len(pair) == 2 and all(has_value(side) and side > 0 for side in pair)


@frozen(kw_only=True)
class VisionConfig:
    """The tower's keys that the cost depends on."""

    hidden_size: Dim = fields.size(1280)
    hidden_act: str = activation("gelu")
    num_hidden_layers: Dim = fields.size(32)
    num_global_layers: Dim = fields.size(8)
    attention_heads: Dim = fields.size(16)
    num_attention_heads: Dim | None = fields.optional_size()
    num_channels: Dim = fields.size(3)
    intermediate_size: Dim = fields.size(5120)
    vision_output_dim: Dim = fields.size(7680)
    image_size: tuple[Dim, Dim] = fields.sides(448)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    max_num_tiles: Dim = fields.size(4)
    intermediate_layers_indices: tuple[int, ...] = _layers()
    supported_aspect_ratios: tuple[tuple[int, int], ...] = _ratios()

    @property
    def heads(self) -> Dim:
        """Heads of attention, under the newer name if the file has it."""
        return self.attention_heads if self.num_attention_heads is None else self.num_attention_heads

    @property
    def tokens(self) -> Dim:
        """Tokens of a tile."""
        return patch_count(self.image_size, self.patch_size) + 1


@frozen(kw_only=True)
class MllamaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "mllama")
    text_config: SubModel = text_model("mllama_text_model", always=True)
    dtype: str | None = fields.dtype()


def compose(config: MllamaConfig, root: str) -> Composition:
    """Returns the decoder, whose layers ask the images' tokens."""
    vision = config.vision_config or VisionConfig()
    text = describe(config.text_config.config, vision.tokens)

    def rows(workload: Workload, b: Builder) -> Mapping[str, Value]:
        assert workload.images is not None
        tiles = vision.max_num_tiles
        if workload.tiles != tiles:
            raise ConfigError(
                f"tiles is {workload.tiles}: images are padded to vision_config.max_num_tiles, {tiles}, whatever their "
                "shape"
            )
        with b.scope(f"{root}vision_model"):
            x = seen(vision, workload, b)
        x = linear(b, f"{root}multi_modal_projector", x, text.width)
        count = workload.images * tiles * vision.tokens
        shape = (workload.batch, count, text.width)
        found = {STATES: b.apply("reshape", x, name="image_states", shape=shape)}
        masked = (workload.batch, 1, workload.seq_len, count)
        found[MASK] = b.apply("constant", name="image_mask", shape=masked, dtype=b.dtype)
        shown = (workload.batch, workload.seq_len, 1)
        found[ROWS] = b.apply("constant", name="image_rows", shape=shown, dtype=b.dtype)
        return found

    return Composition(text, (Part("images", rows),), f"{root}language_model")


def seen(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of all tiles, (images, tiles, tokens, all outputs beside one another); the builder is in the
    tower's scope."""
    side = check_image(workload.image_size, c.image_size, "vision_config.image_size")
    assert workload.images is not None
    images, tiles, width = workload.batch * workload.images, c.max_num_tiles, c.hidden_size
    squares = images * tiles
    pixels = b.input("pixel_values", (squares, c.num_channels, *side))
    ids = b.input("aspect_ratio_ids", (images, 1), "int64")
    x = patches(b, "patch_embedding", pixels, width, c.patch_size, bias=False)
    count = x.spec.shape[1]
    x = b.apply("reshape", x, name="by_image", shape=(images, tiles, count, width))
    x = of_ratio(c, b, "pre_tile_positional_embedding", x, ids)
    x = b.apply("reshape", x, name="by_tile", shape=(squares, count, width))
    token = b.apply("expand", b.parameter("class_embedding", (width,)), name="cls", shape=(squares, 1, width))
    x = b.apply("concat", token, x, name="with_cls", dim=1)
    tokens = count + 1
    x = b.apply("reshape", x, name="with_cls_by_image", shape=(images, tiles, tokens, width))
    x = positioned(c, b, x, ids)
    x = layer_norm(b, "layernorm_pre", x)
    padding = -tokens % EIGHT
    full = tokens + padding
    if type(padding) is not int or padding:
        x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (0, padding), (0, 0)))
    length = tiles * full
    shown = b.apply("constant", name="shown", shape=(images, length, 1), dtype=b.dtype)
    across = b.apply("transpose", shown, name="shown_across", dims=(1, 2))
    mask = b.apply("scale", b.apply("matmul", shown, across, name="pairs"), name="mask_values")
    mask = b.apply("reshape", mask, name="mask", shape=(images, 1, length, length))
    x = b.apply("reshape", x, name="one_sequence", shape=(images, length, width))
    own = attrs.evolve(workload, batch=images)
    layers = whole(c.num_hidden_layers, "vision_config.num_hidden_layers")
    wanted = [within(index, layers) + 1 for index in c.intermediate_layers_indices]
    with b.scope("transformer"):
        states = tower_states(described(c, layers), own, b, x, wanted, mask)
    x = layer_norm(b, "layernorm_post", states[layers])
    x = b.apply("reshape", x, name="tiles_apart", shape=(images, tiles, full, width))
    x = of_ratio(c, b, "post_tile_positional_embedding", x, ids)
    x = b.apply("reshape", x, name="one_sequence_again", shape=(images, length, width))
    with b.scope("global_transformer"):
        x = tower(described(c, c.num_global_layers, ("gate_attn", "gate_ffn")), own, b, x, mask)
    x = b.apply("reshape", x, name="by_tile_again", shape=(images, tiles, full, width))
    others = [
        b.apply("reshape", states[index], name=f"state_{n}", shape=(images, length, width, 1))
        for n, index in enumerate(wanted)
    ]
    y = b.apply("concat", *others, name="states", dim=-1)
    y = b.apply("reshape", y, name="states_by_tile", shape=(images, tiles, full, width * len(wanted)))
    if full != tokens:
        x, y = (
            b.apply("slice", part, name=f"{label}_unpadded", dim=2, start=0, length=tokens)
            for part, label in ((x, "tokens"), (y, "states"))
        )
    x = b.apply("concat", x, y, name="all_states", dim=-1)
    if x.spec.shape[-1] != c.vision_output_dim:
        raise ConfigError(
            f"vision_config.vision_output_dim is {c.vision_output_dim}, and hidden_size with those of "
            f"{len(wanted)} intermediate_layers_indices are {x.spec.shape[-1]}: they have to agree"
        )
    return x


def within(index: int, layers: int) -> int:
    """Returns a layer's index from the front. Raises ConfigError for one that is not there."""
    if not -layers <= index < layers:
        raise ConfigError(f"vision_config.intermediate_layers_indices has {index}, of {layers} layers")
    return index % layers


def of_ratio(c: VisionConfig, b: Builder, name: str, x: Value, ids: Value) -> Value:
    """Returns x (images, tiles, tokens, width) with a row for each tile added, of the image's shape, which a gate
    scales."""
    images, tiles, _, width = x.spec.shape
    with b.scope(name):
        rows = embedding(b, "embedding", ids, len(c.supported_aspect_ratios) + 1, tiles * width)
        rows = b.apply("reshape", rows, name="rows", shape=(images, tiles, 1, width))
        gate = b.apply("tanh", b.parameter("gate", (1,)), name="gate_tanh")
        return b.apply("add", x, b.apply("mul", rows, gate, name="gated"), name="added")


def positioned(c: VisionConfig, b: Builder, x: Value, ids: Value) -> Value:
    """Returns x (images, tiles, tokens, width) with positions within a tile added, and with those of an image of this
    shape."""
    images, tiles, tokens, width = x.spec.shape
    with b.scope("gated_positional_embedding"):
        gate = b.parameter("gate", (1,))
        rest = b.apply("rsub", b.apply("tanh", gate, name="gate_tanh"), name="gate_rest")
        own = b.apply("mul", rest, b.parameter("embedding", (tokens, width)), name="own")
        x = b.apply("add", x, b.apply("reshape", own, name="own_rows", shape=(1, 1, tokens, width)), name="own_added")
        rows = embedding(b, "tile_embedding", ids, len(c.supported_aspect_ratios) + 1, tiles * tokens * width)
        rows = b.apply("reshape", rows, name="rows", shape=(images, tiles, tokens, width))
        other = b.apply("tanh", gate, name="gate_tanh_again")
        return b.apply("add", x, b.apply("mul", other, rows, name="gated"), name="added")


def described(c: VisionConfig, layers: Dim, gates: tuple[str, str] = ("", "")) -> Tower:
    """Returns one of the tower's two stacks."""
    return Tower(
        layers,
        c.heads,
        Mlp(c.intermediate_size, ACTIVATIONS[c.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="o_proj",
        norms=("input_layernorm", "post_attention_layernorm"),
        bias=False,
        out_bias=False,
        stream_first=True,
        gates=gates,
    )


def tower_of(config: MllamaConfig) -> VisionConfig:
    """Returns the tower's keys."""
    return config.vision_config or VisionConfig()


ARCHITECTURE = composition(
    "mllama",
    MllamaConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    inner_classes=dict.fromkeys(("MllamaForCausalLM", "MllamaTextModel"), "text_config"),
    image_size=lambda config: tower_of(config).image_size,
    sizes={"tiles": lambda config: tower_of(config).max_num_tiles},
    no_cost={"tie_word_embeddings": None},
    doc="Llama 3.2 Vision: a ViT in two parts over tiles, a decoder some of whose layers ask its tokens.",
)
