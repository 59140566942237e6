"""AltCLIP: CLIP's tower for images, and RoBERTa for texts of many languages, compared in pairs.

Chen et al., 2022 (arXiv:2211.06679).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Names
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM
from graphacct_architectures.multimodal import clip

BOTH = "AltCLIPModel"


@frozen(kw_only=True)
class TextConfig:
    """The text tower's keys that the cost depends on; it is no decoder."""

    is_decoder: ClassVar[bool] = False
    add_cross_attention: ClassVar[bool] = False

    vocab_size: Dim = fields.size(250002)
    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    max_position_embeddings: Dim = fields.size(514)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    type_vocab_size: Dim = fields.size(1)
    pad_token_id: Dim = fields.size(1, minimum=0)
    project_dim: Dim = fields.size(768)


@frozen(kw_only=True)
class AltCLIPConfig(clip.TwoTowers):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH,))
    text_config: TextConfig | None = fields.nested(TextConfig, "altclip")  # type: ignore[assignment]
    text_config_dict: TextConfig | None = fields.nested(TextConfig, "altclip")  # type: ignore[assignment]
    projection_dim: Dim = fields.size(768)

    @property
    def text(self) -> TextConfig:  # type: ignore[override]
        """The text tower."""
        return self.text_config_dict or self.text_config or TextConfig()


def described(c: TextConfig) -> Encoder:
    """Returns RoBERTa's layers."""
    usable = c.max_position_embeddings - c.pad_token_id - 1
    return like_bert(c, "text_model.roberta", counted=True, usable=usable, names=Names(stack="encoder.layers"))


def build(config: AltCLIPConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings."""
    with b.scope("vision_model"):
        _, image = clip.images(config.vision, workload, b, "vision_config.image_size")
    x = encode(described(config.text), workload, b)
    assert isinstance(x, Value)
    with b.scope("text_model"):
        x = linear(b, "transformation", layer_norm(b, "pre_LN", x), config.text.project_dim)
        first = b.apply("select", x, name="first", dim=1)
    return clip.alike(b, image, first, config.projection_dim)


ARCHITECTURE = Architecture(
    "altclip",
    AltCLIPConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings - config.text.pad_token_id - 1,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("dropout", "direct_kd", "projection_dim")),
    losses={CROSS_ENTROPY: clip.pairs_entropy, SUM: clip.first_total},
    model_types=("altclip",),
    doc="AltCLIP: a ViT for images, RoBERTa for as many texts, and how alike each pair is.",
)
