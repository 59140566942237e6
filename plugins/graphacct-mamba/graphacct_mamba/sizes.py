"""What these families share: a configuration field, the keys that change no cost, and what is not exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, Workload, brief, check_dim, fields

NO_COST: Mapping[str, tuple[Any, ...] | None] = dict.fromkeys(
    [
        "d_inner",
        "pad_vocab_size_multiple",
        "rescale_prenorm_residual",
        "rms_norm",
        "time_step_floor",
        "time_step_init_scheme",
        "time_step_limit",
        "time_step_max",
        "time_step_min",
        "time_step_scale",
        "use_associative_scan",
        "use_mamba_kernels",
        "use_mambapy",
    ]
)
"""Keys of these families' files that change no cost: initial values, which implementation of the scan runs, and keys
of the original form that the library's classes do not read."""


def inexact(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: in 16 bits those of the scan."""
    if dtype == "float32":
        return ()
    return (
        "saved tensors of the scan in 16 bits are not those of the library, which without its kernels loops over the "
        "tokens and casts each",
    )


def rank() -> Any:
    """Returns a width that may be `auto` (None): a sixteenth of the model's, rounded up."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
        return None if value is None or value == "auto" else check_dim(value, field.name)

    return attrs.field(default=None, converter=attrs.Converter(check, takes_field=True))


def multiplier(default: float | None) -> Any:
    """Returns a positive number that may be left out (None)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float | None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
            raise ConfigError(f"{field.name} is a positive number, not {brief(value)}")
        return value

    return fields.checked_field(check, default, metadata=fields.OPTIONAL)


def indices() -> Any:
    """Returns a list of layers by index, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(type(item) is not int for item in value):
            raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)
