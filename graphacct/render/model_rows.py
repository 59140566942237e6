"""The catalogue's rows of models: every name that a model can be asked for by, and the sizes of those asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import GraphacctError, UnknownNameError, brief
from graphacct.hooks.manager import Plugins
from graphacct.models.listing import ARCHITECTURES, listed

if TYPE_CHECKING:
    from graphacct.models.architecture import Architecture
    from graphacct.models.lazy_architecture import LazyArchitecture

SIZES = ("params", "active_params", "param_bytes")
"""The quantities of a model that are shown as its sizes."""
DEFAULT_SIZES = "the family's defaults"
"""The source of the sizes of a family without presets."""


def models(plugins: Plugins, words: Sequence[str] = (), whole: bool = True) -> Iterator[dict[str, Any]]:
    """Yields a record for every name of a model; with words, for those that have each of them in their own name, the
    family's or a hub name, in any case, and their sizes.

    With words, a family that has presets has no row of its own: its default sizes are no model that anyone has. A size
    is null if the model cannot be counted; `error` says why. Without words, and if not `whole`, a record has what a
    table shows.
    """
    for plugin, item in plugins.registered("architectures"):
        names = [name for name in (item.presets if words and item.presets else _names(item)) if _has(words, name, item)]
        if not names:
            continue
        facts = None if whole or words else listed(plugin.module, ARCHITECTURES, item)
        if facts is not None:
            for name in names:
                missing = facts["needed"] if name not in item.presets else ()
                yield {
                    "name": name,
                    "architecture": item.name,
                    "takes": ["batch", *facts["takes"]],
                    "error": _given_by_a_file(missing) if missing else None,
                    "doc": facts["doc"],
                    "plugin": plugin.name,
                    "origin": plugin.origin,
                }
            continue
        architecture = item.load()
        sources = getattr(item.presets, "sources", {})
        for name in names:
            yield {
                "name": name,
                "architecture": architecture.name,
                "takes": ["batch", *architecture.sizes],
                **_configured(architecture, name),
                **(_sizes(name, plugins) if words else {}),
                "source": sources.get(name, "" if item.presets else DEFAULT_SIZES),
                "doc": architecture.doc,
                "plugin": plugin.name,
                "origin": plugin.origin,
            }


def unfound(words: Sequence[str], plugins: Plugins) -> UnknownNameError:
    """Returns the error for words that no model has: the closest name, or those of other sizes."""
    from graphacct.models.hub_names import suggest_model

    items = [item for _, item in plugins.registered("architectures")]
    asked = " ".join(words)
    close = suggest_model(asked, _all(items, presets=True), _all(items, presets=False))
    return UnknownNameError(
        f"no name of a model has {brief(asked)}{close} (graphacct list shows all models, "
        "graphacct list --help the kinds of other things)"
    )


def _all(items: list[LazyArchitecture], presets: bool) -> list[str]:
    return [name for item in items for name in (item.presets if presets else _names(item))]


def _names(item: LazyArchitecture) -> list[str]:
    """Returns the names of an architecture's models: its presets, after its own name if no preset has that."""
    return [*(() if item.name in item.presets else (item.name,)), *item.presets]


def _has(words: Sequence[str], name: str, item: LazyArchitecture) -> bool:
    """Whether each word is part of a name that a model is known by, with or without hyphens: `u-net` and `unet`.

    A hub name counts for its preset alone: `llama-3` is no word of Llama 2.
    """
    if not words:
        return True
    hub: Mapping[str, str] = getattr(item.presets, "hub_names", {})
    known = [name, item.name, *item.model_types, *(full for full, preset in hub.items() if preset == name)]
    texts = [text.lower() for text in known]
    return all(
        any(word in text or word.replace("-", "") in text.replace("-", "") for text in texts)
        for word in map(str.lower, words)
    )


def _configured(architecture: Architecture, name: str) -> dict[str, Any]:
    """Returns the configuration of a model; none, and why, for a family whose sizes only a file can say."""
    preset = name in architecture.presets
    if architecture.needed and not preset:
        return {"config": {}, "error": _given_by_a_file(architecture.needed)}
    try:
        config = architecture.preset(name) if preset else architecture.config()
    except GraphacctError as error:
        return {"config": {}, "error": str(error)}
    return {"config": _keys(config), "error": None}


def _given_by_a_file(keys: Sequence[str]) -> str:
    return f"{' and '.join(keys)} must be given: a file says them"


def _keys(config: Any) -> dict[str, Any]:
    """Returns the keys of a configuration and their values; those of a model inside it as an object with its
    `model_type`, as config.json has them."""
    from graphacct.models.sub_model import SubModel
    from graphacct.render.records import plain_value

    values = attrs.asdict(config, recurse=False)
    return {
        key: {"model_type": value.architecture.name, **_keys(value.config)}
        if isinstance(value, SubModel)
        else plain_value(value, key)
        for key, value in values.items()
    }


def _sizes(name: str, plugins: Plugins) -> dict[str, Any]:
    """Returns the sizes of a model with its own defaults."""
    from graphacct.costs.annotate import annotate  # the table of all models has no sizes, and needs none of this
    from graphacct.costs.conventions import find_convention
    from graphacct.keywords import DEFAULTS
    from graphacct.models.build import build
    from graphacct.reports.rollup import rollup

    counted = find_convention(DEFAULTS["convention"], plugins.conventions)
    wanted = [size for size in SIZES if size in plugins.quantities]
    try:
        total = rollup(annotate(build(name, plugins=plugins), counted, plugins=plugins), plugins, wanted).total
    except GraphacctError as error:
        return {**dict.fromkeys(wanted), "error": str(error)}
    return {size: total.get(size) for size in wanted}
