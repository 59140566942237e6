"""The registry: tables of what plugins registered, each thing under its name and with the plugin it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import pluggy

from graphacct.errors import PluginError, brief


@attrs.frozen(eq=False)
class Plugin:
    """A loaded plugin.

    Attributes:
        name: Its entry point's name, or its file's.
        origin: Its distribution and version, its file, or `graphacct` for the core's own.
        module: The object whose hooks are registered.
    """

    name: str
    origin: str
    module: Any

    @property
    def title(self) -> str:
        """What messages call it: `name (origin)`."""
        return self.name if self.origin == self.name else f"{self.name} ({self.origin})"


class Table(dict[str, Any]):
    """What is registered, by name.

    Attributes:
        plugins: The plugin that each comes from.
        origins: The same as text, `name (origin)`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plugins: dict[str, Plugin] = {}
        self.origins: dict[str, str] = {}


def tabulated(kind: str, items: Iterable[tuple[Plugin, Any]]) -> Table:
    """A table of things of a kind; PluginError names both plugins that claim a name."""
    table = Table()
    for plugin, item in items:
        other = table.get(item.name)
        if other is not None:
            if other.replaces == item.replaces:
                raise PluginError(
                    f"{kind} {item.name!r} is registered twice, by {table.origins[item.name]} and by "
                    f"{plugin.title}; exactly one may say replaces=True"
                )
            if other.replaces:
                continue
        table[item.name], table.plugins[item.name], table.origins[item.name] = item, plugin, plugin.title
    return table


def registered(loaded: Iterable[Plugin], hook: pluggy.HookCaller) -> Iterator[tuple[Plugin, Any]]:
    """Each item that a hook registers with its plugin, in the order of loading (pluggy's own call loses who said what).

    Raises PluginError, which names the plugin, where its function fails or gives something else.
    """
    functions: Mapping[str, Callable[..., Any]] = {impl.plugin_name: impl.function for impl in hook.get_hookimpls()}
    for plugin in loaded:
        if plugin.name not in functions:
            continue
        who = f"plugin {plugin.title} failed in {hook.name}:"
        try:
            result = functions[plugin.name]()
            items = list(result) if isinstance(result, Iterable) else None
        except (Exception, SystemExit) as error:
            raise PluginError(f"{who} {type(error).__name__}: {error}") from error
        if items is None:
            raise PluginError(f"{who} it returned {brief(result)}, which is no list")
        kind = hook.name.rpartition("_")[2]
        for item in items:
            if not (isinstance(getattr(item, "name", None), str) and hasattr(item, "replaces")):
                raise PluginError(f"{who} {brief(item)} is none of the {kind}")
            yield plugin, item
