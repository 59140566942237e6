"""The nouns of a backward pass: its kernel calls, the storages that they make and how long those live."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct.dims import Dim
from graphacct.execution.kernels import KernelCall, Storage


@attrs.frozen(eq=False, repr=False)
class Life:
    """A storage that the backward pass makes.

    Attributes:
        storage: The storage.
        birth: The index of the call that makes it.
        death: The index of the last call with which it is alive; that after the last of all if it outlives them.
        span: The index of the schedule's span of which each repetition has one from the start: a gradient that met
            another of a result that the block stacks. -1 for all else.
    """

    storage: Storage
    birth: int
    death: int
    span: int = -1


@attrs.frozen(eq=False, repr=False)
class WeightGradient:
    """The gradient of a parameter, all its uses together.

    Attributes:
        storage: Where it is.
        position: The index of the call after which it is complete.
        copied: Whether torch copies it to be the parameter's gradient, because others have this storage too.
        bytes: Its own bytes.
        parameter: The parameter's storage.
    """

    storage: Storage
    position: int
    copied: bool
    bytes: Dim
    parameter: Storage


@attrs.frozen(eq=False, repr=False)
class BackwardPass:
    """The kernel calls of a backward pass in order, and the lives of storages as indices of these calls.

    Attributes:
        calls: The calls: those that compute gradients, and those of the forward pass that are recomputed.
        lives: The storages that they make.
        releases: For a storage that the forward pass saves, the index of the call after which it is freed (-1: before
            all of them), and the position of the forward call whose node frees it (-1 if no gradient reaches those
            that saved it).
        gradients: The parameters' gradients.
        spans: For each of the schedule's spans the index of its first call here, and the one after its last; if it
            has none, twice the index of the call before which it would have them.
    """

    calls: tuple[KernelCall, ...]
    lives: tuple[Life, ...]
    releases: Mapping[Storage, tuple[int, int]]
    gradients: tuple[WeightGradient, ...]
    spans: tuple[tuple[int, int], ...]


NO_BACKWARD_PASS = BackwardPass((), (), {}, (), ())
"""The backward pass of a phase without gradients."""
