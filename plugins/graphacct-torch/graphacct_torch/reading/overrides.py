"""Keys of a config.json that a user overrides, `--set`: only those that the library's configuration takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from graphacct import brief, suggest
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading import library

OF_ANY = ("model_type", "architectures", "dtype", "torch_dtype", *library.QUANTIZED)
"""Keys of any configuration that its class does not have as fields."""


def overridden(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys of a file with those that replace them; one of a nested object is given by its path, as
    `text_config.num_hidden_layers`.

    Raises CaptureError for a key that neither the file nor the library's configuration has, which would change nothing,
    and for one that chooses kernels.
    """
    result = {**content, **{key: value for key, value in changes.items() if key in OF_ANY}}
    for key, value in changes.items():
        if key in OF_ANY:
            continue
        if key in library.KERNELS:
            raise CaptureError(f"set={key}: a file does not choose kernels: attention= does, eager or fused")
        outer, dot, inner = key.partition(".")
        kind = library.config_class(result)
        parts = dict(getattr(kind, "sub_configs", {}))
        held = result.get(outer)
        if dot and (isinstance(held, Mapping) or outer in parts):
            held = held if isinstance(held, Mapping) else {}
            _check(key, inner, held, _fields(_part(held, parts.get(outer))), ())
            result[outer] = {**held, inner: value}
        else:
            nested = [f"{name}.{key}" for name in parts if key in _fields(_part(result.get(name), parts[name]))]
            _check(key, key, result, _fields(kind), nested)
            result[key] = value
    return result


def _check(key: str, name: str, held: Collection[str], fields: Collection[str], nested: Collection[str]) -> None:
    if name in held or name in fields:
        return
    meant = f"; did you mean {' or '.join(map(repr, nested))}?" if nested else suggest(name, [*held, *fields])
    raise CaptureError(f"set={brief(key).strip(chr(39))}: the configuration has no key {name!r}{meant}")


def _part(held: Any, kind: Any) -> Any:
    """Returns the class of a nested configuration, which its own family says where the outer one's class does not."""
    family = held.get("model_type") if isinstance(held, Mapping) else None
    return library.config_class(held) if isinstance(family, str) and library.knows(family) else kind


def _fields(kind: Any) -> frozenset[str]:
    """Returns the names of what a configuration of the library takes."""
    if not dataclasses.is_dataclass(kind):
        return frozenset()
    names = [field.name for field in dataclasses.fields(kind)]
    return frozenset((*names, *getattr(kind, "attribute_map", {})))
