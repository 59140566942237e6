"""Models of text, images and sounds, as Qwen's thinkers are: an encoder of sound, a tower that reads a grid, and a text
model.

Xu et al., 2025 (arXiv:2503.20215, arXiv:2509.17765).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, equal
from graphacct_architectures.audio.qwen3_asr_encoder import apart
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described
from graphacct_architectures.multimodal.parts.family import composition, inexact
from graphacct_architectures.multimodal.parts.grid import grid_rows
from graphacct_architectures.multimodal.parts.qwen_vl import grid_of, usual_size
from graphacct_architectures.multimodal.parts.sounds import Length, heard


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


def thinker(name: str, config: type[Any], file: str, *, classes: tuple[str, str], doc: str) -> Architecture:
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
        no_cost=dict.fromkeys(("position_id_per_seconds", "seconds_per_chunk", "rope_scaling", "rope_parameters")),
        doc=doc,
    )
    return attrs.evolve(found, inexact=unequal)


def unequal(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact: that of the text model, and the encoders' windows, which the class runs apart."""
    known = inexact(config, workload, dtype)
    if workload.audios is not None and not equal(workload.audios, 0):
        known = (*known, *apart(config, workload, dtype))
    if workload.images is not None and not equal(workload.images, 0):
        known = (*known, "saved tensors of the tower were not compared beside sounds")
    return known
