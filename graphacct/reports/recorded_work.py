"""Products as graphacct counts them beside those that a framework ran, node by node.

The forward work is that of the operators, the backward work that of their gradients. A recording
(`execution/recording.py`) has what ran instead. Where a model is captured from a module, the two check each other.
"""

from __future__ import annotations

import attrs

from graphacct.costs.annotate import AnnotatedGraph
from graphacct.costs.step_quantities import step_of
from graphacct.dims import Dim
from graphacct.execution.kernels import BACKWARD, FORWARD, RECOMPUTE
from graphacct.execution.recording import Recording


@attrs.frozen
class RecordedWork:
    """The matmul FLOPs of a node in one part of a training step.

    Attributes:
        node: The node.
        run: `forward`, `backward`, or `recompute` for what the model's own code has run again.
        counted: As graphacct counts them, with all repetitions.
        recorded: As the framework ran them.
    """

    node: str
    run: str
    counted: Dim
    recorded: Dim


def recorded_work(annotated: AnnotatedGraph, recording: Recording) -> tuple[RecordedWork, ...]:
    """Returns the products of each node of an annotated training step, counted and recorded. Nodes and parts of the
    step without any are left out."""
    found: dict[tuple[str, str], Dim] = {}
    for call in recording.calls:
        key = (call.node, call.run)
        found[key] = found.get(key, 0) + call.matmul_flops
    rows = []
    for record in annotated.costs:
        if record.cost is None:
            continue
        step = step_of(record)
        counted = {
            FORWARD: record.cost.matmul_flops * record.times,
            BACKWARD: step.input_grad.matmul_flops + step.weight_grad.matmul_flops,
            RECOMPUTE: step.rerun.matmul_flops,
        }
        for run, flops in counted.items():
            rows.append(RecordedWork(record.node.name, run, flops, found.pop((record.node.name, run), 0)))
    rows += [RecordedWork(node, run, 0, flops) for (node, run), flops in found.items()]
    return tuple(row for row in rows if row.counted or row.recorded)
