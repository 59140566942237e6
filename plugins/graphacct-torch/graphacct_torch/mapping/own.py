"""The rule of operators and functions whose cost the user states: the figures go into the graph, which needs neither
torch nor the user's file afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import TensorSpec
from graphacct_torch.calls import CallRecord, TensorRecord, leaves
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule
from graphacct_torch.stated import StatedCost


def own(stated: StatedCost) -> Rule:
    """Returns the rule of an operator whose cost is stated."""

    def rule(call: CallRecord, a: Arguments) -> Mapped:
        return as_stated(stated, a, call.outputs)

    return rule


def as_stated(stated: StatedCost, arguments: Mapping[str, Any], outputs: tuple[TensorRecord, ...]) -> Mapped:
    """Returns a call, or all calls of a function, as the operator `custom`, with the figures that the user states."""
    given = {name: _spec(value) for name, value in arguments.items()}
    made = tuple(map(_spec, outputs))
    given.setdefault("out", made[0] if len(made) == 1 else made)
    work, back = stated.work(given), stated.backward_work(given)
    attributes = {
        "of": stated.of,
        "shapes": tuple(spec.shape for spec in made),
        "dtypes": tuple(spec.dtype for spec in made),
        "matmul_flops": work.matmul_flops,
        "vector_flops": work.vector_flops,
        "transcendentals": work.transcendentals,
    }
    if back is not None:
        attributes |= {
            "differentiable": True,
            "gradient_matmul_flops": back.matmul_flops,
            "gradient_vector_flops": back.vector_flops,
            "gradient_transcendentals": back.transcendentals,
        }
    operands = tuple(leaf for leaf in leaves(list(arguments.values())) if isinstance(leaf, TensorRecord))
    word = stated.of.split(".")[1] if "." in stated.of else stated.of
    return Mapped("custom", operands, attributes, makes=outputs, of=word)


def _spec(value: Any) -> Any:
    if isinstance(value, TensorRecord):
        return TensorSpec(value.shape, value.dtype)
    if isinstance(value, (tuple, list)):
        return tuple(map(_spec, value))
    return value
