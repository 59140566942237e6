"""Original GPT-2's hparams.json (openai/gpt-2, src/model.py): the sizes in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = {"n_vocab": "vocab_size", "n_ctx": "n_positions"}


def config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys of a config.json."""
    return {"model_type": "gpt2", **{KEYS.get(key, key): value for key, value in content.items()}}
