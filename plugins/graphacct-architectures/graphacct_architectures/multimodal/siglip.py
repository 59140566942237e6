"""SigLIP: a tower for images, whose tokens are pooled by attention, and one for texts, compared in pairs by a sigmoid.

Zhai et al., 2023 (arXiv:2303.15343).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.layers import layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, classes, cross_entropy
from graphacct_architectures.multimodal.clip import first_total, positioned, read, unit
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower_states

BOTH, CLASSIFIER = "SiglipModel", "SiglipForImageClassification"
SIGMOID = "sigmoid"
"""The name of the loss of pairs."""


@frozen(kw_only=True)
class LayerKeys:
    """The keys of a tower's layers that the cost depends on."""

    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class TextConfig(LayerKeys):
    """The text tower's keys that the cost depends on."""

    vocab_size: Dim = fields.size(32000)
    max_position_embeddings: Dim = fields.size(64)
    projection_size: Dim | None = fields.optional_size()


@frozen(kw_only=True)
class VisionConfig(LayerKeys):
    """The image tower's keys that the cost depends on."""

    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    vision_use_head: bool = fields.flag(True)


@frozen(kw_only=True)
class SiglipConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH, CLASSIFIER))
    text_config: TextConfig | None = fields.nested(TextConfig, "siglip")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "siglip")
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The text tower."""
        return self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The image tower."""
        return self.vision_config or VisionConfig()

    @property
    def compares(self) -> bool:
        """Whether the class compares images with texts; the other one has logits of images alone."""
        return not self.architectures.endswith("ForImageClassification")


