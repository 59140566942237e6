"""A reader: it turns a file or an object into a graph, or into a model to build a graph from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph
from graphacct.keywords import ModelKeywords
from graphacct.models.weight_formats import WeightFormatKind


@attrs.frozen(eq=False, repr=False)
class Reader:
    """One input format.

    Attributes:
        name: What `graphacct list readers` calls it.
        doc: One sentence.
        accepts: Returns whether the reader can read a model: an existing path (a str), whose beginning it may read, or
            any object. It recognises a library's objects without importing the library.
        read: Returns the graph, from the path or object and the registered operators by name. Raises ReadError, which
            names the file and the fault; DeclinedError leaves the model to the readers after it. None for a format that
            describes a model rather than a graph.
        find: For such a format, returns the model's name, architecture and configuration, which like a preset's can be
            built for any workload; or a ModelChoice, which also accounts for the file's keys.
        building: Returns the context in which a `module:function` runs that may make an object for this reader, such as
            one in which weights take no memory.
        building_again: Given the error with which that function failed, returns other contexts to run it in: in one
            after the other until it succeeds.
        takes_overrides: Whether `find` takes a third argument: the configuration keys that the user overrides.
        takes: Keywords of the verbs that `read` takes too, each if it is given: `inputs`, `dynamic`, `dtype`, `batch` …
            (see `graphacct.keywords.ModelKeywords`). Such a model is read when they are known. A `phase` that it takes
            is given unless it is `forward`.
        named: What messages call a model that is read later. It may decline the model too.
        weights: Given the model, the keys that the user overrides and the weight formats, returns how its files say
            that its weights are stored, as `graphacct.stated_weights` reads a config.json; None if they say nothing.
        instead: What to give in place of an option that `read` does not take, for messages.
        replaces: Whether it replaces another plugin's reader of the same name.
    """

    name: str
    doc: str
    accepts: Callable[[Any], bool]
    read: Callable[..., Graph] | None = None
    find: Callable[..., Any] | None = None
    replaces: bool = False
    takes_overrides: bool = False
    building: Callable[[], AbstractContextManager[Any]] = nullcontext
    building_again: Callable[[Exception], Sequence[Callable[[], AbstractContextManager[Any]]]] = lambda error: ()
    takes: Sequence[str] = ()
    named: Callable[[Any], str] = lambda model: type(model).__name__
    instead: str = ""
    weights: Callable[[Any, Mapping[str, Any], Mapping[str, WeightFormatKind]], Any] = lambda model, overrides, kinds: (
        None
    )

    def __repr__(self) -> str:
        return f"<Reader {self.name}>"

    def __attrs_post_init__(self) -> None:
        if (self.read is None) == (self.find is None):
            raise ConfigError(f"reader {self.name!r} has either read= or find=: a format is of graphs or of models")
        wrong = [name for name in self.takes if name not in ModelKeywords.__annotations__]
        if wrong or (self.takes and self.read is None):
            raise ConfigError(
                f"reader {self.name!r}: takes= names keywords of build that read= takes, not {self.takes}"
            )
