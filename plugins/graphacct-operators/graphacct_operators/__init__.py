"""The cost plugins that every model needs, one family a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphacct import Operator, Quantity, hookimpl
from graphacct_operators import (
    activation,
    attention,
    attention_sinks,
    cache,
    convolution,
    creation,
    elementwise,
    embedding,
    indexing,
    loss,
    matmul,
    normalization,
    reduction,
    routing,
    shape,
    softmax,
)

if TYPE_CHECKING:
    from graphacct import Convention, Profile, RecomputePolicy, Transform

FAMILIES = (
    matmul,
    elementwise,
    activation,
    softmax,
    embedding,
    normalization,
    attention,
    attention_sinks,
    cache,
    convolution,
    reduction,
    indexing,
    routing,
    loss,
    shape,
    creation,
)


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    return [item for family in FAMILIES for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_conventions() -> Iterable[Convention]:
    from graphacct_operators.conventions import WORKSHEET  # imported when a convention is asked for

    return [WORKSHEET]


@hookimpl
def graphacct_register_profiles() -> Iterable[Profile]:
    from graphacct_operators import torch_autocast, torch_eager  # imported when memory is asked for

    return [
        torch_eager.CUDA,
        torch_eager.CPU,
        torch_eager.CUDA_COMPOSED_NORMS,
        torch_autocast.AUTOCAST_CUDA,
        torch_autocast.AUTOCAST_CPU,
    ]


@hookimpl
def graphacct_register_transforms() -> Iterable[Transform]:
    from graphacct_operators.lora import LORA

    return [LORA]


@hookimpl
def graphacct_register_recompute_policies() -> Iterable[RecomputePolicy]:
    from graphacct_operators.recompute import OP_SELECTIVE

    return [OP_SELECTIVE]


@hookimpl
def graphacct_register_quantities() -> Iterable[Quantity]:
    return [
        Quantity(
            "active_params",
            "parameter",
            doc="Parameters that one token uses, tied ones once: of experts the chosen ones.",
            of_owned=routing.active_params,
            within="params",
            title="Active",
        ),
        Quantity(
            "kv_cache_bytes",
            "byte",
            cache.kv_cache_bytes,
            "The keys and values in the cache when the phase ends, of all layers and sequences.",
            phase="prefill decode",
            title="KV cache",
        ),
        Quantity(
            "kv_bytes_per_token",
            "byte",
            cache.kv_bytes_per_token,
            "What one more token of one sequence adds to the cache, all layers, while no window is full.",
            phase="prefill decode",
            words="each further token of a sequence in the cache",
        ),
    ]
