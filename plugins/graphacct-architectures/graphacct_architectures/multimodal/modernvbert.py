"""ModernVBERT: ModernBERT whose tokens are of images too, from a SigLIP tower, squares of tokens as one.

Teiletche et al., 2025 (arXiv:2510.01149).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    fields,
    floor_div,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier, classified
from graphacct_architectures.encoders.modernbert import MODEL as TEXT_MODEL
from graphacct_architectures.encoders.modernbert import describe, read
from graphacct_architectures.layers import activation, linear, norm
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.multimodal.parts.compose import Composition, composed, placeholders
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Linear, Shuffled
from graphacct_architectures.multimodal.parts.towers import vision_model

MASKED, ALONE = "ModernVBertForMaskedLM", "ModernVBertModel"
SEQUENCE, TOKENS = "ModernVBertForSequenceClassification", "ModernVBertForTokenClassification"


@frozen(kw_only=True)
class ModernVBertConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MASKED, (MASKED, ALONE, SEQUENCE, TOKENS))
    text_config: SubModel = fields.model("modernbert", always=True)
    vision_config: SubModel = vision_model("siglip_vision_model", always=True)
    pixel_shuffle_factor: Dim = fields.size(4)
    classifier_pooling: str = fields.choice("cls", ("cls", "mean"))
    classifier_dropout: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


@frozen
class Missing:
    """A token of an image that the class cannot see, as wide as its projection takes."""

    factor: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        count, _, width = x.spec.shape
        found: Value = b.apply("full", name="missing", shape=(count, 1, width * self.factor**2), dtype=b.dtype)
        return found


def composition(config: ModernVBertConfig) -> Composition:
    """Returns ModernBERT's layers, and its images through the tower and the connector."""
    text = describe(attrs.evolve(config.text_config.config, architectures=[TEXT_MODEL]))
    root = "" if config.architectures == ALONE else "model."
    shuffled = (Shuffled if runs(config) else Missing)(config.pixel_shuffle_factor)
    steps = (shuffled, Linear("modality_projection", text.width, bias=False))
    images = seen(config.vision_config, root, steps, module="vision_model", projector="connector")
    images = attrs.evolve(images, check=lambda: check(config))
    return Composition(text, (images,), f"{root}text_model", head="")


def runs(config: ModernVBertConfig) -> bool:
    """Returns whether squares of tokens fill an image, so that its class can see one; its defaults do not."""
    tower: Any = config.vision_config.config
    sides = [floor_div(*pair) for pair in zip(tower.image_size, tower.patch_size, strict=True)]
    factor = config.pixel_shuffle_factor
    return all(type(side) is not int or type(factor) is not int or side % factor == 0 for side in sides)


def check(config: ModernVBertConfig) -> None:
    """Raises ConfigError if squares of tokens do not fill an image."""
    if not runs(config):
        raise ConfigError(
            f"pixel_shuffle_factor is {config.pixel_shuffle_factor}, which does not divide the patches on a side of an "
            "image of vision_config: the class does not run"
        )


def build(config: ModernVBertConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids and images to logits of words or of classes, or to the last stream."""
    check_entropy(scored(config), workload, config.architectures)
    x = composed(composition(config), workload, b)
    if config.architectures == ALONE:
        return x
    assert isinstance(x, Value)
    text: Any = config.text_config.config
    if config.architectures == MASKED:
        b.hold(x)
        x = linear(b, "projection_head.dense", x, text.hidden_size, bias=text.classifier_bias)
        x = activation(b, ACTIVATIONS[text.classifier_activation], x, "projection_head.act")
        x = norm(b, "projection_head.norm", x, "layer_norm", bias=text.norm_bias)
        tied = "model.text_model.embeddings.tok_embeddings.weight" if config.tie_word_embeddings else ""
        return linear(b, "lm_head", x, text.vocab_size, bias=text.decoder_bias, tied_to=tied)
    kind = Classifier(
        "classifier",
        config.num_labels,
        {"cls": "first", "mean": "mean"}[config.classifier_pooling] if config.architectures == SEQUENCE else "tokens",
        "head.dense",
        text.hidden_size,
        ACTIVATIONS[text.classifier_activation],
        dropout=config.classifier_dropout,
        norm="head.norm",
        dense_bias=text.classifier_bias,
        norm_bias=text.norm_bias,
    )
    return classified(kind, workload, b, read(b, x, kind.reads, chosen=False))


def scored(config: ModernVBertConfig) -> bool:
    """Returns whether the class has logits."""
    if config.architectures in (SEQUENCE, TOKENS):
        return classes(config.num_labels)
    return config.architectures == MASKED


ARCHITECTURE = Architecture(
    "modernvbert",
    ModernVBertConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text_config.config.max_position_embeddings,
        "images": lambda config: int(runs(config)),
        "image_size": lambda config: config.vision_config.config.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(("initializer_cutoff_factor", "vocab_size", "hidden_size", "classifier_bias")),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(scored(config)),
    placeholders=lambda config, workload, operators: placeholders(composition(config).parts, workload, operators),
    model_types=("modernvbert",),
    doc="ModernVBERT: a SigLIP tower, squares of tokens as one, ModernBERT.",
)
