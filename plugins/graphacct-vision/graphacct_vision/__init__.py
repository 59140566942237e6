"""Vision for graphacct: batch normalisation, pooling and the ResNet family, from outside the core.

Each family is imported when its hook is called: a graph from a file needs no architecture.
"""

from collections.abc import Iterable

from graphacct import Architecture, Operator, hookimpl


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_vision import normalization, pooling

    return [item for family in (normalization, pooling) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[Architecture]:
    from graphacct_vision.resnet import RESNET

    return [RESNET]
