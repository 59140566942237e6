"""The verb that builds a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    ModelKeywords,
    checked,
)
from graphacct.models.build import build as build_graph
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    pass


@checked(ModelKeywords)
def build(model: Model, *, plugins: Plugins | None = None, **options: Unpack[ModelKeywords]) -> Graph:
    """Returns the graph of a model for a workload (`Workload` has its sizes). A Graph is returned as it is, in its own
    phase or, if that is `forward` and `train` is asked for, as a training step.

    Args:
        model: A preset's name, a path, `module:function`, a Graph or an object that a reader takes.
        plugins: Those in use; all that are installed unless given.
        options: What the model is built for, by name (see `graphacct.keywords.ModelKeywords`).

    Raises UnknownNameError for an unknown model, ConfigError for a key or size that does not fit, ReadError for a
    file that cannot be read, TypeError for an unknown keyword.
    """
    return build_graph(model, plugins=plugins or default(), **options)
