"""Keys of diffusers' config.json files: lists of blocks, sizes for each block, and keys of one modelled value.

A file of diffusers holds every argument of its class. A family here reads each of them: the ones that change the cost
are fields, the others are in `no_cost`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct import ConfigError, Dim, brief, exact_div, fields, suggest

ANY = None
_OF_FILES = "_class_name _diffusers_version _name_or_path _use_default_values"
_OF_AVERAGES = "decay inv_gamma min_decay optimization_step power update_after_step use_ema_warmup"
_OF_LATENTS = "scaling_factor shift_factor latents_mean latents_std force_upcast"
_FACTORS = "flip_sin_to_cos freq_shift norm_eps eps mid_block_scale_factor resnet_out_scale_factor interpolation_scale"
NO_COST: Mapping[str, tuple[Any, ...] | None] = dict.fromkeys(
    f"{_OF_FILES} {_OF_AVERAGES} {_OF_LATENTS} {_FACTORS}".split()
)
"""Keys of any class that change no cost: settings of the file, and numbers that are a factor in a step that runs
whatever they are."""
SIZED = fields.SIZED
MOST_BLOCKS = 64
"""The most entries of a list; published models have at most 13 blocks."""
Each = Any
"""A size, or a tuple of one for each block."""


def block_names(default: Sequence[str], known: Sequence[str]) -> Any:
    """Returns a list of names of blocks, each one that is modelled."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Sequence) or not 0 < len(parts) <= MOST_BLOCKS:
            raise ConfigError(f"{field.name} are names of blocks, not {brief(value)}")
        names = [part.removeprefix("UNetRes") if isinstance(part, str) else part for part in parts]
        for name in names:
            if not isinstance(name, str) or name not in known:
                near = suggest(str(name), known) or f"; known: {', '.join(known)}"
                raise ConfigError(f"{field.name} has {brief(name)}, a block that is not modelled{near}")
        return tuple(names)

    return fields.checked_field(check, tuple(default))


def kernel(default: int) -> Any:
    """Returns the side of a convolution's kernel. It is no size that formulas keep open: half of it, rounded, would be
    in the height and width of everything after it."""
    return fields.checked_field(_kernel, default)


def _kernel(value: Any, field: attrs.Attribute[Any]) -> Dim:
    return fields.bounded(value, field.name)


def each(default: Any, *, minimum: int = 1, optional: bool = False) -> Any:
    """Returns a size for all blocks, or one for each; None too if it is `optional`."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Each:
        if value is None and optional:
            return None
        return _sizes(value, field.name, minimum, 2)

    return fields.checked_field(check, default, fields.OPTIONAL_SIZE if optional else SIZED)


def _sizes(value: Any, name: str, minimum: int, deep: int) -> Any:
    if isinstance(value, str) and "," in value:
        value = [int(part) if part.strip().isdecimal() and len(part) < 20 else part for part in value.split(",")]
    if isinstance(value, (list, tuple)):
        if not deep or not 0 < len(value) <= MOST_BLOCKS:
            raise ConfigError(f"{name} is a size, or a list of one for each block, not {brief(value)}")
        return tuple(_sizes(part, name, minimum, deep - 1) for part in value)
    return fields.bounded(value, name, minimum)


def named(default: str, known: Sequence[str]) -> Any:
    """Returns a name for all blocks, or a list of one for each."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | tuple[str, ...]:
        parts = value if isinstance(value, (list, tuple)) else [value]
        if not 0 < len(parts) <= MOST_BLOCKS:
            raise ConfigError(f"{field.name} is a name, or a list of one for each block, not {brief(value)}")
        for name in parts:
            if not isinstance(name, str) or name not in known:
                near = suggest(str(name), known) or f"; known: {', '.join(known)}"
                raise ConfigError(f"{field.name} has {brief(name)}, which is not modelled{near}")
        return tuple(parts) if isinstance(value, (list, tuple)) else parts[0]

    return fields.checked_field(check, default)


def switches(default: bool | tuple[bool, ...]) -> Any:
    """Returns true or false for all blocks, or a list of one for each."""

    def check(value: Any, field: attrs.Attribute[Any]) -> bool | tuple[bool, ...]:
        parts = value if isinstance(value, (list, tuple)) else [value]
        if not 0 < len(parts) <= MOST_BLOCKS or not all(isinstance(part, bool) for part in parts):
            raise ConfigError(f"{field.name} is true or false, or a list of that, not {brief(value)}")
        return tuple(parts) if parts is value or isinstance(value, tuple) else parts[0]

    return fields.checked_field(check, default)


def only(default: Any, *others: Any, why: str = "") -> Any:
    """Returns a key that is modelled at `default` and the `others` alone; another value is an error that names it."""
    known = (default, *others)

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        plain = tuple(value) if isinstance(value, list) else value
        if not any(type(plain) is type(item) and plain == item for item in known):
            said = " or ".join("null" if item is None else str(item).lower() for item in known)
            raise ConfigError(f"{field.name} is {brief(value)}, which is not modelled{why}: it is {said}")
        return plain

    return fields.checked_field(check, default, fields.OPTIONAL)


def optional_choice(default: str | None, options: Sequence[str]) -> Any:
    """Returns one of a few names, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value is not None and (not isinstance(value, str) or value not in options):
            near = suggest(str(value), options) or f": it is null, {', '.join(options)}"
            raise ConfigError(f"{field.name} cannot be {brief(value)}{near}")
        return value

    return fields.checked_field(check, default, fields.OPTIONAL)


MOST = 1000.0
"""The largest ratio."""


def ratio(default: float | None) -> Any:
    """Returns a positive number; None too if that is the default."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float | None:
        if value is None and default is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST:
            raise ConfigError(f"{field.name} is a number between 0 and {MOST:.0f}, not {brief(value)}")
        return float(value)

    return fields.checked_field(check, default, fields.OPTIONAL if default is None else None)


def act(default: str = "silu") -> Any:
    """Returns the name of an activation, as diffusers has them."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        name = value.lower() if isinstance(value, str) else value
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise ConfigError(f"{field.name} cannot be {brief(value)}; known: {', '.join(ACTIVATIONS)}")
        return name

    return fields.checked_field(check, default)


def optional_act() -> Any:
    """Returns the name of an activation, or None."""
    return optional_choice(None, tuple(ACTIVATIONS))


ACTIVATIONS = {"swish": "silu", "silu": "silu", "mish": "mish", "gelu": "gelu", "relu": "relu"}
"""diffusers' names of activations, and the operators."""


def per_block(value: Each, count: int, name: str) -> tuple[Any, ...]:
    """Returns a size for each of `count` blocks. Raises ConfigError for a list of another length."""
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise ConfigError(f"{name} has {len(value)} entries, and there are {count} blocks")
    return value


def number(value: Each, name: str) -> Dim:
    """Returns a size that is the same for all blocks."""
    if isinstance(value, tuple):
        raise ConfigError(f"{name} is a list, and one size is meant here")
    return value


def halved(value: Dim, name: str) -> Dim:
    """Returns half of an even size."""
    return exact_div(value, 2, f"{name} / 2")
