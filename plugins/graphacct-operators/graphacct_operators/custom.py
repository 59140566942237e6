"""An operator of someone's own, whose figures stand in the graph."""

from collections.abc import Sequence
from typing import Any

from graphacct import ConfigError, Saved, TensorSpec, Work, operator


def _made(*, shapes: Sequence[Sequence[Any]], dtypes: Sequence[str]) -> list[TensorSpec]:
    return [TensorSpec(tuple(shape), dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]


def _gradients(
    *,
    of: str,
    differentiable: bool = False,
    gradient_matmul_flops: Any = 0,
    gradient_vector_flops: Any = 0,
    gradient_transcendentals: Any = 0,
) -> Work:
    if not differentiable:
        raise ConfigError(f"no cost is stated for the gradients of {of!r}: state it with @NAME.gradient or gradient=")
    return Work(gradient_matmul_flops, gradient_vector_flops, gradient_transcendentals)


@operator(
    "xs*: ... -> outs",
    infer=_made,
    gradients={"*": _gradients},
    states_parts=True,
    saves=(Saved("xs", "its gradients are stated as those of its operands", if_attribute="differentiable"),),
)
def custom(*, of: str, matmul_flops: Any = 0, vector_flops: Any = 0, transcendentals: Any = 0) -> Work:
    """No arithmetic but what its author states for one call: `@graphacct_torch.cost` writes the figures of a user's
    function or operator (`of`) into its node.

    Backward: what its author states; the operands are kept for it.
    """
    return Work(matmul_flops, vector_flops, transcendentals)
