"""The catalogue: models, operators, everything else that plugins register, and the plugins, as plain records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphacct import __version__
from graphacct.errors import GraphacctError, PluginError, unknown
from graphacct.hooks.manager import GROUP, PREFIX, Plugins, default
from graphacct.hooks.registry import Plugin, Registry
from graphacct.models.listing import OPERATORS, entry, listed

if TYPE_CHECKING:
    from graphacct.costs.quantities import Quantity

KINDS = (
    "architectures",
    "operators",
    "conventions",
    "quantities",
    "analyses",
    "profiles",
    "readers",
    "transforms",
    "optimizers",
    "recompute-policies",
    "weight-formats",
    "devices",
    "outputs",
    "commands",
    "plugins",
)


def catalogue(
    kind: str, plugins: Plugins | None = None, words: Sequence[str] = (), whole: bool = True
) -> list[dict[str, Any]]:
    """Returns one dictionary for each item of a kind: its name, its facts, and the plugin and distribution it comes
    from; with words, of the items whose names have each of them, in any case.

    Architectures have one row per model name, and are also found by their family and their hub names; with words they
    have their sizes. If not `whole`, rows have what a table shows, and packages with a listing are not imported.

    Raises UnknownNameError for an unknown kind, and for words that no name has.

    >>> [row["name"] for row in catalogue("architectures", words=["gpt2", "xl"])]
    ['gpt2-xl']
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    plugins = plugins or default()
    if kind == "architectures":
        from graphacct.render.model_rows import models, unfound

        rows = list(models(plugins, words, whole))
        if words and not rows:
            raise unfound(words, plugins)
        return rows
    if kind == "plugins":
        rows = [_plugin(plugin, plugins) for plugin in plugins.loaded]
    elif kind == OPERATORS and not whole:
        rows = list(_operators(plugins))
    else:
        rows = [
            {"name": item.name, **_facts(kind, item), "doc": _doc(item), "plugin": plugin.name, "origin": plugin.origin}
            for plugin, item in plugins.registered(kind.replace("-", "_"))
        ]
    found = [row for row in rows if all(word.lower() in row["name"].lower() for word in words)]
    if words and not found:
        raise unknown(f"name among the {kind}", " ".join(words), [row["name"] for row in rows])
    return found


def _operators(plugins: Plugins) -> Iterator[dict[str, Any]]:
    """Yields what a table shows of operators."""
    known = plugins.operators
    for name in known:
        plugin = known.plugins[name]
        facts = listed(plugin.module, OPERATORS, known.as_registered(name)) or entry(OPERATORS, known[name])
        yield {"name": name, **facts, "plugin": plugin.name, "origin": plugin.origin}


def failures(failed: Iterable[tuple[str, str, PluginError]]) -> list[dict[str, Any]]:
    """Returns the plugins that could not be loaded (`graphacct.hooks.manager.load(failed=…)`), as the catalogue's
    rows."""
    nothing: dict[str, Any] = {"version": "", "hooks": [], "registers": {}, "replaces": {}}
    return [{"name": name, "origin": origin, **nothing, "error": str(error)} for name, origin, error in failed]


def conflicts(plugins: Plugins) -> list[str]:
    """Returns the conflicts among the plugins: each name that two of them claim."""
    found = []
    for kind in KINDS[:-1]:
        try:
            getattr(plugins, kind.replace("-", "_"))
        except GraphacctError as error:
            found.append(str(error))
    return found


def _facts(kind: str, item: Any) -> dict[str, Any]:
    if kind == "operators":
        return {"signature": item.signature.text}
    if kind == "quantities":
        return {"unit": item.unit, "per": _per(item), "combine": "ratio" if item.of_row else item.combine}
    if kind in ("transforms", "weight-formats"):
        return {"options": [_option(option) for option in item.options]}
    if kind == "devices":
        texts = {name: getattr(item, name) for name in ("vendor", "source", "conflicts")}
        return {"memory_bytes": item.memory_bytes, "nominal": item.nominal, "aliases": list(item.aliases), **texts}
    if kind == "outputs":
        return {"command": item.command, "endings": list(item.endings)}
    return {}


def _per(quantity: Quantity) -> str:
    """Returns what a quantity's formula is evaluated per, in the JSON contract's word."""
    if quantity.of_node is not None:
        return "total" if quantity.repeats_included else "node"
    return "row" if quantity.of_row else "owned" if quantity.of_owned else "parameter"


def _doc(item: Any) -> str:
    """Returns an item's own description, which a click command keeps under another name."""
    return str(item.doc if hasattr(item, "doc") else item.get_short_help_str(200))


def _option(option: Any) -> str:
    """Returns an option of a transform: `dropout=0.0`, or its name alone if it must be given."""
    return str(option.name if option.default is ... else f"{option.name}={option.default}")


def _plugin(plugin: Plugin, plugins: Plugins) -> dict[str, Any]:
    """Returns a plugin with its hooks, what it registers and what of others' it replaces, or with its error if one of
    its hooks fails."""
    registers: dict[str, list[str]] = {}
    replaces: dict[str, dict[str, str]] = {}
    error = None
    hooks = plugins.manager.get_hookcallers(plugin.module) or ()
    for hook in hooks:
        kind = hook.name.removeprefix(PREFIX).removeprefix("register_").replace("_", "-")
        if kind not in KINDS:
            registers[kind] = []
            continue
        function: Any = next(impl.function for impl in hook.get_hookimpls() if impl.plugin_name == plugin.name)
        try:
            registers[kind] = [item.name for item in function()]
        except Exception as problem:
            error = f"{hook.name} failed: {type(problem).__name__}: {problem}"
        else:
            replaced = _replaced(kind, plugin, plugins)
            if replaced:
                replaces[kind] = replaced
    return {
        "name": plugin.name,
        "origin": plugin.origin,
        "version": _version(plugin),
        "hooks": [hook.name for hook in hooks],
        "registers": registers,
        "replaces": replaces,
        "error": error,
    }


def _replaced(kind: str, plugin: Plugin, plugins: Plugins) -> dict[str, str]:
    """Returns the names of a kind that a plugin replaces, with the plugin that each was of."""
    try:
        found: Registry = getattr(plugins, kind.replace("-", "_"))
    except GraphacctError:  # a conflict, which has a line of its own
        return {}
    return {name: other.title for name, other in found.replaced.items() if found.plugins[name] is plugin}


def _version(plugin: Plugin) -> str:
    """Returns the version of the distribution that a plugin comes from; empty for a file."""
    if plugin.origin == GROUP:
        return __version__
    of_file = plugin.origin == getattr(plugin.module, "__file__", None)
    return "" if of_file else plugin.origin.partition(" ")[2]
