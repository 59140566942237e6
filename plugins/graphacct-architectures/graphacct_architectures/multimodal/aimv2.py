"""AIMv2 with a text tower beside it, as `apple/aimv2-large-patch14-224-lit` has: compared in pairs as CLIP does.

Fini et al., 2024 (arXiv:2411.14402); Zhai et al., 2022 (arXiv:2111.07991).
"""

from __future__ import annotations

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.losses import SUM
from graphacct_architectures.multimodal.aimv2_vision import LayerKeys, VisionConfig, described, images
from graphacct_architectures.multimodal.clip import first_total, projected, read, row_ids

BOTH = "Aimv2Model"


@frozen(kw_only=True)
class TextConfig(LayerKeys):
    """The text tower's keys that the cost depends on."""

    vocab_size: Dim = fields.size(49408)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(6)
    max_position_embeddings: Dim = fields.size(77)


@frozen(kw_only=True)
class Aimv2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH,))
    text_config: TextConfig | None = fields.nested(TextConfig, "aimv2")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "aimv2")
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The text tower."""
        return self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The image tower."""
        return self.vision_config or VisionConfig()


def build(config: Aimv2Config, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings."""
    with b.scope("vision_model"):
        _, image = images(config.vision, workload, b, "vision_config.image_size")
    if image is None:
        raise ConfigError("vision_config.use_head is false: without its head no image is compared with a text")
    with b.scope("text_model"):
        text = texts(config.text, workload, b)
    image, text = projected(b, image, text, config.projection_dim)
    factor = b.apply("clamp", b.parameter("logit_scale", ()), name="scale_cut")
    scaled = b.apply("mul", b.apply("exp", factor, name="factor"), text, name="text_scaled")
    by_text = b.apply("matmul", scaled, b.apply("transpose", image, name="images", dims=(0, 1)), name="similarity")
    by_image = b.apply("transpose", by_text, name="logits_per_image", dims=(0, 1))
    return by_image, by_text, text, image


def texts(c: TextConfig, workload: Workload, b: Builder) -> Value:
    """Returns each text's token of its end, after all layers and normalized."""
    ids, x = read(c, described(c), workload, b)
    x = normed_by(b, "rms_norm", x, Norm())
    rows = row_ids(b, workload.batch)
    ends = b.apply("eq", b.apply("cast", ids, name="ids", dtype="int32"), name="ends")
    last = b.apply("argmax", b.apply("cast", ends, name="ends_counted", dtype="int32"), name="last")
    found: Value = b.apply("index_pairs", x, rows, last, name="pooled")
    return found


ARCHITECTURE = Architecture(
    "aimv2",
    Aimv2Config,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("max_logit_scale",)),
    losses={SUM: first_total},
    default_loss=lambda config: SUM,
    model_types=("aimv2",),
    doc="AIMv2 and a text tower: RMSNorms and gated networks, and how alike each pair is.",
)
