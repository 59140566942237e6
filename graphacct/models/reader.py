"""A reader: how a file or an object becomes a graph, or a model that a graph can be built of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph
from graphacct.operators.operator import Operator

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.architecture import Architecture


@attrs.frozen(eq=False, repr=False)
class Reader:
    """One input format.

    Attributes:
        name: What `graphacct list readers` calls it.
        doc: One sentence.
        accepts: Whether the reader knows a model: an existing path, as a str, whose beginning it may read, or an object
            of any kind. It recognises a library's object when that is imported already, and never imports it.
        read: The graph, from the path or object and the registered operators by name; ReadError names the file and what
            is wrong in it. None for a format that describes a model rather than a graph.
        find: For such a format: the model's name, its architecture and its configuration, which is then built as a
            preset is, on any workload.
        replaces: Whether it takes the place of a reader of this name from another plugin.
    """

    name: str
    doc: str
    accepts: Callable[[Any], bool]
    read: Callable[[Any, Mapping[str, Operator]], Graph] | None = None
    find: Callable[[Any, Plugins], tuple[str, Architecture, Any]] | None = None
    replaces: bool = False

    def __repr__(self) -> str:
        return f"<Reader {self.name}>"

    def __attrs_post_init__(self) -> None:
        if (self.read is None) == (self.find is None):
            raise ConfigError(f"reader {self.name!r} has either read= or find=: a format is of graphs or of models")
