"""The tower of Gemma 3n: a model of timm's in the library's wrapper, without a head.

Google DeepMind, "Gemma 3n", 2025.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_vision.timm import timm_wrapper
from graphacct_vision.timm.resnet import model_name


@frozen(kw_only=True)
class Gemma3nVisionConfig(timm_wrapper.TimmConfig):
    """The keys of the published config.json that the cost depends on."""

    architecture: str = model_name(timm_wrapper.ENCODER)
    do_pooling: bool = fields.flag(False)
    hidden_size: Dim = fields.size(2048)
    vocab_size: Dim = fields.size(128)


ARCHITECTURE = attrs.evolve(
    timm_wrapper.ARCHITECTURE,
    name="gemma3n_vision",
    config=Gemma3nVisionConfig,
    presets=PresetFiles(__file__),
    no_cost={**timm_wrapper.ARCHITECTURE.no_cost, "vocab_offset": None},
    model_types=("gemma3n_vision",),
    doc="Gemma 3n's tower for images: MobileNet-v5 of timm's.",
)
