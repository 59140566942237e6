"""Models of text, images and sounds: one file a family, and the parts of compositions, for plugins too.

A composition is a text model with what stands in the place of some tokens: `composition` makes an Architecture from a
configuration class and a function that returns a `Composition` or a `Paired`. Each name is imported from its file in
`parts/` on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
    from graphacct_architectures.multimodal.parts.family import composition
    from graphacct_architectures.multimodal.parts.images import of_images
    from graphacct_architectures.multimodal.parts.paired import Paired, pairs, placed
    from graphacct_architectures.multimodal.parts.projector import square_side
    from graphacct_architectures.multimodal.parts.readers import ClipLayers, QwenLayers, through_clip, through_qwen
    from graphacct_architectures.multimodal.parts.towers import looked, vision_model

__all__ = [
    "ClipLayers",
    "Composition",
    "Paired",
    "Part",
    "QwenLayers",
    "composition",
    "described",
    "looked",
    "of_images",
    "pairs",
    "placed",
    "square_side",
    "text_model",
    "through_clip",
    "through_qwen",
    "vision_model",
]

_FILES = {
    "compose": ("Composition", "Part", "described", "text_model"),
    "family": ("composition",),
    "images": ("of_images",),
    "paired": ("Paired", "pairs", "placed"),
    "projector": ("square_side",),
    "readers": ("ClipLayers", "QwenLayers", "through_clip", "through_qwen"),
    "towers": ("looked", "vision_model"),
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        for file, names in _FILES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.parts.{file}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
