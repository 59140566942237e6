"""BLIP-2: learned queries ask a ViT's tokens, and stand in the text of any decoder, or of T5's encoder.

Li et al., 2023 (arXiv:2301.12597).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen, has_value
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.paired import Paired, pair_of, writes
from graphacct_architectures.multimodal.parts.qformer import QFormerConfig, asked
from graphacct_architectures.multimodal.parts.towers import looked, vision_model

GENERATION = "Blip2ForConditionalGeneration"
SAME = {"Blip2Model": GENERATION}
"""A class whose text model has a head too."""


@frozen(kw_only=True)
class Blip2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(GENERATION, (GENERATION,), SAME)
    vision_config: SubModel = vision_model("blip_2_vision_model", always=True)
    qformer_config: QFormerConfig | None = fields.nested(QFormerConfig, "blip-2")
    text_config: SubModel = fields.model("opt", fits=writes)
    num_query_tokens: Dim = fields.size(32)
    dtype: str | None = fields.dtype()


def compose(config: Any, root: str) -> Composition | Paired:
    """Returns a text model with its own head, and its images through the tower and the Q-Former."""
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
        return linear(b, "language_projection", x, width(config.text_config))

    return beside_text(config.text_config, rows)


def beside_text(text: SubModel, rows: Any, *, alone: bool = False) -> Composition | Paired:
    """Returns a text model with its own head, or `alone` without one, whose images `rows` makes."""
    pair, parts = pair_of(text), (Part("images", rows),)
    if pair is None:
        return Composition(described(text), parts, "language_model", own_head=not alone)
    if alone:
        pair = attrs.evolve(pair, head=None, classifier=None, module=pair.module.partition(".")[2])
    return Paired(pair, parts, "language_model")


def width(text: SubModel) -> Dim:
    """Returns the width of a text model's stream."""
    pair = pair_of(text)
    return described(text).width if pair is None else pair.width


def with_pairs(found: Any) -> Any:
    """Returns an Architecture whose text model may be a pair: the encoder's sequences have a length of their own."""
    alone = found.build

    def build(config: Any, workload: Workload, b: Builder) -> Any:
        lengths = (workload.encoder_seq_len, workload.seq_len)
        given = len({*lengths}) > 1 and all(has_value(length) for length in lengths) and workload.phase != "decode"
        if given and pair_of(config.text_config) is None:
            raise ConfigError(
                f"encoder_seq_len is {workload.encoder_seq_len}: text_config is a decoder alone, leave encoder_seq_len "
                "out"
            )
        return alone(config, workload, b)

    return attrs.evolve(found, build=build, sizes={**found.sizes, "encoder_seq_len": lambda config: None})


ARCHITECTURE = with_pairs(
    composition(
        "blip-2",
        Blip2Config,
        compose,
        PresetFiles(__file__),
        classes=(GENERATION, ""),
        image_size=lambda config: config.vision_config.config.image_size,
        no_cost=dict.fromkeys(("image_text_hidden_size", "use_decoder_only_language_model", "is_encoder_decoder")),
        doc="BLIP-2: a ViT, learned queries that ask it (Q-Former), any decoder or T5.",
    )
)
