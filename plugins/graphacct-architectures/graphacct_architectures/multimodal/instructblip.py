"""InstructBLIP: BLIP-2 whose queries see the words of an instruction too.

Dai et al., 2023 (arXiv:2305.06500). The instruction that the Q-Former reads is as long as `seq_len`, at
most as its positions allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen, minimum
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.blip2 import beside_text, width, with_pairs
from graphacct_architectures.multimodal.parts.compose import Composition
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.paired import Paired, writes
from graphacct_architectures.multimodal.parts.qformer import QFormerConfig, asked
from graphacct_architectures.multimodal.parts.towers import looked, vision_model

CLASSES = ("InstructBlipForConditionalGeneration", "InstructBlipModel")


@frozen(kw_only=True)
class InstructBlipConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("blip_2_vision_model", always=True)
    qformer_config: QFormerConfig | None = fields.nested(QFormerConfig, "instructblip")
    text_config: SubModel = fields.model("opt", fits=writes)
    num_query_tokens: Dim = fields.size(32)
    dtype: str | None = fields.dtype()


def compose(config: Any, root: str) -> Composition | Paired:
    """Returns a text model, with its own head if it has a `root`, and its images, or the frames of films, through the
    tower and the Q-Former."""
    former = config.qformer_config or QFormerConfig()

    def rows(workload: Workload, b: Builder) -> Value:
        frames = 1 if workload.frames is None else workload.frames
        images = of_images(workload)
        words = 1 if workload.seq_len is None else minimum(workload.seq_len, former.max_position_embeddings)
        ids = b.input("qformer_input_ids", (images.batch, words), "int64")
        if workload.frames is not None:
            images = attrs.evolve(images, batch=images.batch * frames)
            times = b.apply("reshape", ids, name="instructions", shape=(ids.spec.shape[0], 1, words))
            times = b.apply("expand", times, name="of_each_frame", shape=(ids.spec.shape[0], frames, words))
            ids = b.apply("reshape", times, name="instructions_of_frames", shape=(images.batch, words))
        with b.scope("vision_model"):
            (seen,) = looked(config.vision_config, images, b)
        own = b.parameter("query_tokens", (1, config.num_query_tokens, former.hidden_size))
        shape = (images.batch, config.num_query_tokens, former.hidden_size)
        queries = b.apply("expand", own, name="queries", shape=shape)
        with b.scope("qformer"):
            x = asked(former, images, b, queries, seen, ids)
        return linear(b, "language_projection", x, width(config.text_config))

    return beside_text(config.text_config, rows, alone=not root)


NO_COST: Mapping[str, Any] = dict.fromkeys(
    ("image_text_hidden_size", "use_decoder_only_language_model", "is_encoder_decoder")
)
ARCHITECTURE = with_pairs(
    composition(
        "instructblip",
        InstructBlipConfig,
        compose,
        PresetFiles(__file__),
        classes=CLASSES,
        image_size=lambda config: config.vision_config.config.image_size,
        no_cost=NO_COST,
        doc="InstructBLIP: a ViT, queries that ask it and see an instruction, any decoder or T5.",
    )
)
