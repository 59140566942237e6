"""Data2Vec of images: BEiT under the names of its own class (Baevski et al., 2022, arXiv:2202.03555)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_vision.parts.backbones import places_of_stages
from graphacct_vision.vits.beit import BeitConfig, family

CLASSES = tuple(f"Data2VecVision{end}" for end in ("Model", "ForImageClassification", "ForSemanticSegmentation"))


@frozen(kw_only=True)
class Data2VecVisionConfig(BeitConfig):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "data2vec_vision"
    OLDER: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    out_indices: tuple[int, ...] | None = places_of_stages((3, 5, 7, 11))


ARCHITECTURE = family(
    "data2vec-vision", Data2VecVisionConfig, PresetFiles(__file__), "Data2Vec of images: BEiT under its own names."
)