def build(config: SiglipConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings; or from images to logits."""
    check_loss(config, workload)
    with b.scope("vision_model"):
        tokens, image = images(config.vision, workload, b, "vision_config.image_size")
    if config.compares:
        return compared(config, workload, b, image)
    return scored(config, b, b.apply("mean", tokens, name="mean", dim=1))


def check_loss(config: SiglipConfig, workload: Workload) -> None:
    """Raises ConfigError for a loss that the class does not have."""
    check_entropy(not config.compares and classes(config.num_labels), workload, config.architectures)
    if not config.compares and workload.loss == SIGMOID:
        raise ConfigError(f"{config.architectures} compares no pairs: its loss is {CROSS_ENTROPY} or {SUM}")


def scored(config: SiglipConfig, b: Builder, mean: Value) -> tuple[Value]:
    """Returns logits from the mean of an image's tokens, or without labels the mean."""
    return (mean if equal(config.num_labels, 0) else linear(b, "classifier", mean, config.num_labels),)


def compared(config: SiglipConfig, workload: Workload, b: Builder, image: Value | None) -> tuple[Value, ...]:
    """Returns the similarities of each pair of an image and a text, by image and by text, and the two embeddings,
    normalized. `image` is what the head made of images."""
    if image is None:
        raise ConfigError("vision_config.vision_use_head is false: without its head no image is compared with a text")
    with b.scope("text_model"):
        _, text = texts(config.text, workload, b)
    image, text = unit(b, image, "image"), unit(b, text, "text")
    by_text = b.apply("matmul", text, b.apply("transpose", image, name="images", dims=(0, 1)), name="similarity")
    factor = b.apply("exp", b.parameter("logit_scale", (1,)), name="factor")
    by_text = b.apply("mul", by_text, factor, name="scaled")
    by_text = b.apply("add", by_text, b.parameter("logit_bias", (1,)), name="logits_per_text")
    by_image = b.apply("transpose", by_text, name="logits_per_image", dims=(0, 1))
    return by_image, by_text, text, image


def images(config: VisionConfig, workload: Workload, b: Builder, key: str = "image_size") -> tuple[Value, Value | None]:
    """Returns the tokens of each image, normalized, and what its head makes of them. `key` is the images' size."""
    x = image_states(config, workload, b, key)[config.num_hidden_layers]
    x = layer_norm(b, "post_layernorm", x)
    return x, pooled(config, b, x) if config.vision_use_head else None


def image_states(
    config: VisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says."""
    side = check_image(workload.image_size, config.image_size, key)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *side))
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, config.hidden_size, config.patch_size, bias=True)
        count = patch_count(config.image_size, config.patch_size)
        x = positioned(b, x, count, count)
    with b.scope("encoder"):
        return tower_states(described(config), workload, b, x, wanted)


def finish(config: Any, b: Builder, x: Value) -> Value:
    """Adds the last norm and the pooling of the head, which the class runs after the layers; returns the last hidden
    state."""
    x = layer_norm(b, "post_layernorm", x)
    if config.vision_use_head:
        pooled(config, b, x)
    return x


def pooled(config: VisionConfig, b: Builder, x: Value) -> Value:
    """Returns what a learned query reads of each image's tokens (batch, tokens, width): (batch, width)."""
    batch, _, width = x.spec.shape
    heads = config.num_attention_heads
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    with b.scope("head"):
        probe = b.apply("repeat", b.parameter("probe", (1, 1, width)), name="probes", times=(batch, 1, 1))
        with b.scope("attention"):
            weights, biases = (
                b.parameter("in_proj_weight", (3 * width, width)),
                b.parameter("in_proj_bias", (3 * width,)),
            )
            sizes = (width, 2 * width)
            own, others = b.apply("split", weights, name="in_proj_weights", sizes=sizes, dim=0)
            own_bias, other_biases = b.apply("split", biases, name="in_proj_biases", sizes=sizes, dim=0)
            q = b.apply("linear", probe, own, own_bias, name="q_proj")
            both = b.apply("linear", x, others, other_biases, name="kv_proj")
            k, v = b.apply("split", both, name="k_and_v", parts=2)
            q, k, v = (split_heads(b, part, heads, d_head, label) for part, label in ((q, "q"), (k, "k"), (v, "v")))
            q = b.apply("scale", q, name="q_scaled")
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            scores = b.apply("softmax", scores, name="softmax")
            y = merge_heads(b, b.apply("matmul", scores, v, name="values"))
            # torch's module reads the tensors of out_proj, which itself never runs
            rest = b.parameter("out_proj.weight", (width, width)), b.parameter("out_proj.bias", (width,))
            y = b.apply("linear", y, *rest, name="out")
        normed = layer_norm(b, "layernorm", y)
        with b.scope("mlp"):
            normed = mlp(feed_forward(config), b, normed)
        y = b.apply("add", y, normed, name="residual")
        return b.apply("select", y, name="pooled", dim=1)


def texts(config: TextConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the tokens of each text after all layers, normalized, and the last token's projection."""
    _, x = read(config, described(config), workload, b)
    x = layer_norm(b, "final_layer_norm", x)
    last = b.apply("select", x, name="last", dim=1, index=x.spec.shape[1] - 1)
    width = config.hidden_size if config.projection_size is None else config.projection_size
    return x, linear(b, "head", last, width)


def feed_forward(config: Any) -> Mlp:
    """Returns the feed-forward network of a layer."""
    width, operators = config.intermediate_size, ACTIVATIONS[config.hidden_act]
    return Mlp(width, operators, gated=False, up="fc1", down="fc2", bias=True)


def described(config: Any) -> Tower:
    """Returns the layers of a tower; no text is causal."""
    return Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        feed_forward(config),
        stack="layers",
        attention="self_attn",
        out="out_proj",
        norms=("layer_norm1", "layer_norm2"),
        attention_dropout=config.attention_dropout,
        stream_first=True,
    )


def pairs(config: SiglipConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the loss of all pairs: of each text the sum over the images of the negated logarithms of sigmoids, whose
    argument is negated for all images but its own; then the mean."""
    by_text = outputs[1]
    count = by_text.spec.shape[0]
    own = b.apply("eye", name="loss_own", n=count, m=count)
    signs = b.apply("shift", b.apply("scale", own, name="loss_doubled"), name="loss_signs")
    signed = b.apply("mul", signs, by_text, name="loss_signed")
    chances = b.apply("log_sigmoid", signed, name="loss_chances")
    each = b.apply("neg", b.apply("sum", chances, name="loss_sum", dim=-1), name="loss_each")
    return b.apply("mean", each, name="loss", dim=0)


def usual_loss(config: SiglipConfig) -> str:
    """Returns the loss unless a workload says another one."""
    return SIGMOID if config.compares else CROSS_ENTROPY if classes(config.num_labels) else SUM


ARCHITECTURE = Architecture(
    "siglip",
    SiglipConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    losses={SIGMOID: pairs, CROSS_ENTROPY: cross_entropy, SUM: first_total},
    default_loss=usual_loss,
    model_types=("siglip",),
    doc="SigLIP: a ViT pooled by attention, a Transformer for as many texts, and a sigmoid of how alike each pair is.",
)
