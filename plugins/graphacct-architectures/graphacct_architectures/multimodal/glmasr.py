"""GLM-ASR: an encoder of sound with rotated queries, four positions beside one another, two linear layers, any decoder.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from math import gcd
from typing import Any

from graphacct import Builder, Dim, SubModel, Value, fields, floor_div, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.frames import FRAMES_PER_POSITION
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step, projected
from graphacct_architectures.multimodal.parts.sounds import Chosen, Regrouped, audio_model, sounds_and_text

CLASSES = ("GlmAsrForConditionalGeneration", "GlmAsrModel")
TEXT: dict[str, Any] = {
    **{"vocab_size": 59264, "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28},
    **{"num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 8192},
}
"""The text model's keys that count where a file leaves them out."""
MERGED = 4
"""How many positions are one token."""


@frozen(kw_only=True)
class GlmAsrConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("glmasr_encoder")
    text_config: SubModel = text_model("llama", absent=TEXT)
    projector_hidden_act: str = activation("gelu")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


@frozen
class Merged:
    """Positions beside one another, as wide as the encoder's network, through two linear layers; of them the rows that
    are no padding: one for each MERGED positions."""

    width: Dim
    steps: tuple[Step, ...]

    def __call__(self, b: Builder, x: Value) -> Value:
        count = floor_div(x.spec.shape[1], MERGED)
        return Chosen(count)(b, projected(b, self.steps, Regrouped(self.width)(b, x)))


def steps(config: GlmAsrConfig, width: Dim) -> tuple[Step, ...]:
    """Returns the projector's steps."""
    act = Activated(ACTIVATIONS[config.projector_hidden_act])
    inner = (Linear("linear_1", 2 * width), act, Linear("linear_2", width))
    return (Merged(config.audio_config.config.intermediate_size, inner),)


def frames(config: GlmAsrConfig) -> Dim:
    """Returns the frames of a sound whose length is not given: the encoder's most, less what makes no whole row."""
    encoder = config.audio_config.config
    most, width, inner = encoder.max_position_embeddings, encoder.hidden_size, encoder.intermediate_size
    if not all(has_value(size) for size in (most, width, inner)):
        return FRAMES_PER_POSITION * most
    each = inner // gcd(width, inner)
    return FRAMES_PER_POSITION * max(most - most % each, each)


ARCHITECTURE = sounds_and_text(
    "glmasr",
    GlmAsrConfig,
    steps,
    __file__,
    lambda config: described(config.text_config),
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    frames=frames,
    doc="GLM-ASR: an encoder of sound with rotated queries, two linear layers, any decoder.",
)
