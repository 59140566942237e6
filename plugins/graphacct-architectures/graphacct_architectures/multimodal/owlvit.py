"""OWL-ViT: CLIP's towers, and a box and a score for each patch and text (Minderer et al., 2022, arXiv:2205.06230)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM, total
from graphacct_architectures.multimodal.clip import SIZES, TextConfig, VisionConfig, first_total, images, texts

BOTH, DETECTION = "Model", "ForObjectDetection"
BOX = 4


@frozen(kw_only=True)
class OwlTextConfig(TextConfig):
    """The text tower's keys that the cost depends on."""

    max_position_embeddings: Dim = fields.size(16)


@frozen(kw_only=True)
class OwlVisionConfig(VisionConfig):
    """The image tower's keys that the cost depends on."""

    image_size: tuple[Dim, Dim] = fields.sides(768)


@frozen(kw_only=True)
class OwlViTConfig:
    """The keys of the published config.json that the cost depends on. Each image has one text to look for."""

    SCOPE: ClassVar[str] = "owlvit"
    OBJECTNESS: ClassVar[bool] = False
    """Whether a head scores patches without a text."""

    architectures: str = fields.model_class(f"OwlViT{BOTH}", (f"OwlViT{BOTH}", f"OwlViT{DETECTION}"))
    text_config: OwlTextConfig | None = fields.nested(OwlTextConfig, "OWL-ViT")
    vision_config: OwlVisionConfig | None = fields.nested(OwlVisionConfig, "OWL-ViT")
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The text tower."""
        return self.text_config or OwlTextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The image tower."""
        return self.vision_config or OwlVisionConfig()


def build(config: OwlViTConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings; or to a score of each patch for its image's text, and a box of each patch."""
    if config.architectures.endswith(BOTH):
        _, text, image, similarity = compared(config, workload, b)
        return b.apply("transpose", similarity, name="logits_per_image", dims=(0, 1)), similarity, text, image
    with b.scope(config.SCOPE):
        tokens, text, _, _ = compared(config, workload, b)
        with b.scope("vision_model"), b.turn(1):
            tokens = layer_norm(b, "post_layernorm", tokens)
    x = patches_of(config, b, tokens)
    if config.OBJECTNESS:
        scores = perceptron(config, b, "objectness_head", b.apply("detach", x, name="patches_alone"), 1)
        b.apply("select", scores, name="objectness", dim=-1, index=0)
    logits = scored(config, b, x, text)
    boxes = perceptron(config, b, "box_head", x, BOX)
    places = b.apply("constant", name="box_bias", shape=(boxes.spec.shape[1], BOX), dtype="float32")
    boxes = b.apply("sigmoid", b.apply("add", boxes, places, name="boxes_placed"), name="pred_boxes")
    return logits, boxes


def compared(config: OwlViTConfig, workload: Workload, b: Builder) -> tuple[Value, Value, Value, Value]:
    """Returns the tokens of each image, the embeddings of texts and of images, each of length 1, and how alike each
    pair is, by text."""
    with b.scope("vision_model"):
        tokens, image = images(config.vision, workload, b, "vision_config.image_size", "pre_layernorm")
    with b.scope("text_model"):
        _, text = texts(config.text, workload, b)
    text = linear(b, "text_projection", text, config.projection_dim, bias=False)
    image = linear(b, "visual_projection", image, config.projection_dim, bias=False)
    image, text = of_length_one(b, image, "image"), of_length_one(b, text, "text")
    alike = b.apply("matmul", text, b.apply("transpose", image, name="images", dims=(0, 1)), name="similarity")
    factor = b.apply("exp", b.parameter("logit_scale", ()), name="factor")
    return tokens, text, image, b.apply("mul", alike, factor, name="logits_per_text")


def of_length_one(b: Builder, x: Value, label: str, *, shifted: bool = False) -> Value:
    """Returns each row divided by its length, to which a small number may be added."""
    length = b.apply("vector_norm", x, name=f"{label}_length", dim=-1, keepdim=True)
    length = b.apply("shift", length, name=f"{label}_above_zero") if shifted else length
    return b.apply("div", x, length, name=f"{label}_normalised")


def patches_of(config: OwlViTConfig, b: Builder, tokens: Value) -> Value:
    """Returns the patches of each image, multiplied by its class token and normalized."""
    batch, count, width = tokens.spec.shape
    first = b.apply("slice", tokens, name="class_token", dim=1, start=0, length=1)
    first = b.apply("expand", first, name="class_of_patches", shape=(batch, count - 1, width))
    rest = b.apply("slice", tokens, name="patch_tokens", dim=1, start=1, length=count - 1)
    return layer_norm(b, "layer_norm", b.apply("mul", rest, first, name="patches_of_class"))


def scored(config: OwlViTConfig, b: Builder, x: Value, text: Value) -> Value:
    """Returns a score of each patch for its image's text, (batch, patches, 1), in float32."""
    batch = x.spec.shape[0]
    width = config.text.hidden_size
    if not equal(width, config.projection_dim):
        raise ConfigError(
            f"text_config.hidden_size is {width}, but projection_dim {config.projection_dim}: {config.architectures} "
            "compares patches of the one with texts of the other"
        )
    query = b.apply("reshape", text, name="queries", shape=(batch, 1, config.projection_dim))
    with b.scope("class_head"):
        y = of_length_one(b, linear(b, "dense0", x, width), "patches", shifted=True)
        query = of_length_one(b, query, "queries", shifted=True)
        y = b.apply("matmul", y, b.apply("transpose", query, name="queries_last", dims=(-2, -1)), name="scores")
        shift, factor = linear(b, "logit_shift", x, 1), linear(b, "logit_scale", x, 1)
        factor = b.apply("shift", b.apply("elu", factor, name="elu"), name="factor")
        y = b.apply("mul", b.apply("add", y, shift, name="shifted"), factor, name="scaled")
        unseen = b.apply("constant", name="padding", shape=(batch, 1, 1), dtype="bool")
        y = b.apply("masked_fill", y, unseen, name="scores_of_texts")
        return b.apply("cast", y, name="logits", dtype="float32") if y.spec.dtype != "float32" else y


def perceptron(config: OwlViTConfig, b: Builder, name: str, x: Value, out: Dim) -> Value:
    """Returns the patches after three linear layers with a GELU between."""
    with b.scope(name):
        for index in range(2):
            x = b.apply("gelu", linear(b, f"dense{index}", x, x.spec.shape[-1]), name=f"activation_{index}")
        return linear(b, "dense2", x, out)


def summed(config: OwlViTConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the sum of the outputs that a loss uses: the logits of each image, or scores and boxes."""
    return first_total(config, outputs, b) if config.architectures.endswith(BOTH) else total(config, outputs, b)


def family(name: str, config: type[OwlViTConfig], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes=SIZES,
        attention=("fused", "eager"),
        dtype="float32",
        aliases={"torch_dtype": "dtype"},
        no_cost={"num_labels": None, "id2label": None, "label2id": None},
        model_types=(name,),
        losses={SUM: summed},
        doc=doc,
    )


ARCHITECTURE = family(
    "owlvit",
    OwlViTConfig,
    PresetFiles(__file__),
    "OWL-ViT: CLIP's towers, and a box and a score for a text of each patch.",
)
