"""A framework's own function, run without data by a plugin that can: what an operator is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import PluginError, brief
from graphacct.hooks.manager import Plugins
from graphacct.operators.operator import Operator
from graphacct.operators.saves import saved_tensors
from graphacct.tensors import TensorSpec
from graphacct.testing import worlds


@attrs.frozen
class Reference:
    """What a framework's function did for some operands: what the hook `graphacct_measure_reference` returns.

    Attributes:
        outputs: Its outputs.
        matmul_flops: The FLOPs of its products in the forward pass; None if the framework does not count them.
        gradient_matmul_flops: Those of the gradients of all floating-point operands together; None likewise.
        saved_bytes: The bytes that it keeps for the backward pass, those of the operands and outputs included, each
            storage once; None if that is not known.
    """

    outputs: tuple[TensorSpec, ...]
    matmul_flops: int | None = None
    gradient_matmul_flops: int | None = None
    saved_bytes: int | None = None

    def compared(
        self, operator: Operator, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]
    ) -> dict[str, tuple[Any, Any]]:
        """Returns each figure that the framework gave, by what it is: the operator's and the framework's."""
        application = operator.apply(specs, attributes)
        found: dict[str, tuple[Any, Any]] = {"outputs": (_shown(application.outputs), _shown(self.outputs))}
        if self.matmul_flops is not None:
            found["matmul_flops"] = (application.cost.matmul_flops, self.matmul_flops)
        if self.gradient_matmul_flops is not None:
            ours = sum(work.matmul_flops for _, work in worlds.gradients(operator, specs, attributes))
            found["matmul_flops of the gradients"] = (ours, self.gradient_matmul_flops)
        if self.saved_bytes is not None:
            kept = {
                (item.kind, item.index if item.kind != "own" else item.name): item.spec.bytes
                for item in saved_tensors(operator, specs, attributes)
            }
            found["saved bytes"] = (sum(kept.values()), self.saved_bytes)
        return found


def measured(
    function: str | Callable[..., Any], specs: Sequence[TensorSpec], attributes: Mapping[str, Any], plugins: Plugins
) -> Reference | None:
    """Returns what a framework's function does for operands of these specs; None if no plugin can run it.

    Raises PluginError if a plugin returns something else.
    """
    hook = plugins.manager.hook.graphacct_measure_reference
    found: object = hook(function=function, operands=tuple(specs), attributes=dict(attributes))
    if found is None or isinstance(found, Reference):
        return found
    who = plugins.who_has("graphacct_measure_reference")
    raise PluginError(f"graphacct_measure_reference of plugin {who} returned {brief(found)}, which is no Reference")


def _shown(specs: Sequence[TensorSpec]) -> list[tuple[tuple[Any, ...], str]]:
    return [(tuple(spec.shape), spec.dtype) for spec in specs]
