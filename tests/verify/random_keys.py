"""Default configurations of every type that the library has, with a few keys changed at random.

Layers are few; every other size is the class's own. Any key of the class may be changed, those of nested configurations
too: booleans are flipped, sizes halved, doubled or off by one, activations and kinds of layers drawn, and optional
sizes given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

LAYERS = re.compile(r"(layers|n_layer|num_blocks|depth)$")
FEW = 4
PARTS = re.compile(r"(_config|^encoder|^decoder)$")
"""Keys of nested configurations."""
LEFT = re.compile(
    r"(_token_id|_token_ids|_token_index|_token|dtype|version|architectures|id2label|label2id|_name_or_path|auto_map|"
    r"problem_type|return_dict|output_|use_cache|torchscript|chunk_size_feed_forward|initializer|eps$|epsilon|dropout|"
    r"pdrop|_std$|model_type|is_encoder_decoder|_attn|pruned|task_specific|tokenizer_class|ctc_|mask_time|mask_feature|"
    r"apply_spec|gradient_checkpointing|drop_path|layerdrop)"
)
"""Keys that are left as they are: they change nothing, or chance alone."""
SIZES = re.compile(r"head_dim|_rank|window|num_|size|dim|heads")
SWITCHES = re.compile(r"bias|use_|norm|add_|tie")


def defaults(kind: str) -> dict[str, Any]:
    """The keys of a class, each with its default."""
    made: dict[str, Any] = json.loads(CONFIG_MAPPING[kind]().to_json_string(use_diff=False))
    return made


def few(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same with FEW layers, and the lists that have one item for each of them cut."""
    counts = {
        key: value
        for key, value in content.items()
        if isinstance(value, int) and not isinstance(value, bool) and LAYERS.search(key) and value > FEW
    }
    made = {key: FEW if key in counts else value for key, value in content.items()}
    for key, value in content.items():
        if isinstance(value, dict) and PARTS.search(key):
            made[key] = few(value)
        elif isinstance(value, list) and len(value) in counts.values():
            made[key] = value[:FEW]
    return made


def keys(content: Mapping[str, Any], outer: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The keys that may be changed, by their paths, with their values."""
    for key, value in content.items():
        if isinstance(value, dict) and PARTS.search(key):
            yield from keys(value, (*outer, key))
        elif not LEFT.search(key):
            yield (*outer, key), value


def changed(value: Any, key: str, random: Random) -> Any:
    """Another value of a key; the same where nothing else is known of it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return random.choice((1, 2, 3, 5) if LAYERS.search(key) else (2 * value, value // 2, value + 1, value - 1, 2))
    if isinstance(value, float):
        return random.choice((2 * value, value / 2, 1.0))
    if isinstance(value, str):
        return random.choice(sorted(ACTIVATIONS)) if "act" in key else value
    if value is None and SIZES.search(key):
        return random.choice((1, 2, 4, 8, 16, 32))
    if value is None and SWITCHES.search(key):
        return random.choice((True, False))
    if isinstance(value, list) and value and all(isinstance(item, (str, bool)) for item in value):
        return [random.choice(sorted(set(value))) for _ in value]
    return value


def stated(content: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """What a file has to state: what is not as usual, and the types of nested configurations."""
    made: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and PARTS.search(key) and isinstance(usual.get(key), dict):
            made[key] = stated(value, usual[key])
        elif value != usual.get(key) or (key == "model_type" and value):
            made[key] = value
    return made


def drawn(kind: str, random: Random) -> dict[str, Any]:
    """The content of a config.json: what a type's file states for few layers and one to three changed keys."""
    usual = defaults(kind)
    content = few(usual)
    known = list(keys(content))
    made = {"model_type": kind, **stated(content, usual)}
    for path, value in random.sample(known, min(len(known), random.randint(1, 3))):
        inside: Any = made
        for key in path[:-1]:
            inside = inside.setdefault(key, {})
        inside[path[-1]] = changed(value, path[-1], random)
    return made
