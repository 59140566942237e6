"""Gemma 4: tokens of a tower for images and of an encoder of sound, each normalized and projected, in the place of a
text's tokens.

Google DeepMind, "Gemma 4", 2026.
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.audio.parts.gemma_audio import FRAMES, FRAMES_PER_SECOND
from graphacct_architectures.decoders.parts.gemma4 import GAINLESS
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.gemma4_vision import looked
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images

CLASSES = ("Gemma4ForConditionalGeneration", "Gemma4Model")


@frozen(kw_only=True)
class Gemma4Config:
    """The keys of the published config.json that the cost depends on; a file without a tower has none."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel | None = fields.model("gemma4_vision", always=True, optional=True)
    audio_config: SubModel | None = fields.model("gemma4_audio", always=True, optional=True)
    text_config: SubModel = text_model("gemma4_text", always=True)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: Gemma4Config, root: str) -> Composition:
    """Returns Gemma 4, with what its towers make of images and sounds."""
    text = described(config.text_config)
    parts = []
    if config.vision_config is not None:
        parts.append(Part("images", images(config.vision_config.config, root, text.width)))
    if config.audio_config is not None:
        parts.append(Part("audios", sounds(config.audio_config.config, root, text.width)))
    return Composition(
        text, tuple(parts), f"{root}language_model", tied=config.tie_word_embeddings, softcap=text.logits_softcap
    )


def images(tower: Any, root: str, width: Dim) -> Any:
    """Returns the function that adds the images' tower and projection."""

    def rows(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}vision_tower"):
            x = looked(tower, of_images(workload), b)
        with b.scope(f"{root}embed_vision"):
            x = embedded(b, x, width)
        found: Value = b.apply("concat", x, name=f"{root}image_features", dim=0)
        return found

    return rows


def sounds(encoder: Any, root: str, width: Dim) -> Any:
    """Returns the function that adds the sounds' encoder and projection."""
    from graphacct_architectures.audio.gemma4_audio import heard  # the larger models have none

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.audios is not None  # the architecture declares its default
        with b.scope(f"{root}audio_tower"):
            x = heard(encoder, workload, b, workload.batch * workload.audios, masked=True)
        with b.scope(f"{root}embed_audio"):
            x = embedded(b, x, width)
        count, positions, _ = x.spec.shape
        valid = b.apply("constant", name=f"{root}audio_places", shape=(count, positions), dtype="bool")
        found: Value = b.apply("index", x, valid, name=f"{root}audio_features", dims=(0,), count=count * positions)
        return found

    return rows


def embedded(b: Builder, x: Value, width: Dim) -> Value:
    """Returns rows of a tower in the text's width: normalized, and projected."""
    x = normed_by(b, "embedding_pre_projection_norm", x, GAINLESS)
    return linear(b, "embedding_projection", x, width, bias=False)


def count(key: str) -> Any:
    """Returns how many things a sequence has unless a workload says: one if there is a tower for them."""
    return lambda config: 0 if getattr(config, key) is None else 1


def image_size(config: Gemma4Config) -> Any:
    """Returns the size of an image: the tower's."""
    return None if config.vision_config is None else config.vision_config.config.image_size


ARCHITECTURE = composition(
    "gemma4",
    Gemma4Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=image_size,
    sizes={"images": count("vision_config"), "audios": count("audio_config"), "frames": lambda config: FRAMES},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    no_cost={"vision_soft_tokens_per_image": None},
    doc="Gemma 4 with images and sounds: a tower and an encoder of its own, Gemma 4's decoder.",
)
