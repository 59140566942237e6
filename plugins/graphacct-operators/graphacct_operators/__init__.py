"""The cost plugins that every model needs, one family a file."""

from collections.abc import Iterable

from graphacct import Operator, Profile, Quantity, hookimpl
from graphacct_operators import (
    activation,
    attention,
    convolution,
    creation,
    elementwise,
    embedding,
    indexing,
    loss,
    matmul,
    normalization,
    reduction,
    shape,
    softmax,
)

FAMILIES = (
    matmul,
    elementwise,
    activation,
    softmax,
    embedding,
    normalization,
    attention,
    convolution,
    reduction,
    indexing,
    loss,
    shape,
    creation,
)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    return [item for family in FAMILIES for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_profiles() -> Iterable[Profile]:
    from graphacct_operators import torch_eager  # imported when memory is asked for

    return [torch_eager.CUDA, torch_eager.CPU]


@hookimpl
def graphacct_register_quantities() -> Iterable[Quantity]:
    return [
        Quantity(
            "kv_cache_bytes",
            "byte",
            lambda record: record.node.outputs[0].spec.bytes if record.node.operator == "kv_cache" else 0,
            "The cache of earlier tokens' keys and values that a decoding step reads.",
            phase="decode",
        )
    ]
