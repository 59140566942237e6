"""Models of text, images and sounds, as Qwen's thinkers are: an encoder of sound, a tower that reads a grid, and a text
model.

Xu et al., 2025 (arXiv:2503.20215, arXiv:2509.17765).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Architecture, Builder, ConfigError, PresetFiles, Value, Workload, brief, equal
from graphacct_architectures.audio.qwen3_asr_encoder import apart
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described
from graphacct_architectures.multimodal.parts.family import composition, inexact
from graphacct_architectures.multimodal.parts.grid import grid_rows
from graphacct_architectures.multimodal.parts.qwen_vl import grid_of, usual_size
from graphacct_architectures.multimodal.parts.sounds import Length, heard

THINKER, SOUND = "thinker_config", "enable_audio_output"
"""The keys of a whole model's file: the thinker's object, and whether the model speaks."""


def thinking(config: Any, root: str) -> Composition:
    """Returns the composition of a configuration, whose modules are in `root`."""

    def rows(workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        assert workload.images is not None  # the architecture declares its default
        with b.scope(f"{root}visual"):
            pictures = attrs.evolve(workload, frames=None)  # those of the workload are the sounds'
            return grid_rows(grid_of(config.vision_config), pictures, b, workload.batch * workload.images)

    parts = (heard(config.audio_config, root, ()), Part("images", rows))
    return Composition(
        described(config.text_config), parts, f"{root}language_model", tied=bool(config.tie_word_embeddings)
    )


NO_COST = (
    *("position_id_per_seconds", "seconds_per_chunk", "rope_scaling", "rope_parameters", "interleaved"),
    *("apply_vit_abs_pos_embed", "image_size", SOUND),
)


@attrs.frozen
class Whole:
    """The whole model that a thinker is a part of, whose files it reads.

    Attributes:
        kind: The `model_type` of its files.
        classes: Its classes, former names among them, all of which have the thinker's head.
        speaks: The keys of what makes speech of the thinker's text, and what each describes. It is not counted.
    """

    kind: str
    classes: tuple[str, ...]
    speaks: Mapping[str, str]

    def thinker_of(self, content: Mapping[str, Any], headed: str) -> Mapping[str, Any]:
        """Returns the thinker's keys of a file of the whole model, whose class is `headed`, and the keys of what
        speaks, which the model has unless `enable_audio_output` is false; another file's keys as they are.

        Raises ConfigError for a `thinker_config` that is no object.
        """
        if content.get("model_type") != self.kind and THINKER not in content:
            return content
        held = content.get(THINKER)
        if not isinstance(held, Mapping | None):
            raise ConfigError(f"{THINKER} is {brief(held)}, not an object with the thinker's keys")
        speaking: dict[str, Any] = {} if content.get(SOUND) is False else {key: {} for key in self.speaks}
        beside = {key: value for key, value in content.items() if key not in (THINKER, *self.speaks)}
        found = {**beside, **(held or {}), "model_type": self.kind, **speaking}
        names = content.get("architectures")
        name = names[0] if isinstance(names, list) and names else names
        return {**found, "architectures": headed if name is None or name in self.classes else names}


def thinker(
    name: str, config: type[Any], file: str, *, classes: tuple[str, str], whole: Whole, doc: str
) -> Architecture:
    """Returns the Architecture of such a model. A sequence has an image and a sound unless the workload says so."""
    length = Length(lambda config: config.audio_config)
    found = composition(
        name,
        config,
        thinking,
        PresetFiles(file),
        classes=classes,
        image_size=lambda config: usual_size(config.vision_config.config),
        sizes={"audios": lambda config: 1, "frames": length.default},
        per_second={"frames": length.rate},
        no_cost=dict.fromkeys(NO_COST),
        model_types=(name, whole.kind),
        prepare=lambda content: whole.thinker_of(content, classes[0]),
        doc=doc,
    )
    return attrs.evolve(found, inexact=unequal, parts_left_out=whole.speaks)


def unequal(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact: that of the text model, and the encoders' windows, which the class runs apart."""
    known = inexact(config, workload, dtype)
    if workload.audios is not None and not equal(workload.audios, 0):
        known = (*known, *apart(config, workload, dtype))
    if workload.images is not None and not equal(workload.images, 0):
        known = (*known, "saved tensors of the tower were not compared beside sounds")
    return known
