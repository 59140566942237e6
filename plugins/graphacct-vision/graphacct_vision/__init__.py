"""Vision for graphacct: batch normalisation, pooling and the ResNet family, from outside the core."""

from collections.abc import Iterable

from graphacct import Architecture, Operator, hookimpl
from graphacct_vision import normalization, pooling, resnet

FAMILIES = (normalization, pooling)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    return [item for family in FAMILIES for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[Architecture]:
    return [resnet.RESNET]
