"""Asks readers: what one of them says of a model, and whose fault it is if it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from graphacct.errors import GraphacctError, PluginError, ReadError, brief, failure
from graphacct.graph.graph import Graph

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.reader import Reader

Result = TypeVar("Result")


def takes(model: Any) -> Callable[[Reader], bool]:
    """Returns the question whether a reader accepts a model."""
    return lambda reader: bool(reader.accepts(model))


def asked(reader: Reader, model: Any, plugins: Plugins, ask: Callable[[Any], Result]) -> Result:
    """Returns a reader's answer. Raises PluginError, which names the reader, if it fails."""
    try:
        return ask(reader)
    except GraphacctError:
        raise
    except OSError as error:
        what = model if isinstance(model, str) else shown(model)
        raise ReadError(f"{what}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        raise PluginError(failure(who(reader, model, plugins), error)) from error


def read_by(reader: Reader, model: Any, plugins: Plugins, options: Mapping[str, Any]) -> Graph:
    """Returns the graph that a reader reads. Raises PluginError, which names the reader, for anything else."""
    found: object = asked(reader, model, plugins, lambda reader: reader.read(model, plugins.operators, **options))
    if not isinstance(found, Graph):
        raise PluginError(f"{who(reader, model, plugins)} returned {brief(found)}, which is no Graph")
    return found


def who(reader: Reader, model: Any, plugins: Plugins) -> str:
    """Returns a reader with its plugin and the model, for messages."""
    return f"reader {reader.name!r} of plugin {plugins.origin('readers', reader.name)} on {shown(model)}"


def shown(model: Any) -> str:
    """Returns the name of a path or an object in messages; an object's repr may not fit on one line."""
    kind = type(model)
    return repr(model) if kind is str else f"an object of {kind.__module__}.{kind.__qualname__}"
