"""BLIP-2: learned queries ask a ViT's tokens, and stand in any decoder's text.

Li et al., 2023 (arXiv:2301.12597).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, fields
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.qformer import QFormerConfig, asked
from graphacct_architectures.multimodal.parts.towers import looked, vision_model

GENERATION = "Blip2ForConditionalGeneration"


@attrs.frozen(kw_only=True)
class Blip2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(GENERATION, (GENERATION,))
    vision_config: SubModel = vision_model("blip_2_vision_model", always=True)
    qformer_config: QFormerConfig | None = fields.nested(QFormerConfig, "blip-2")
    text_config: SubModel = text_model("opt")
    num_query_tokens: Dim = fields.size(32)
    dtype: str | None = fields.dtype()


def compose(config: Blip2Config, root: str) -> Composition:
    """Returns a decoder with its own head, and its images through the tower and the Q-Former."""
    text = described(config.text_config)
    former = config.qformer_config or QFormerConfig()

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope("vision_model"):
            (seen,) = looked(config.vision_config, images, b)
        own = b.parameter("query_tokens", (1, config.num_query_tokens, former.hidden_size))
        shape = (images.batch, config.num_query_tokens, former.hidden_size)
        queries = b.apply("expand", own, name="queries", shape=shape)
        with b.scope("qformer"):
            x = asked(former, images, b, queries, seen)
        return linear(b, "language_projection", x, text.width)

    return Composition(text, (Part("images", rows),), "language_model", own_head=True)


ARCHITECTURE = composition(
    "blip-2",
    Blip2Config,
    compose,
    PresetFiles(__file__),
    classes=(GENERATION, ""),
    image_size=lambda config: config.vision_config.config.image_size,
    no_cost=dict.fromkeys(("image_text_hidden_size", "use_decoder_only_language_model", "is_encoder_decoder")),
    doc="BLIP-2: a ViT, learned queries that ask it (Q-Former), any decoder.",
)
