"""Graphviz source, written line by line: the graph of the graphviz package, which takes as long to import as ours does.

Whoever asks for the picture itself, as a notebook does, gets it as that package's Digraph, of the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import graphviz

PLAIN = re.compile(r"[A-Za-z_]\w*|-?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)", re.ASCII)
"""A name or a number, which needs no quotation marks."""
WORDS = frozenset(("node", "edge", "graph", "digraph", "subgraph", "strict"))
QUOTE = re.compile(r'((?:\\\\)*)\\?"')
"""A quotation mark, perhaps escaped already, after backslashes that stand for themselves."""


_STATEMENT = re.compile(r"^(\t+)(n[0-9]+)(?:( -> )(n[0-9]+))? \[")
"""The beginning of a line about a node that graphacct named, or about an edge between two."""


class Literal(str):
    """Text in which every character is itself, also if it begins with `<`, as an HTML-like label does."""

    __slots__ = ()


class DotSource:
    """A directed graph as Graphviz source.

    Attributes:
        name: Its name.
        defaults: The attributes of the graph, of its nodes and of its edges.
        body: The lines between the braces, without those of the defaults.
        paths: What nodes stand for, by their names: paths of a model's nodes and scopes.
        smaller: What whoever asks for it could do to make it smaller, in words.
    """

    def __init__(self, name: str, graph: Mapping[str, str], node: Mapping[str, str], edge: Mapping[str, str]) -> None:
        self.name = name
        self.defaults = {"graph": dict(graph), "node": dict(node), "edge": dict(edge)}
        self.body: list[str] = []
        self.paths: dict[str, str] = {}
        self.smaller: tuple[str, ...] = ()
        self._depth = 1

    def attr(self, **attributes: str) -> None:
        """Sets attributes of the graph or cluster that is open."""
        self._line(_attributes(attributes, label_first=False))

    def node(self, name: str, **attributes: str) -> None:
        """Adds a node."""
        self._line(f"{quoted(name)} [{_attributes(attributes)}]")

    def edge(self, tail: str, head: str, **attributes: str) -> None:
        """Adds an edge."""
        self._line(f"{quoted(tail)} -> {quoted(head)} [{_attributes(attributes)}]")

    @contextmanager
    def subgraph(self, name: str) -> Iterator[DotSource]:
        """Opens a cluster: what is added until it closes is in it."""
        with self._braces(f"subgraph {quoted(name)} {{"):
            yield self

    @contextmanager
    def _braces(self, opening: str) -> Iterator[None]:
        self._line(opening)
        self._depth += 1
        yield
        self._depth -= 1
        self._line("}")

    def first(self, name: str) -> None:
        """Names a node before the others, which the layout begins with."""
        self._line(f"{quoted(name)} []")

    def row(self, names: Sequence[str], ordered: bool = True) -> None:
        """Has nodes of the cluster that is open stand beside each other, in their order unless it is free."""
        with self._braces("{ rank=same"):
            for left, right in pairwise(names):
                if ordered:
                    self.edge(left, right, style="invis")
            for name in () if ordered else names:
                self.first(name)

    def rename(self, names: Mapping[str, str]) -> None:
        """Gives nodes other names, each of which must be one node's: of `names`, or as it is."""

        def renamed(found: re.Match[str]) -> str:
            tail, arrow, head = (found[group] or "" for group in (2, 3, 4))
            ends = [quoted(names.get(name, name)) if name else "" for name in (tail, head)]
            return f"{found[1]}{ends[0]}{arrow}{ends[1]} ["

        self.body = [_STATEMENT.sub(renamed, line) for line in self.body]

    def change(self, changed: Callable[[str], str]) -> None:
        """Replaces each line, and each attribute among the defaults as it is written."""
        self.body = [changed(line) for line in self.body]
        for kind, given in self.defaults.items():
            for name, value in given.items():
                written = changed(f'{name}="{value}"')
                self.defaults[kind][name] = written[len(name) + 2 : -1]

    @property
    def source(self) -> str:
        """The whole text."""
        defaults = [f"\t{kind} [{_attributes(given)}]\n" for kind, given in self.defaults.items() if given]
        return "".join([f"digraph {quoted(self.name)} {{\n", *defaults, *self.body, "}\n"])

    def digraph(self) -> graphviz.Digraph:
        """Returns the graphviz package's graph."""
        import graphviz

        given = {f"{kind}_attr": attributes for kind, attributes in self.defaults.items()}
        return graphviz.Digraph(self.name, body=self.body, **given)

    def _line(self, text: str) -> None:
        tabs = "\t" * self._depth
        self.body.append(f"{tabs}{text}\n")


def _attributes(given: Mapping[str, str], label_first: bool = True) -> str:
    """Returns attributes by name, the label of a node or an edge first."""
    ordered = sorted(given, key=lambda name: (label_first and name != "label", name))
    return " ".join(f"{quoted(name)}={quoted(given[name])}" for name in ordered if given[name] is not None)


def quoted(text: str) -> str:
    """Returns a name or value as Graphviz reads it."""
    if text.startswith("<") and text.endswith(">") and not isinstance(text, Literal):
        return text
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    escaped = QUOTE.sub(r'\1\\"', text)
    return f'"{escaped}"'
