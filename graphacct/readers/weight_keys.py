"""Where a config.json, or a file beside it, says how the model's weights are stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphacct.models.weight_formats import WeightFormatKind
    from graphacct.readers.quantization import Quantization

CONFIG = "config.json"
QUANTIZED = ("quantization_config", "compression_config", "quantization")
"""Keys that say how weights are stored, the first that a file has before the others."""
BESIDE = ("hf_quant_config.json", "quantize_config.json", "quant_config.json")
"""Files beside a config.json that say so: modelopt's, and those of older GPTQ and AWQ."""


def stated_weights(content: Mapping[str, Any], path: str, kinds: Mapping[str, WeightFormatKind]) -> Quantization | None:
    """Returns how the keys of a config.json, or a file beside it, say that the model's weights are stored; None if they
    say nothing. `path` is that of the file or its folder, empty for none and to look at no file beside it; `kinds` are
    the registered formats. Keys inside `text_config` are of the text model alone.

    Raises ReadError for settings that are no object.
    """
    text = content.get("text_config")
    if isinstance(text, Mapping) and not any(content.get(key) for key in QUANTIZED):
        inside = [key for key in QUANTIZED if text.get(key)]
        if inside:
            from graphacct.readers.quantization import of_text_model

            return of_text_model({**content, inside[0]: text[inside[0]]}, inside[0], kinds)
    return of_file(content, [key for key in QUANTIZED if content.get(key)], path, kinds)


def of_file(
    content: Mapping[str, Any], keys: list[str], path: str, kinds: Mapping[str, WeightFormatKind]
) -> Quantization | None:
    """Returns what the first of the file's `keys`, or else a file beside it, says of the weights; None if none does."""
    if keys:
        from graphacct.readers.quantization import of_keys

        return of_keys(content, keys[0], kinds)
    folder, file = (path, CONFIG) if os.path.isdir(path) else os.path.split(path)
    for name in BESIDE if file == CONFIG else ():
        file = os.path.join(folder, name)
        if os.path.isfile(file):
            from graphacct.readers.quantization import beside

            return beside(content, file, kinds)
    return None
