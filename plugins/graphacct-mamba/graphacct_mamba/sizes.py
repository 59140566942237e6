"""The configuration field that only these families have."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Dim, check_dim


def rank() -> Any:
    """Returns a width that may be `auto` (None): a sixteenth of the model's, rounded up."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
        return None if value is None or value == "auto" else check_dim(value, field.name)

    return attrs.field(default=None, converter=attrs.Converter(check, takes_field=True))
