"""Registries: the things that plugins registered, by name, each with its plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import pluggy

from graphacct.errors import PluginError, brief
from graphacct.hooks import trace


@attrs.frozen(eq=False, repr=False)
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

    def __repr__(self) -> str:
        return f"<Plugin {self.title}>"

    @property
    def title(self) -> str:
        """Its name in messages: `name (origin)`."""
        return self.name if self.origin == self.name else f"{self.name} ({self.origin})"


class Registry(dict[str, Any]):
    """The things of one kind that plugins registered, by name.

    Attributes:
        plugins: The plugin that each comes from.
        origins: The same as text, `name (origin)`.
        known_as: Names that other libraries have for the things, with the thing's name here, for suggestions.
        replaced: The plugin whose thing of that name was replaced, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plugins: dict[str, Plugin] = {}
        self.origins: dict[str, str] = {}
        self.known_as: dict[str, str] = {}
        self.replaced: dict[str, Plugin] = {}

    def __iter__(self) -> Iterator[str]:
        """Returns the names. `dict(registry)` and `{**registry}` copy by `__getitem__` only if the class has its own
        `__iter__`."""
        return super().__iter__()

    def as_registered(self, name: str) -> Any:
        """Returns a thing, not imported if it waits for that."""
        return dict.__getitem__(self, name)


class LazyRegistry(Registry):
    """A registry whose things are imported when they are looked up, if they have a function `load`.

    The names and their plugins are known without an import; `values` and `items` import everything.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: set[str] = set()

    def __setitem__(self, name: str, item: Any) -> None:
        super().__setitem__(name, item)
        (self._waiting.add if hasattr(item, "load") else self._waiting.discard)(name)

    def __getitem__(self, name: str) -> Any:
        return self._loaded(name) if name in self._waiting else dict.__getitem__(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        return self._loaded(name) if name in self._waiting else dict.get(self, name, default)  # faster than super()

    def values(self) -> Any:
        self._load_all()
        return super().values()

    def items(self) -> Any:
        self._load_all()
        return super().items()

    def _load_all(self) -> None:
        for name in [name for name in self if name in self._waiting]:
            self._loaded(name)

    def _loaded(self, name: str) -> Any:
        """Loads a thing, stores it in place of its lazy form and returns it. Raises PluginError, which names the
        plugin, if that fails."""
        waiting = super().__getitem__(name)
        try:
            item = waiting.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            problem = f"{type(error).__name__}: {error}"
            raise PluginError(f"plugin {self.origins[name]} failed to load {name!r}: {problem}") from error
        self[name] = item
        return item


def collected(kind: str, items: Iterable[tuple[Plugin, Any]], lazy: bool = False) -> Registry:
    """Returns the registry of a kind of things. Raises PluginError, which names both plugins, if two claim a name.

    A thing without an attribute `replaces` (a click command) never replaces another. If `lazy`, things with a function
    `load` are loaded when they are looked up.
    """
    found = LazyRegistry() if lazy else Registry()
    for plugin, item in items:
        if item.name in found:
            other = dict.__getitem__(found, item.name)
            ours, theirs = (getattr(one, "replaces", None) for one in (other, item))
            if ours == theirs:
                way_out = "rename one" if theirs is None else "exactly one may say replaces=True"
                raise PluginError(
                    f"{kind} {item.name!r} is registered twice, by {found.origins[item.name]} and by "
                    f"{plugin.title}; {way_out}"
                )
            found.replaced[item.name] = plugin if ours else found.plugins[item.name]
            if ours:
                continue
        found[item.name], found.plugins[item.name], found.origins[item.name] = item, plugin, plugin.title
        for other in getattr(item, "known_as", ()):
            found.known_as.setdefault(other, item.name)
    return found


def registered(
    loaded: Iterable[Plugin], hook: pluggy.HookCaller, mark: str = "replaces"
) -> Iterator[tuple[Plugin, Any]]:
    """Yields each item that a hook registers with its plugin, in the order of loading. (pluggy's own call loses the
    plugin.)

    An item has a name, and the attribute that marks its kind. Raises PluginError, which names the plugin, if its
    function fails or returns anything else.
    """
    functions: Mapping[str, Callable[..., Any]] = {impl.plugin_name: impl.function for impl in hook.get_hookimpls()}
    for plugin in loaded:
        if plugin.name not in functions:
            continue
        who = f"plugin {plugin.title} failed in {hook.name}:"
        try:
            result = functions[plugin.name]()
            items = list(result) if isinstance(result, Iterable) else None
            fits = [isinstance(getattr(item, "name", None), str) and hasattr(item, mark) for item in items or ()]
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(f"{who} {type(error).__name__}: {error}") from error
        if items is None:
            raise PluginError(f"{who} it returned {brief(result)}, which is no list")
        if trace.asked():
            trace.registers(hook.name, plugin.title, [item for item, fit in zip(items, fits, strict=True) if fit])
        kind = hook.name.partition("_register_")[2].replace("_", " ")
        for item, fit in zip(items, fits, strict=True):
            if not fit:
                raise PluginError(f"{who} {brief(item)} is none of the {kind}")
            yield plugin, item
