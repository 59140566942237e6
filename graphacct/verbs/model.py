"""What a verb takes as a model."""

from typing import TypeAlias

Model: TypeAlias = object
"""A model: a preset's or an architecture's name (`gpt2-xl`), a path that a reader accepts, `module:function` (a
function that returns a Graph), a Graph, what `find_model` found, or an object that a reader takes: a networkx graph, a
configuration as a dict, whatever a plugin reads. Only the readers know which, so that no type is refused here."""
