"""Music Flamingo: Audio Flamingo 3, whose encoder's output is rotated by the time of each position.

Ghosh et al., 2025 (arXiv:2511.10289).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, ConfigError, Dim, SubModel, Value, fields, frozen, has_value
from graphacct_architectures.decoders.parts.family import fraction, rotary_dims
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.multimodal.audioflamingo3 import AudioFlamingo3Config
from graphacct_architectures.multimodal.audioflamingo3 import steps as projector_steps
from graphacct_architectures.multimodal.parts.compose import described
from graphacct_architectures.multimodal.parts.projector import Step
from graphacct_architectures.multimodal.parts.sounds import audio_model, sounds_and_text

CLASSES = ("MusicFlamingoForConditionalGeneration", "MusicFlamingoModel")


@frozen(kw_only=True)
class MusicFlamingoConfig(AudioFlamingo3Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model(
        "audioflamingo3_encoder", renamed={"musicflamingo_encoder": "audioflamingo3_encoder"}
    )
    rope_parameters: Mapping[str, Any] = rope_parameters()
    partial_rotary_factor: float = fraction(0.2)

    @property
    def d_head(self) -> Dim:
        """What a fraction of is rotated: the encoder's width."""
        width: Dim = self.audio_config.config.hidden_size
        return width


@frozen
class Turned:
    """Rows whose first dimensions are rotated, in float64: by angles of the window that a sound is cut into, and of the
    place in it.

    Attributes:
        each: How many dimensions are rotated by each of the two.
    """

    each: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        sounds, count, width = x.spec.shape
        if has_value(self.each) and has_value(width) and 2 * self.each > width:
            raise ConfigError(
                f"rope_parameters.partial_rotary_factor turns {2 * self.each} dimensions of {width}, and there are "
                "not so many"
            )
        cos, sin = self.tables(b, sounds, count)
        dtype = x.spec.dtype
        x = b.apply("cast", x, name="turned_wide", dtype="float64")
        front = b.apply("slice", x, name="turned_part", dim=-1, start=0, length=2 * self.each)
        first = b.apply("slice", front, name="first_half", dim=-1, start=0, length=self.each)
        second = b.apply("slice", front, name="second_half", dim=-1, start=self.each, length=self.each)
        other = b.apply("concat", b.apply("neg", second, name="negated"), first, name="swapped", dim=-1)
        parts = [
            b.apply("mul", *pair, name=name) for pair, name in (((front, cos), "by_cos"), ((other, sin), "by_sin"))
        ]
        front = b.apply("add", *parts, name="rotated")
        rest = b.apply("slice", x, name="other_part", dim=-1, start=2 * self.each, length=width - 2 * self.each)
        return b.apply("cast", b.apply("concat", front, rest, name="turned", dim=-1), name="turned_rows", dtype=dtype)

    def tables(self, b: Builder, sounds: Dim, count: Dim) -> list[Value]:
        """Returns cosines and sines, (sounds, positions, dimensions)."""
        freqs = b.apply("constant", name="pos_emb.freqs", shape=(sounds, count, 2 * self.each), dtype="float32")
        times = b.apply("constant", name="pos_emb.times", shape=(sounds, count, 1), dtype="float32")
        angles = b.apply("mul", freqs, times, name="pos_emb.angles")
        found = [b.apply(name, angles, name=f"pos_emb.{name}") for name in ("cos", "sin")]
        return [b.apply("cast", table, name=f"{table.name}_wide", dtype="float64") for table in found]


def steps(config: MusicFlamingoConfig, width: Dim) -> tuple[Step, ...]:
    """Returns the projector's steps, after the rotation."""
    pairs = (rotary_dims(config) + 1) // 2
    return (Turned(2 * pairs), *projector_steps(config, width))


ARCHITECTURE = sounds_and_text(
    "musicflamingo",
    MusicFlamingoConfig,
    steps,
    __file__,
    lambda config: described(config.text_config),
    classes=CLASSES,
    tied=lambda config: False,
    no_cost=dict.fromkeys(("audio_frame_step", "rope_theta", "head_dim", "max_position_embeddings")),
    doc="Music Flamingo: Audio Flamingo 3, with what the encoder makes rotated by time.",
)
