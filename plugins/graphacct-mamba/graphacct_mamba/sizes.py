"""The configuration field that only these families have, and their keys that change no cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Dim, check_dim

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


def rank() -> Any:
    """Returns a width that may be `auto` (None): a sixteenth of the model's, rounded up."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
        return None if value is None or value == "auto" else check_dim(value, field.name)

    return attrs.field(default=None, converter=attrs.Converter(check, takes_field=True))
