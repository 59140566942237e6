"""AIMv2: an image tower with a causal text tower, compared in pairs (Fini et al., 2024, arXiv:2411.14402)."""

from __future__ import annotations

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields
from graphacct_architectures.activations import activation
from graphacct_architectures.layers import embedding, linear, rms_norm
from graphacct_architectures.losses import SUM
from graphacct_architectures.multimodal.aimv2_vision import VisionKeys, described, pictured
from graphacct_architectures.multimodal.clip import SIZES, first_total, normalised, positioned
from graphacct_architectures.tower import tower

CLASSES = ("Aimv2Model",)


@attrs.frozen(kw_only=True)
class TextKeys:
    """The text tower's keys that the cost depends on."""

    vocab_size: Dim = fields.size(49408)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(6)
    max_position_embeddings: Dim = fields.size(77)
    hidden_act: str = activation("silu")
    attention_dropout: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


@attrs.frozen(kw_only=True)
class Aimv2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    text_config: TextKeys | None = fields.nested(TextKeys, "AIMv2")
    vision_config: VisionKeys | None = fields.nested(VisionKeys, "AIMv2")
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if not self.vision.use_head:
            raise ConfigError("vision_config.use_head is false: the image's state is what its head pools")

    @property
    def text(self) -> TextKeys:
        """The text tower."""
        return self.text_config or TextKeys()

    @property
    def vision(self) -> VisionKeys:
        """The image tower."""
        return self.vision_config or VisionKeys()


def build(config: Aimv2Config, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings."""
    with b.scope("vision_model"):
        _, image = pictured(config.vision, workload, b, "vision_config.image_size")
    assert image is not None
    with b.scope("text_model"):
        text = told(config.text, workload, b)
    image = linear(b, "visual_projection", image, config.projection_dim, bias=False)
    text = linear(b, "text_projection", text, config.projection_dim, bias=False)
    image, text = normalised(b, image, "image"), normalised(b, text, "text")
    factor = b.apply("clamp", b.parameter("logit_scale", ()), name="scale_clamped")
    text_scaled = b.apply("mul", b.apply("exp", factor, name="factor"), text, name="text_scaled")
    images = b.apply("transpose", image, name="images", dims=(0, 1))
    by_text = b.apply("matmul", text_scaled, images, name="logits_per_text")
    return b.apply("transpose", by_text, name="logits_per_image", dims=(0, 1)), by_text, text, image


def told(config: TextKeys, workload: Workload, b: Builder) -> Value:
    """Returns the state of the token that ends each text, normalized."""
    batch, seq = workload.batch, workload.seq_len
    if type(seq) is int and type(config.max_position_embeddings) is int and seq > config.max_position_embeddings:
        raise ConfigError(
            f"seq_len {seq} is beyond the {config.max_position_embeddings} positions that the model has learned"
        )
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("embeddings"):
        x = embedding(b, "token_embedding", ids, config.vocab_size, config.hidden_size)
        x = positioned(b, x, config.max_position_embeddings, seq)
    with b.scope("encoder"):
        x = tower(described(config, causal=True), workload, b, x)
    x = rms_norm(b, "rms_norm", x)
    rows = b.apply("reshape", b.apply("arange", name="row_ids", n=batch), name="rows", shape=(batch,))
    last = b.apply("argmax", b.apply("cast", ids, name="ids", dtype="int32"), name="last")
    return b.apply("index_pairs", x, rows, last, name="pooled")


ARCHITECTURE = Architecture(
    "aimv2",
    Aimv2Config,
    build,
    PresetFiles(__file__),
    sizes=SIZES,
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"max_logit_scale": None, "num_labels": None, "id2label": None, "label2id": None},
    model_types=("aimv2",),
    losses={SUM: first_total},
    doc="AIMv2: a tower for images and a causal one for as many texts, and how alike each pair is.",
)
