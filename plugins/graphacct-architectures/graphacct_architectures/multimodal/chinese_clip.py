"""Chinese CLIP: CLIP's tower for images, and BERT for texts, compared in pairs.

Yang et al., 2022 (arXiv:2211.01335).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.losses import CROSS_ENTROPY, SUM
from graphacct_architectures.multimodal import clip

BOTH = "ChineseCLIPModel"


@frozen(kw_only=True)
class TextConfig:
    """The text tower's keys that the cost depends on; it is no decoder."""

    is_decoder: ClassVar[bool] = False
    add_cross_attention: ClassVar[bool] = False

    vocab_size: Dim = fields.size(30522)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    max_position_embeddings: Dim = fields.size(512)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.1)
    type_vocab_size: Dim = fields.size(2)


@frozen(kw_only=True)
class ChineseCLIPConfig(clip.TwoTowers):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH,))
    text_config: TextConfig | None = fields.nested(TextConfig, "chinese_clip")  # type: ignore[assignment]
    text_config_dict: TextConfig | None = fields.nested(TextConfig, "chinese_clip")  # type: ignore[assignment]

    @property
    def text(self) -> TextConfig:  # type: ignore[override]
        """The text tower."""
        return self.text_config_dict or self.text_config or TextConfig()


def described(c: TextConfig) -> Encoder:
    """Returns BERT's layers."""
    return like_bert(c, "text_model", types_sliced=True)


def build(config: ChineseCLIPConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings."""
    with b.scope("vision_model"):
        _, image = clip.images(config.vision, workload, b, "vision_config.image_size")
    text = encode(described(config.text), workload, b)
    assert isinstance(text, Value)
    first = b.apply("select", text, name="text_first", dim=1)
    return clip.alike(b, image, first, config.projection_dim)


ARCHITECTURE = Architecture(
    "chinese_clip",
    ChineseCLIPConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"dropout": None, "projection_dim": None},
    losses={CROSS_ENTROPY: clip.pairs_entropy, SUM: clip.first_total},
    model_types=("chinese_clip",),
    doc="Chinese CLIP: a ViT for images, BERT for as many texts, and how alike each pair is.",
)
