"""The plugin manager: what is loaded, in which order, and what each plugin registered.

Order matters: pluggy runs hooks last-registered-first, so the core comes first, then graphacct-operators and
graphacct-architectures, then the other entry points by name, then files. Nothing is loaded at import. The default
manager is made on first use, and every function that needs a manager accepts another one as an argument.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache, partial
from types import ModuleType
from typing import Any

import pluggy

from graphacct.errors import PluginError, suggest
from graphacct.hooks import hookspecs, trace
from graphacct.hooks.entry_points import BLOCK_VARIABLE, COMMANDS, EntryPoint, entry_points
from graphacct.hooks.registry import Plugin, Registry, collected, registered

GROUP = "graphacct"
PREFIX = "graphacct_"
REGISTER = f"{PREFIX}register_"
KINDS = tuple(name.removeprefix(REGISTER) for name in vars(hookspecs) if name.startswith(REGISTER))
"""The kinds of things that plugins register; each is an attribute of `Plugins`."""
MARK = f"{hookspecs.PROJECT}_impl"
FIRST = ("graphacct-operators", "graphacct-architectures")
"""Loaded before the other entry points, in this order; the rest of graphacct's own wheel comes next."""
FILE_MODULE = "graphacct_plugin_"
"""How the module of a plugin in a single file is called, with the file's name behind it."""
FILES_VARIABLE = "GRAPHACCT_PLUGINS"
CORE_MODULES = ("graphacct.builtin",)


class _Manager(pluggy.PluginManager):
    """A faster manager: pluggy inspects every name of a module for a hook's mark, but most names cannot have one."""

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> Any:
        return super().parse_hookspec_opts(module_or_class, name) if name.startswith(PREFIX) else None

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if isinstance(plugin, ModuleType) and not hasattr(plugin.__dict__.get(name), MARK):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def _registry(kind: str, singular: str, doc: str, lazy: bool = False) -> cached_property[Registry]:
    """Returns the attribute of `Plugins` for one kind of things, collected on first use."""
    made: cached_property[Registry] = cached_property(lambda plugins: plugins._collect(kind, singular, lazy))
    made.__doc__ = doc
    return made


