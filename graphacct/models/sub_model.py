"""A model inside another one: the text model or the tower that an object of a config.json describes.

Its family is the one that reads the object's `model_type`, among the plugins in use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import DeclinedError, brief, suggest

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins

FAMILY = "model_type"
LIBRARY = "the transformers library may have the whole model: pip install graphacct-torch transformers"
_IN_USE: ContextVar[Plugins | None] = ContextVar("plugins whose families are looked up", default=None)


@attrs.frozen
class SubModel:
    """A model inside another one.

    Attributes:
        architecture: Its family, an Architecture.
        config: Its configuration, an instance of the family's class.
    """

    architecture: Any
    config: Any


@contextmanager
def families_of(plugins: Plugins) -> Iterator[None]:
    """Looks families up among these plugins inside the `with`."""
    token = _IN_USE.set(plugins)
    try:
        yield
    finally:
        _IN_USE.reset(token)


def _in_use() -> Plugins:
    plugins = _IN_USE.get()
    if plugins is None:
        from graphacct.hooks.manager import default

        plugins = default()
    return plugins


def family(kind: Any, key: str) -> Any:
    """Returns the Architecture of a `model_type`. Raises DeclinedError, which names the key, if there is none."""
    plugins = _in_use()
    known = {name: item for item in plugins.architectures.values() for name in item.model_types}
    if not isinstance(kind, str) or kind not in known:
        close = suggest(kind, known) if isinstance(kind, str) else ""
        raise DeclinedError(f"{key}.{FAMILY} is {brief(kind)}, which no architecture reads{close}", LIBRARY)
    return known[kind].load()


def published_keys(name: str) -> Mapping[str, Any] | None:
    """Returns the keys of the published configuration that a model's name on the Hugging Face Hub means, in any case,
    with or without its organisation; None if no preset has that name. Nothing is fetched."""
    from graphacct.models.hub_names import preset_of_hub_name

    plugins = _in_use()
    preset = preset_of_hub_name(name, plugins)
    found = [item for item in plugins.architectures.values() if preset is not None and preset in item.presets]
    keys: Mapping[str, Any] | None = found[0].presets[preset] if found else None
    return keys


def named(content: Mapping[str, Any], key: str, default: str, renamed: Mapping[str, str]) -> Any:
    """Returns the family of an object of a file; `renamed` has names that files give to a family of another name."""
    kind = content.get(FAMILY)
    kind = default if kind is None else kind
    return family(renamed.get(kind, kind) if isinstance(kind, str) else kind, key)


def inner_dtype(config: Any) -> str | None:
    """Returns the dtype of the first model inside a configuration that says one."""
    inside = (getattr(config, field.name) for field in attrs.fields(type(config)))
    models = (model for model in inside if isinstance(model, SubModel))
    return next((model.config.dtype for model in models if getattr(model.config, "dtype", None)), None)
