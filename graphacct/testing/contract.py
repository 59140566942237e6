"""What all contracts share: the thing under test, the plugins that it needs, and how a test fails.

A contract's tests are methods without arguments named `test_…`. pytest runs those of a subclass whose name begins with
`Test`; `graphacct plugins check` runs the same methods without pytest. A test that cannot run here raises
`unittest.SkipTest`, which both understand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, NoReturn

from graphacct.errors import GraphacctError
from graphacct.hooks.hookspecs import hookimpl
from graphacct.hooks.manager import REGISTER, Plugins, default, load

TEST = "test_"


class Contract:
    """The base of the contracts.

    Attributes:
        plugin: The module of the plugin, for a thing that needs others of it: an architecture its operators. It is
            registered beside the installed plugins, unless it is one of them.
        plugins: The plugins in use, in place of the installed ones and `plugin`.
    """

    kind: ClassVar[str] = ""
    """What it is a contract of, as the hook says it: `operators`."""
    noun: ClassVar[str] = ""
    """One of them: `operator`, which is also the attribute that a subclass sets."""
    plugin: ClassVar[ModuleType | None] = None
    plugins: ClassVar[Plugins | None] = None

    @classmethod
    def of(cls, thing: Any, **facts: Any) -> type[Any]:
        """Returns a contract of a thing, for pytest to collect: `TestGelu = OperatorContract.of(gelu, rows=[…])`."""
        name = thing if isinstance(thing, str) else thing.name
        words = name.replace("-", "_").split("_")
        title = "Test" + "".join(word[:1].upper() + word[1:] for word in words)
        return type(title, (cls,), {cls.noun: thing, **facts})

    @classmethod
    def checks(cls) -> list[str]:
        """Returns the names of the inherited tests."""
        return [name for name in dir(cls) if name.startswith(TEST) and callable(getattr(cls, name))]

    @classmethod
    def thing(cls) -> Any:
        """Returns what the contract is of; a name is looked up among the plugins in use."""
        found = getattr(cls, cls.noun, None)
        if isinstance(found, str):
            registry = getattr(cls._in_use(None), cls.kind)
            assert found in registry, f"{cls.__name__}: no {cls.noun} {found!r} is registered; import it and name it"
            found = registry[found]
        assert found is not None, f"{cls.__name__} names no {cls.noun}: write `{cls.noun} = …` into the class"
        return found.load() if hasattr(found, "load") else found

    @classmethod
    def in_use(cls) -> Plugins:
        """Returns the plugins in use: the installed ones, the contract's plugin, and the thing itself."""
        return cls._in_use(cls.thing())

    @classmethod
    def _in_use(cls, thing: Any) -> Plugins:
        known: Plugins | None = cls.__dict__.get("_plugins")
        if known is not None:
            return known
        plugins = cls.plugins or default()
        if cls.plugins is None and cls.plugin is not None and not _loaded(plugins, cls.plugin):
            plugins = load()
            plugins.register(cls.plugin, cls.plugin.__name__, "under test")
        if thing is not None and thing.name not in getattr(plugins, cls.kind):
            if plugins is default():
                plugins = load()
            plugins.register(registering(cls.kind, [thing]), cls.__name__, "under test")
        if thing is not None:
            cls._plugins = plugins  # type: ignore[attr-defined]
        return plugins

    def fail(self, what: str, way_out: str) -> NoReturn:
        """Fails the test with what is wrong and what to do."""
        raise AssertionError(f"{self.noun.replace('_', ' ')} {self.name()!r}: {what}. {way_out}")

    def name(self) -> str:
        """Returns what messages call the thing."""
        return str(getattr(self.thing(), "name", "?"))

    def check_worlds(self, row: Any, differences: Iterator[tuple[str, Any, Any, Mapping[str, int]]], what: str) -> None:
        """Fails with the first difference between the figures of ints and those of symbols or arrays."""
        way_out = "Formulas write exact_div, //, maximum, minimum and equal instead of /, max, min and ==."
        try:
            found = next(differences, None)
        except AssertionError:
            raise
        except Exception as error:
            self.fail(f"{row} raises {type(error).__name__} with {what} as size: {error}", way_out)
        if found is not None:
            name, ours, theirs, sizes = found
            self.fail(f"{name} of {row} is {ours!r} at {dict(sizes)}, and {theirs!r} with {what} as size", way_out)

    def check_sentence(self) -> None:
        """Fails unless the thing says what it is."""
        thing = self.thing()
        if len(str(thing.doc).split()) < 3 and thing.doc != "":
            self.fail(f"its doc is {thing.doc!r}", "Say in a sentence what it is: `graphacct list` shows it.")
        if not thing.doc:
            self.fail("it has no doc", "Say in a sentence what it is: `graphacct list` shows it.")


def registering(kind: str, things: Iterable[Any]) -> Any:
    """Returns a plugin that registers these things."""
    found = list(things)

    def function() -> Iterable[Any]:
        return found

    function.__name__ = f"{REGISTER}{kind}"
    return SimpleNamespace(**{function.__name__: hookimpl(function)})


def failures(contract: type[Contract]) -> Iterator[tuple[str, str]]:
    """Yields the name and the message of each inherited test that fails; an unforeseen exception fails it too."""
    from unittest import SkipTest

    for name in contract.checks():
        try:
            getattr(contract(), name)()
        except SkipTest:
            continue
        except AssertionError as error:
            yield name, " ".join(str(error).split())
        except GraphacctError as error:
            yield name, f"{type(error).__name__}: {error}"
        except Exception as error:
            yield name, f"{type(error).__name__}: {error}"


def _loaded(plugins: Plugins, module: ModuleType) -> bool:
    return any(plugin.module is module for plugin in plugins.loaded)
