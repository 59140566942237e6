"""The nouns of a backward pass: its kernels, the storages that they make and how long those live."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct.dims import Dim
from graphacct.execution.kernels import Storage

SUM, CAST, ADD, START = "sum", "cast", "add", "gradient"
"""The engine's own kernels: the sum over what was broadcast, the gradient in the operand's dtype, the sum of gradients
that meet, the loss's gradient of 1."""


@attrs.frozen(eq=False)
class BackwardKernel:
    """One kernel of the backward pass.

    Attributes:
        step: The position in the schedule of the forward kernel that it belongs to.
        name: What it does: an operator's name, or one of the engine's own.
        again: Whether it is a forward kernel that is run again.
        times: How often it is run for one run of that step.
    """

    step: int
    name: str
    again: bool = False
    times: Dim = 1


@attrs.frozen(eq=False)
class Life:
    """A storage that the backward pass makes.

    Attributes:
        storage: The storage.
        birth: The kernel that makes it.
        death: The last kernel with which it is alive.
        group: The index of the schedule's group of which each repetition has one from the start: a gradient that met
            another of a result that the block stacks up. Or -1.
    """

    storage: Storage
    birth: int
    death: int
    group: int = -1


@attrs.frozen(eq=False)
class WeightGradient:
    """The gradient of a parameter, all its uses together.

    Attributes:
        storage: Where it is.
        position: The kernel after which it is complete.
        copied: Whether torch copies it to be the parameter's gradient, because others have this storage too.
        bytes: Its own bytes.
    """

    storage: Storage
    position: int
    copied: bool
    bytes: Dim


@attrs.frozen
class BackwardPass:
    """The kernels of a backward pass in order, with the lives of storages in positions among them.

    Attributes:
        kernels: The kernels.
        lives: The storages that they make.
        releases: By the id of a storage that the forward pass keeps: the kernel after which it goes (-1: before all of
            them) and the forward step whose node lets it go (-1: none, no gradient reaches those that saved it).
        gradients: The parameters' gradients.
        groups: For each of the schedule's groups the first of its kernels here, and the one after its last; where it
            has none, twice the kernel before which it would have them.
    """

    kernels: tuple[BackwardKernel, ...]
    lives: tuple[Life, ...]
    releases: Mapping[int, tuple[int, int]]
    gradients: tuple[WeightGradient, ...]
    groups: tuple[tuple[int, int], ...]


NO_BACKWARD_PASS = BackwardPass((), (), {}, (), ())
"""That of a phase without gradients."""
