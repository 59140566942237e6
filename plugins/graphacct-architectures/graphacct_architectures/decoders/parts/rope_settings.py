"""The settings of rotary positions (`rope_parameters`, `rope_scaling` in older files).

Only the rotated fraction of each head changes a cost. The other settings are checked, because a file that has nonsense
there is no model's: kinds and required keys are those of the transformers library (modeling_rope_utils.py, 5.23).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import Any

import attrs

from graphacct import ConfigError, brief, fields

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "longrope": ("short_factor", "long_factor"),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
    "proportional": (),
}
"""The kinds of scaling, each with the keys that it cannot do without. A missing original length is the model's."""
POSITIVE = (
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "factor",
    "high_freq_factor",
    "low_freq_factor",
    "original_max_position_embeddings",
    "rope_theta",
)
"""Settings that are positive numbers."""
LISTS = ("long_factor", "short_factor")
"""Settings that are lists of positive numbers, one for each pair of rotated dimensions."""
SECTIONS = "mrope_section"
"""The setting that is a list of how many pairs of dimensions tell time, height and width."""
KNOWN = frozenset(
    [
        *POSITIVE,
        *LISTS,
        "apply_yarn_scaling",
        "attn_factor",
        "extrapolation_factor",
        "finetuned",
        "llama_4_scaling_beta",
        "long_mscale",
        "max_position_embeddings",
        "mrope_interleaved",
        SECTIONS,
        "mscale",
        "mscale_all_dim",
        "alpha",
        "partial_rotary_factor",
        "rope_type",
        "short_mscale",
        "truncate",
        "type",
        "full_attention",
        "sliding_attention",
    ]
)
"""Settings that are understood: none but the fraction changes a cost."""
LAYERS = ("full_attention", "sliding_attention")
"""Kinds of layers that may have settings of their own."""


def rope_parameters(
    former: Mapping[str, str] | None = None,
    kinds: Sequence[str] = tuple(REQUIRED),
    layers: Collection[str] = LAYERS,
) -> Any:
    """Returns the field of the settings.

    Args:
        former: Former names of kinds, and today's.
        kinds: The kinds that the family has; settings that name none are of the first.
        layers: The kinds of layers that may have settings of their own.
    """

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object of settings, not {brief(value)}")
        own = [key for key in layers if key in value]
        for key in own:
            if value[key] is not None and not isinstance(value[key], Mapping):
                raise ConfigError(f"{field.name} has {key} {brief(value[key])}, which must be an object of settings")
        for settings in [value[key] for key in own] or [value]:
            if settings:
                _check(settings, field.name, former or {}, kinds)
        return value

    return fields.checked_field(check, None, metadata={"settings": KNOWN.union(layers)})


def _check(settings: Mapping[str, Any], name: str, former: Mapping[str, str], kinds: Sequence[str]) -> None:
    """Raises ConfigError, which begins with the field's name, for settings that no model can have."""
    said = settings.get("rope_type", settings.get("type", kinds[0]))
    kind = former.get(said, said) if isinstance(said, str) else said
    if kind not in kinds:
        raise ConfigError(f"{name} has rope_type {brief(said)}; known: {', '.join(kinds)}")
    for key in REQUIRED.get(kind, ()):
        if settings.get(key) is None:
            raise ConfigError(f"{name} has no {key}, which rope_type {said!r} needs")
    for key in POSITIVE:
        if settings.get(key) is not None and not _positive(settings[key]):
            raise ConfigError(f"{name} has {key} {brief(settings[key])}, which must be a positive number")
    for key in LISTS:
        held = settings.get(key)
        if held is not None and not (isinstance(held, (list, tuple)) and held and all(map(_positive, held))):
            raise ConfigError(f"{name} has {key} {brief(held)}, which must be a list of positive numbers")
    parts = settings.get(SECTIONS)
    if parts is not None and not (isinstance(parts, (list, tuple)) and parts and all(map(_count, parts))):
        raise ConfigError(f"{name} has {SECTIONS} {brief(parts)}, which must be a list of counts")
    fraction = settings.get("partial_rotary_factor")
    if fraction is not None and (not _number(fraction) or not 0 <= fraction <= 1):
        raise ConfigError(f"{name} has partial_rotary_factor {brief(fraction)}, which must be a fraction from 0 to 1")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _positive(value: Any) -> bool:
    return _number(value) and value > 0
