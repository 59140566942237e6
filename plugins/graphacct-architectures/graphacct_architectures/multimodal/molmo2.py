"""Molmo 2: two layers of a ViT beside each other, squares of patches read by attention, added to a text's tokens.

Clark et al., 2026 (arXiv:2601.10611). An image is the view of the whole picture; crops of it, which the class can take
besides, are not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    brief,
    ceil_div,
    differ,
    fields,
    floor_div,
    frozen,
    prod,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.decode import layer
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, linear, merge_heads, split_heads
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.tower import check_image

CLASSES = ("Molmo2ForConditionalGeneration", "Molmo2Model")
SIDE = 2
"""Patches on a side of the squares that become a token."""


@frozen(kw_only=True)
class HeadKeys:
    """The keys of attention that the tower and the adapter have."""

    hidden_size: Dim = fields.size(1152)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim = fields.size(16)
    head_dim: Dim = fields.size(72)
    attention_dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(True)


@frozen(kw_only=True)
class VisionConfig(HeadKeys):
    """The tower's keys that the cost depends on."""

    intermediate_size: Dim = fields.size(4304)
    num_hidden_layers: int = fields.size(25)
    hidden_act: str = activation("gelu_pytorch_tanh")
    image_size: tuple[Dim, Dim] = fields.sides(378)
    patch_size: Dim = fields.size(14)
    num_position_embeddings: Dim | None = fields.optional_size()
    num_channels: Dim = fields.size(3)


@frozen(kw_only=True)
class AdapterConfig(HeadKeys):
    """The adapter's keys that the cost depends on."""

    vision_feature_layer: tuple[int, ...] = layer_indices((24, 18))
    hidden_act: str = activation("silu")
    intermediate_size: Dim = fields.size(18944)
    text_hidden_size: Dim = fields.size(3584)
    mlp_bias: bool = fields.flag(False)


@frozen(kw_only=True)
class Molmo2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    text_config: SubModel = text_model("molmo2_text", always=True)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "molmo2")
    adapter_config: AdapterConfig | None = fields.nested(AdapterConfig, "molmo2")
    tie_word_embeddings: bool = fields.always(False)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return self.vision_config or VisionConfig()

    @property
    def adapter(self) -> AdapterConfig:
        """The adapter."""
        return self.adapter_config or AdapterConfig()


