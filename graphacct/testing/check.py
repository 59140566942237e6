"""Checks a plugin, in a file or a distribution: that it loads, and that what it registers keeps its contracts."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from graphacct.errors import PluginError, failure
from graphacct.hooks.manager import GROUP, KINDS, Plugins, load
from graphacct.hooks.registry import Plugin
from graphacct.testing.contract import Contract, failures
from graphacct.testing.made_up import CONTRACTS, contract_of_hooks, made_up
from graphacct.testing.needs import INSTALL, WORLDS
from graphacct.testing.node_hooks import NodeHooksContract

KIT = "graphacct.testing"
"""What a file of tests imports if it has contracts; others are not run."""
NO_ROWS = ("test_rows_state_", "test_runs_")
"""How the tests are called that a contract without rows fails."""
PROJECT_TESTS = 6
"""Its name, version and description, its entry points, what it depends on, and its tests."""


@attrs.frozen
class Checked:
    """What was checked, and what is wrong.

    Attributes:
        subject: `operator squared_relu`, or a file of the distribution.
        tests: How many tests ran.
        problems: What is wrong, each in a line with what to do.
        own: Whether the tests are those of the author's contract, rather than made up here.
    """

    subject: str
    tests: int
    problems: tuple[str, ...] = ()
    own: bool = True


def check(path: str | os.PathLike[str]) -> list[Checked]:
    """Returns what was found of a plugin: a Python file, or the folder of a distribution.

    Raises PluginError if it is neither, or cannot be loaded, or if what the checks need is not installed.
    """
    for module, what in WORLDS.items():
        if find_spec(module) is None:
            raise PluginError(f"a plugin is checked with {what}, which need {module}: {INSTALL}")
    found = Path(path)
    if found.is_dir():
        return list(_distribution(found))
    plugins = load(files=[os.fspath(path)])
    return list(_things(plugins.loaded[-1], plugins, []))


def _distribution(folder: Path) -> Iterator[Checked]:
    project = _project(folder)
    entries = project.get("entry-points", {}).get(GROUP, {})
    problems = [*_of_project(project, entries)]
    contracts: list[type[Contract]] = []
    others: set[str] = set()
    for place in (folder, folder / "src"):
        sys.path.insert(0, os.fspath(place.resolve()))
    plugins = load()
    for name, target in entries.items():
        plugin = next((plugin for plugin in plugins.loaded if plugin.name == name), None)
        module = _module(name, target)
        if plugin is None:
            plugins.register(module, name, f"{project.get('name', folder.name)} {project.get('version', '')}".strip())
        elif plugin.module is not module:
            others.add(name)
            problems.append(f"another plugin {name!r} is installed, of {plugin.origin}: uninstall it, or rename yours")
    tests = sorted(folder.glob("tests/**/test_*.py"))
    if not tests:
        problems.append("there are no tests: write a contract for each thing (docs/testing-a-plugin.md)")
    for file in tests:
        if KIT not in file.read_text(encoding="utf-8", errors="replace"):
            continue
        try:
            contracts += _contracts(file)
        except Exception as error:
            problems.append(failure(f"{file.relative_to(folder)}", error))
    yield Checked("pyproject.toml", PROJECT_TESTS, tuple(problems))
    for name in [name for name in entries if name not in others]:
        plugin = next(plugin for plugin in plugins.loaded if plugin.name == name)
        yield from _things(plugin, plugins, contracts)


def _project(folder: Path) -> dict[str, Any]:
    file = folder / "pyproject.toml"
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    except OSError as error:
        raise PluginError(f"{folder}: has no pyproject.toml, so it is no distribution: name a plugin's file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PluginError(f"{file}: cannot be read: {error}") from error
    except KeyError as error:
        raise PluginError(f"{file}: has no table [project]") from error
    return found


def _of_project(project: dict[str, Any], entries: dict[str, str]) -> Iterator[str]:
    for key in ("name", "version", "description"):
        if not project.get(key) and key not in project.get("dynamic", ()):
            yield f"[project] has no {key}: pip and `graphacct plugins` show it"
    if not entries:
        yield f"no entry point: add [project.entry-points.{GROUP}] with NAME = MODULE, or nothing finds the plugin"
    if not any(str(item).lower().startswith(GROUP) for item in project.get("dependencies", ())):
        yield 'dependencies do not name graphacct: dependencies = ["graphacct"]'


def _module(name: str, target: str) -> Any:
    module, _, attribute = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except Exception as error:
        raise PluginError(f"plugin {name!r}: {target} cannot be imported: {type(error).__name__}: {error}") from error
    return found


def _contracts(file: Path) -> list[type[Contract]]:
    """Returns the contracts in a file of tests, as pytest finds them."""
    spec = spec_from_file_location(f"graphacct_checked_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = module_from_spec(spec)
    sys.modules[module.__name__] = module
    sys.path.insert(0, os.fspath(file.parent.resolve()))  # as pytest does, for what tests share
    spec.loader.exec_module(module)
    return [
        item
        for name, item in vars(module).items()
        if name.startswith("Test") and isinstance(item, type) and issubclass(item, Contract)
    ]


def _things(plugin: Plugin, plugins: Plugins, contracts: list[type[Contract]]) -> Iterator[Checked]:
    """Yields each thing that a plugin registers, under its contract or one that is made up."""
    count = 0
    for kind in KINDS:
        for of, item in plugins.registered(kind):
            if of is not plugin:
                continue
            count += 1
            own = [one for one in contracts if one.kind == kind and _is_of(one, item)]
            noun = CONTRACTS[kind].noun.replace("_", " ")
            for contract in own or [made_up(kind, item, plugins)]:
                yield _checked(f"{noun} {item.name}", contract, bool(own))
    hooks = contract_of_hooks(plugin, plugins)
    if hooks is not None:
        own = [one for one in contracts if issubclass(one, NodeHooksContract) and one.plugin is plugin.module]
        for contract in own or [hooks]:
            yield _checked(f"hooks of {plugin.name}", contract, bool(own))
    elif not count and plugins.manager.get_hookcallers(plugin.module):
        yield Checked(plugin.name, 1, ("registers nothing: its hooks return empty lists",))
    elif not count:
        yield Checked(plugin.name, 1, ("implements no hook: a function graphacct_register_… with @graphacct.hookimpl",))


def _is_of(contract: type[Contract], item: Any) -> bool:
    thing = getattr(contract, contract.noun, None)
    return (thing if isinstance(thing, str) else getattr(thing, "name", None)) == item.name


def _checked(subject: str, contract: type[Contract], own: bool) -> Checked:
    problems: dict[str, str] = {}  # by what is wrong: one fault may fail several tests
    for name, text in failures(contract):
        message = text.removeprefix(f"{contract.noun.replace('_', ' ')} {contract().name()!r}: ")
        if own or not name.startswith(NO_ROWS):
            problems.setdefault(message, f"{name}: {message}")
        elif "no rows" in message:
            problems[message] = f"needs a contract, as its rows cannot be made up: {contract.__doc__}"
    return Checked(subject, len(contract.checks()), tuple(problems.values()), own)
