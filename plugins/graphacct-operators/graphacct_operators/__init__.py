"""The cost plugins that every model needs, one family a file."""

from collections.abc import Iterable

from graphacct import Operator, hookimpl
from graphacct_operators import (
    creation,
    elementwise,
    embedding,
    matmul,
    normalization,
    shape,
    softmax,
)

FAMILIES = (matmul, elementwise, softmax, embedding, normalization, shape, creation)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    return [item for family in FAMILIES for item in vars(family).values() if isinstance(item, Operator)]
