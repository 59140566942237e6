"""Updates: gradients, optimizer state and update work of a node's parameters, on one rank.

Gradients and state of a parameter are divided by the ranks as ZeRO's stage says, each parameter's share rounded up to a
whole; `graphacct.memory` divides their sums, which may be less by a byte a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.graph.graph import Parameter
from graphacct.graph.paths import instances
from graphacct.operators.cost import Work
from graphacct.tensors import FLOATING
from graphacct.training.optimizers import state_bytes, step_work
from graphacct.training.options import Training
from graphacct.training.zero import GRADIENTS, OPTIMIZER_STATE, rank_share


@attrs.frozen(eq=False, repr=False)
class Update:
    """What training adds for the parameters that a node owns.

    Attributes:
        gradient_bytes: Bytes of their gradients, in their dtype.
        optimizer_state_bytes: Bytes that the optimizer keeps, float32 copies with it.
        work: The work of one update.
    """

    gradient_bytes: Dim = 0
    optimizer_state_bytes: Dim = 0
    work: Work = Work()


def update(
    owned: Sequence[Parameter], repeats: Sequence[Dim], training: Training, trained: Callable[[Parameter], bool]
) -> Update:
    """Returns the gradients, the optimizer's state and its work for the parameters that a node owns and that are
    trained; `repeats` are those of the blocks around it.

    A rank updates the parameters whose state it has: all of them, or its share under ZeRO.
    """
    gradients: Dim = 0
    state: Dim = 0
    work = Work()
    dp, zero = training.dp, training.zero
    for item in owned:
        if item.buffer or item.spec.dtype not in FLOATING or not trained(item):
            continue
        count = instances(item.name, repeats)
        gradients = gradients + rank_share(item.spec.bytes * count, GRADIENTS, dp, zero)
        if training.optimizer is None:
            continue
        size = state_bytes(training.optimizer, item, training.master)
        state = state + rank_share(size * count, OPTIMIZER_STATE, dp, zero)
        step = step_work(training.optimizer, item, training.master)
        flops = (step.matmul_flops, step.vector_flops, step.transcendentals)
        work = work.plus(Work(*[rank_share(part * count, OPTIMIZER_STATE, dp, zero) for part in flops]))
    return Update(gradients, state, work)