class Plugins:
    """The loaded plugins, and the registries of what they registered, each collected once, on first use.

    Attributes:
        manager: The pluggy manager; `manager.hook` calls hooks.
        loaded: The plugins in the order in which they were registered.
        left_out: The names of installed plugins that were asked to be left out.
        asked: What `load` was asked to leave out and which files to load, so that another process can do the same;
            None for plugins that were registered otherwise.
        remembered: What others found out of these plugins; forgotten when one more is registered.
    """

    def __init__(self) -> None:
        self.manager = _Manager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        if trace.asked():
            trace.watch(self.manager)
        self.loaded: list[Plugin] = []
        self.left_out: tuple[str, ...] = ()
        self.asked: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self.remembered: dict[Any, Any] = {}

    def register(self, module: Any, name: str, origin: str) -> None:
        """Registers one plugin. Raises PluginError, which names it, if its name is taken or a hook is misspelt."""
        taken = next((plugin for plugin in self.loaded if plugin.name == name), None)
        if taken is not None:
            raise PluginError(f"two plugins are named {name!r}: one of {taken.origin}, one of {origin}; rename one")
        try:
            _check_names(module, name, origin)
            self.manager.register(module, name)
            self.manager.check_pending()
        except (PluginError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self.manager.is_registered(module):
                self.manager.unregister(module)
            text = " ".join(str(error).split())
            if not isinstance(error, pluggy.PluginValidationError):
                text = f"{type(error).__name__}: {text}"
            raise PluginError(f"plugin {name!r} ({origin}) does not fit the hooks: {text}") from error
        self.loaded.append(Plugin(name, origin, module))
        self.asked = None
        if trace.asked():
            hooks = self.manager.get_hookcallers(module) or ()
            trace.loaded(self.loaded[-1].title, [hook.name for hook in hooks])
        self.remembered.clear()
        for attribute in ("costs_nodes_itself", *KINDS):
            self.__dict__.pop(attribute, None)

    def load_entry_point(self, entry: EntryPoint) -> None:
        """Imports and registers one entry point. Raises PluginError, which names it and its distribution, if that
        fails."""
        self.register(entry.load_checked("plugin"), entry.name, entry.distribution)

    def load_file(self, path: str | os.PathLike[str]) -> None:
        """Loads a plugin from a single Python file. Raises PluginError, which names the file, if that fails."""
        file = os.fspath(path)
        if not os.path.isfile(file):
            what = "is a folder: give the file in it" if os.path.isdir(file) else "does not exist"
            raise PluginError(f"plugin file {file!r} {what}")
        name = os.path.splitext(os.path.basename(file))[0]
        module = ModuleType(f"{FILE_MODULE}{name}")
        module.__file__ = file
        sys.modules[module.__name__] = module  # dataclasses look up their module by name
        try:
            with open(file, "rb") as source:
                exec(compile(source.read(), file, "exec"), module.__dict__)  # the user asked for this file
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(f"plugin file {file!r} failed to load: {type(error).__name__}: {error}") from error
        self.register(module, name, file)

    operators = _registry("operators", "operator", "Operators by name, each imported when it is looked up.", lazy=True)
    architectures = _registry("architectures", "architecture", "Architectures by name.")
    conventions = _registry("conventions", "convention", "Conventions by name.")
    profiles = _registry("profiles", "profile", "Execution profiles by name, the default first.")
    readers = _registry("readers", "reader", "Readers by name, in the order in which they are asked.")
    transforms = _registry("transforms", "transform", "Transforms of graphs by name.")
    analyses = _registry("analyses", "analysis", "Analyses by name.")
    optimizers = _registry("optimizers", "optimizer", "Optimizers by name, the default first.")
    recompute_policies = _registry("recompute_policies", "recompute policy", "Recompute policies by name.")
    weight_formats = _registry("weight_formats", "weight format", "Kinds of weight formats by name.")
    translations = _registry("translations", "translation", "Other descriptions of models than a config.json, by name.")
    devices = _registry("devices", "device", "Devices by name.")
    outputs = _registry("outputs", "output", "Formats of `report` and `draw` by name.")

    @cached_property
    def commands(self) -> Registry:
        """Commands of the command line by name: registered by plugins, or announced by distributions."""
        registering = registered(self.loaded, self.manager.hook.graphacct_register_commands, "callback")
        announced = [
            (Plugin(entry.name, entry.distribution, None), entry.load_command())
            for entry in entry_points(COMMANDS)
            if entry.name not in _listed(BLOCK_VARIABLE)
        ]
        return collected("command", [*registering, *announced])

    @cached_property
    def quantities(self) -> Registry:
        """Quantities by name, in the order of a report's columns."""
        found = self._collect("quantities", "quantity")
        for name, quantity in found.items():
            if quantity.within and quantity.within not in found:
                raise PluginError(
                    f"quantity {name!r} of plugin {found.origins[name]} is within {quantity.within!r}, which is no "
                    f"quantity{suggest(quantity.within, found)}"
                )
            if quantity.forward_of not in ("", "none", *found):
                raise PluginError(
                    f"forward_of of quantity {name!r} of plugin {found.origins[name]} is {quantity.forward_of!r}, "
                    f"which is no quantity{suggest(quantity.forward_of, found)}: name the step's, or 'none' if there "
                    "is none"
                )
        return found

    @cached_property
    def costs_nodes_itself(self) -> bool:
        """Whether the core's is the only implementation of `graphacct_node_cost`, so that it can be called directly. A
        trace shows every call, so none is."""
        return len(self.manager.hook.graphacct_node_cost.get_hookimpls()) == 1 and not trace.asked()

    def registered(self, kind: str) -> list[tuple[Plugin, Any]]:
        """Returns the items of a kind (`operators`, `architectures`, …) that are not replaced, each with its plugin."""
        found: Registry = getattr(self, kind)
        return [(found.plugins[name], item) for name, item in found.items()]

    def origin(self, kind: str, name: str) -> str:
        """Returns the plugin that registered `name`, as `name (origin)`; empty if none did."""
        found: Registry = getattr(self, kind)
        return found.origins.get(name, "")

    def note_of_left_out(self) -> str:
        """Returns the tail of a message about an unknown name: which installed plugins are left out, if any."""
        names = ", ".join(self.left_out)
        return f"; left out, and perhaps where it is: {names} (--block, {BLOCK_VARIABLE})" if names else ""

    def raised_by(self, hook: str, error: BaseException) -> str:
        """Returns the plugin whose implementation of `hook` raised an error, as `name (origin)`; empty for the core."""
        names = {
            getattr(impl.function, "__code__", None): impl.plugin_name
            for impl in getattr(self.manager.hook, hook).get_hookimpls()
        }
        traceback, found = error.__traceback__, ""
        while traceback is not None:
            found = names.get(traceback.tb_frame.f_code, found)
            traceback = traceback.tb_next
        if not found and type(error) is RuntimeError and "yield" in str(error):
            return self.who_has(hook)  # pluggy's error about a wrapper: its function is in no frame
        plugin = next((plugin for plugin in self.loaded if plugin.name == found), None)
        return "" if plugin is None or plugin.name in CORE_MODULES else plugin.title

    def who_has(self, hook: str) -> str:
        """Returns the plugins that implement a hook, without the core, as `name (origin)` separated by commas."""
        names = {impl.plugin_name for impl in getattr(self.manager.hook, hook).get_hookimpls()}
        return ", ".join(
            plugin.title for plugin in self.loaded if plugin.name in names and plugin.name not in CORE_MODULES
        )

    def _collect(self, kind: str, singular: str, lazy: bool = False) -> Registry:
        hook = getattr(self.manager.hook, f"{REGISTER}{kind}")
        return collected(singular, registered(self.loaded, hook), lazy)


def load(
    block: Iterable[str] = (), files: Iterable[str] = (), failed: list[tuple[str, str, PluginError]] | None = None
) -> Plugins:
    """Returns a new set of plugins: the core, the entry points except those in `block`, then the `files`.

    The environment variables GRAPHACCT_BLOCK and GRAPHACCT_PLUGINS add to the two (separated by `os.pathsep`).
    A plugin that cannot be loaded is an error, unless `failed` is a list, which gets its name, origin and error.
    """
    plugins = Plugins()
    block, files = tuple(block), tuple(files)
    for name in CORE_MODULES:
        plugins.register(importlib.import_module(name), name, "graphacct")
    entries = _installed()
    installed = [entry.name for entry in entries]
    for name in block:
        if name not in installed:
            raise PluginError(
                f"no installed plugin is named {name!r}, so it cannot be left out{suggest(name, installed)}"
            )
    blocked = {*block, *_listed(BLOCK_VARIABLE)}
    plugins.left_out = tuple(name for name in installed if name in blocked)
    steps: list[tuple[str, str, Callable[[], None]]] = [
        (entry.name, entry.distribution, partial(plugins.load_entry_point, entry))
        for entry in entries
        if entry.name not in blocked
    ]
    for file in (*_listed(FILES_VARIABLE), *files):
        steps.append((os.path.splitext(os.path.basename(file))[0], str(file), partial(plugins.load_file, file)))
    for name, origin, step in steps:
        try:
            step()
        except PluginError as error:
            if failed is None:
                raise
            failed.append((name, origin, error))
    plugins.asked = block, files
    return plugins


@lru_cache(maxsize=1)
def default() -> Plugins:
    """Returns the plugins that every function uses by default; loaded once, on first use."""
    return load()


def _installed() -> list[EntryPoint]:
    """Returns the entry points in the order of loading. One with the name and the target of another is the same module:
    it is loaded once, for the first distribution (two installed wheels may contain one plugin)."""
    found: dict[tuple[str, str], EntryPoint] = {}
    for entry in sorted(entry_points(GROUP), key=_rank):
        found.setdefault((entry.name, entry.target), entry)
    return list(found.values())


def _rank(entry: EntryPoint) -> tuple[int, bool, str]:
    ours = entry.distribution.partition(" ")[0] == GROUP
    return (FIRST.index(entry.name) if entry.name in FIRST else len(FIRST), not ours, entry.name)


def _listed(variable: str) -> list[str]:
    return [item for item in os.environ.get(variable, "").split(os.pathsep) if item]


def _check_names(module: Any, name: str, origin: str) -> None:
    """Checks for misspelt hooks: pluggy ignores an unmarked one, and reports a marked one at length."""
    known = [hook for hook in dir(hookspecs) if hook.startswith(PREFIX)]
    for attribute in dir(module):
        if not attribute.startswith(PREFIX) or not (attribute in known or callable(getattr(module, attribute))):
            continue
        if attribute not in known:
            raise PluginError(
                f"plugin {name!r} ({origin}) has no such hook to implement: {attribute!r}{suggest(attribute, known)}"
            )
        if not hasattr(getattr(module, attribute), MARK):
            raise PluginError(
                f"plugin {name!r} ({origin}): {attribute} is not marked; put @graphacct.hookimpl above it"
            )