def compose(config: Molmo2Config, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and the adapter."""

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_tower"):
            x = seen(config.vision, config.adapter.vision_feature_layer, images, b)
        with b.scope(f"{root}multi_modal_projector"):
            return adapted(config, images, b, x)

    part = Part("images", rows, raises=True)
    return Composition(described(config.text_config), (part,), f"{root}language_model")


def seen(c: VisionConfig, layers: tuple[int, ...], workload: Workload, b: Builder) -> Value:
    """Returns the patches of images after some layers, beside one another; the builder is in the tower's scope."""
    side = check_image(workload.image_size, c.image_size, "vision_config.image_size")
    count, images = prod([floor_div(length, c.patch_size) for length in side]), workload.batch
    learned = count if c.num_position_embeddings is None else c.num_position_embeddings
    if differ(count, learned):
        raise ConfigError(f"vision_config.num_position_embeddings is {learned}, and an image has {count} patches")
    pixels = b.input("pixel_values", (images, count, c.num_channels * c.patch_size**2))
    x = linear(b, "patch_embedding", pixels, c.hidden_size)
    places = b.parameter("positional_embedding", (learned, c.hidden_size))
    x = b.apply("add", x, places, name="with_places")
    bias, act = c.attention_bias, ACTIVATIONS[c.hidden_act]
    kind = Layer(
        Attention(
            c.num_attention_heads,
            c.num_key_value_heads,
            c.head_dim,
            bias=bias,
            out_bias=bias,
            causal=False,
            unmasked=True,
            dropout=c.attention_dropout,
        ),
        Mlp(c.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True),
        Norm(LAYER_NORM, bias=True),
        attention_norm="layer_norm1",
        mlp_norm="layer_norm2",
    )
    phase = "train" if workload.phase == "train" else "forward"
    inner = Workload(batch=images, seq_len=count, attention=workload.attention, phase=phase)
    total = c.num_hidden_layers
    for index in layers:
        if not -total <= index < total:
            raise ConfigError(f"adapter_config.vision_feature_layer has {index}, and vision_config {total} layers")
    wanted = [index + 1 if index >= 0 else total + 1 + index for index in layers]
    found, start = {0: x}, 0
    for end in sorted({*wanted, total} - {0}):
        x = b.repeat("layers", end - start, layer(inner, (), kind), x, start=start)
        found[end], start = x, end
    read = [found[end] for end in wanted]
    joined: Value = b.apply("concat", *read, name="layers_joined", dim=-1)
    return joined


def adapted(config: Molmo2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the text's rows (tokens, width): what the mean of each square of patches reads of them, projected."""
    c, vision = config.adapter, config.vision
    images, count, width = x.spec.shape
    sides = [ceil_div(floor_div(length, vision.patch_size), SIDE) for length in vision.image_size]
    tokens = images * prod(sides)
    places = SIDE**2
    flat = b.apply("reshape", x, name="patches", shape=(images * count, width))
    ids = b.input("image_token_pooling", (tokens * places,), "int64")
    x = b.apply("index_select", flat, ids, name="squares_flat")
    x = b.apply("reshape", x, name="squares", shape=(tokens, places, width))
    valid = b.apply("full", name="valid", shape=(tokens, places, 1), dtype=b.dtype)
    x = b.apply("mul", x, valid, name="squares_valid")
    sizes = b.apply("full", name="patches_of_squares", shape=(tokens, 1, 1), dtype=b.dtype)
    mean = b.apply("div", b.apply("sum", x, name="squares_summed", dim=-2, keepdim=True), sizes, name="means")
    with b.scope("image_pooling_2d"):
        x = asked(c, workload, b, mean, x)
    x = b.apply("reshape", x, name="tokens", shape=(tokens, c.hidden_size))
    with b.scope("image_projector"):
        act = ACTIVATIONS[c.hidden_act]
        gate = activated(b, act, linear(b, "gate_proj", x, c.intermediate_size, bias=c.mlp_bias), "act_fn")
        x = b.apply("mul", gate, linear(b, "up_proj", x, c.intermediate_size, bias=c.mlp_bias), name="gated")
        return linear(b, "down_proj", x, c.text_hidden_size, bias=False)


def asked(c: AdapterConfig, workload: Workload, b: Builder, query: Value, seen: Value) -> Value:
    """Returns what queries (tokens, 1, width) read of (tokens, places, width), (tokens, 1, hidden_size)."""
    heads, shared, d_head = c.num_attention_heads, c.num_key_value_heads, c.head_dim
    parts = []
    for label, source, own in (("q", query, heads), ("k", seen, shared), ("v", seen, shared)):
        y = linear(b, f"{label}_proj", source, own * d_head, bias=c.attention_bias)
        y = split_heads(b, y, own, d_head, label)
        parts.append(y)
    q, k, v = parts
    drop = c.attention_dropout if workload.phase == "train" else 0.0
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": drop} if drop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", **options)
    else:
        k, v = (of_each_head(b, part, heads, label) for part, label in ((k, "k"), (v, "v")))
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        wide: dict[str, Any] = {"dtype": "float32"} if b.dtype != "float32" else {}
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax", **wide)
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if wide else weights
        weights = dropped(b, "dropout", weights, drop, workload)
        y = b.apply("matmul", weights, v, name="values")
    return linear(b, "o_proj", merge_heads(b, y), c.hidden_size, bias=c.attention_bias)


def of_each_head(b: Builder, x: Value, heads: Dim, label: str) -> Value:
    """Returns keys or values (batch, shared heads, places, d_head) of as many heads as queries have."""
    batch, shared, places, d_head = x.spec.shape
    if not differ(shared, heads):
        return x
    times = floor_div(heads, shared)
    x = b.apply("reshape", x, name=f"{label}_shared", shape=(batch, shared, 1, places, d_head))
    x = b.apply("expand", x, name=f"{label}_of_each", shape=(batch, shared, times, places, d_head))
    found: Value = b.apply("reshape", x, name=f"{label}_repeated", shape=(batch, heads, places, d_head))
    return found


OLDER = {"image_default_input_size": "image_size", "image_patch_size": "patch_size"}
OLDER |= {"image_num_pos": "num_position_embeddings"}


def prepare(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys of a file of the older form, whose tower is `vit_config`: its layers end with the last that is
    read."""
    found = dict(content)
    adapter = found.get("adapter_config")
    if isinstance(adapter, Mapping) and "vit_layers" in adapter:
        kept = {key: value for key, value in adapter.items() if key != "vit_layers"}
        found["adapter_config"] = adapter = {**kept, "vision_feature_layer": adapter["vit_layers"]}
    tower = found.pop("vit_config", None)
    if not isinstance(tower, Mapping):
        return found
    tower = {OLDER.get(key, key): value for key, value in tower.items() if key != "float32_attention"}
    layers = adapter.get("vision_feature_layer", (24, 18)) if isinstance(adapter, Mapping) else (24, 18)
    total = tower.get("num_hidden_layers", 25)
    if type(total) is not int or not isinstance(layers, (list, tuple)) or not all(type(i) is int for i in layers):
        raise ConfigError(f"vit_config.num_hidden_layers and vit_layers are numbers, not {brief((total, layers))}")
    layers = [index % total for index in layers]
    if isinstance(adapter, Mapping):
        found["adapter_config"] = {**adapter, "vision_feature_layer": layers}
    found["vision_config"] = {**tower, "num_hidden_layers": max(layers) + 1}
    return found


def images(config: Molmo2Config) -> int:
    """Returns how many images a sequence has unless the workload says so: none if the adapter's rows are of another
    width than the text's, as with the class's defaults."""
    return 0 if differ(config.adapter.text_hidden_size, described(config.text_config).width) else 1


ARCHITECTURE = composition(
    "molmo2",
    Molmo2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision.image_size,
    sizes={"images": images},
    prepare=prepare,
    no_cost=dict.fromkeys(
        (
            *("image_col_id", "image_end_token_id", "image_high_res_id", "image_low_res_id", "image_patch_id"),
            *("image_start_token_id", "low_res_image_start_token_id", "frame_start_token_id", "frame_end_token_id"),
            "use_frame_special_tokens",
        )
    ),
    doc="Molmo 2: a ViT, squares of patches read by attention, added to a text's tokens.",
)
