"""A configuration with few layers, so that trying hundreds of classes takes minutes."""

from __future__ import annotations

import copy
from typing import Any

LAYERS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers", "depth")
MOST = 2


def shrunk(config: Any) -> Any:
    """Returns a copy of a configuration with at most two layers of each kind, in it and in its parts.

    Lists with a value for each layer get as many.
    """
    config = copy.deepcopy(config)
    for part in _parts(config):
        before = {name: getattr(part, name, None) for name in LAYERS}
        counts = {value for value in before.values() if type(value) is int and value > MOST}
        for name, value in list(vars(part).items()):
            if isinstance(value, list) and len(value) in counts:
                setattr(part, name, value[:MOST])
        for name, value in before.items():
            if type(value) is int and value > MOST:
                setattr(part, name, MOST)
    return config


def _parts(config: Any) -> list[Any]:
    from transformers import PretrainedConfig

    inner = [value for value in vars(config).values() if isinstance(value, PretrainedConfig)]
    return [config, *(part for value in inner for part in _parts(value))]
