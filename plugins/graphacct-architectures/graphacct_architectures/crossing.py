"""Decoders that attend to another model's output, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphacct import Builder, Value, Workload, frozen


@frozen
class Crossing:
    """The function that builds a family's graph, with which a composition builds its language model.

    Attributes:
        alone: Builds the graph of a configuration's class.
        attending: `attending(config, workload, b, states)` builds the language model that attends to `states`, (batch,
            places, width); without them, in decoding, to what its cache has of them.
        language_model: The name of the class of the language model.
        describe: Returns the description of a configuration, if the family has one.
    """

    alone: Callable[[Any, Workload, Builder], Value | tuple[Value, ...]]
    attending: Callable[[Any, Workload, Builder, Value | None], Value | tuple[Value, ...]]
    language_model: str
    describe: Callable[[Any], Any] | None = None

    def __call__(self, config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        """Returns the outputs of the class that the configuration names."""
        return self.alone(config, workload, b)


@frozen
class Described:
    """The function that builds a family's graph from a description, which a model with this one inside takes apart.

    Attributes:
        alone: Builds the graph of a configuration's class.
        describe: Returns the description of a configuration.
    """

    alone: Callable[[Any, Workload, Builder], Value | tuple[Value, ...]]
    describe: Callable[[Any], Any]

    def __call__(self, config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        """Returns the outputs of the class that the configuration names."""
        return self.alone(config, workload, b)
