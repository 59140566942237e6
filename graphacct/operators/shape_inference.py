"""Shape inference: the specs of an operator's outputs, and the checks that they can be tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct.dims import MAX_DIM, differ, has_value, is_symbol, shape_text
from graphacct.errors import ShapeError, brief
from graphacct.tensors import FLOATING, TensorSpec, dtype_name, promoted

PROMOTE = "promote"
"""Stands for the dtype that operands of several dtypes promote to."""
TO_FLOATING = "floating"
"""Stands for that dtype, but float32 for operands that are all integers or bools, as of a quotient or a root."""


def default_dtype(specs: Sequence[TensorSpec]) -> str:
    """Returns the dtype of the first floating-point operand, or else of the first."""
    for spec in specs:
        if spec.dtype in FLOATING:
            return spec.dtype
    return specs[0].dtype if specs else "float32"


def result_dtype(declared: str, specs: Sequence[TensorSpec]) -> str:
    """Returns the outputs' dtype that an operator declares (`Operator.dtype`), for operands of these specs."""
    if declared == PROMOTE:
        return promote(specs)
    if declared == TO_FLOATING:
        dtype = promote(specs)
        return dtype if dtype in FLOATING else "float32"
    return declared or default_dtype(specs)


def promote(specs: Sequence[TensorSpec]) -> str:
    """Returns the dtype that operands promote to: that of the floating-point ones; without any, of the integers;
    without any, bool.

    A scalar does not promote others of its kind, as in torch.
    """
    kinds = [
        [spec for spec in specs if spec.dtype in FLOATING],
        [spec for spec in specs if spec.dtype not in FLOATING and spec.dtype != "bool"],
        list(specs),
    ]
    for kind in kinds:
        if kind:
            return promoted([spec.dtype for spec in kind if spec.shape] or [spec.dtype for spec in kind])
    return default_dtype(specs)


def as_specs(result: Any, dtype: str) -> tuple[TensorSpec, ...]:
    """Returns what an `infer` function returned, as specs: a TensorSpec, a shape, or a list of either."""
    if type(result) is TensorSpec:
        return (result,)
    items = result if isinstance(result, list) else [result]
    return tuple(item if isinstance(item, TensorSpec) else TensorSpec(tuple(item), dtype) for item in items)


def check_specs(specs: Sequence[TensorSpec]) -> None:
    """Raises ShapeError for an output that cannot be a tensor, such as one with a negative size."""
    for spec in specs:
        dtype_name(spec.dtype)
        for dim in spec.shape:
            if has_value(dim):
                if dim < 0 or (type(dim) is int and dim > MAX_DIM):
                    raise ShapeError(f"gives {shape_text(spec.shape)}: a dimension is {brief(dim)}")
            elif not (is_symbol(dim) or hasattr(dim, "dtype")):  # a sweep's are numpy's, scalars among them
                raise ShapeError(f"gives a dimension of {brief(dim)}, which is no integer")


def check_outputs(declared: Sequence[TensorSpec], inferred: Sequence[TensorSpec]) -> None:
    """Raises ShapeError if a node states other outputs than its operator makes."""
    if len(declared) != len(inferred):
        raise ShapeError(f"gives {len(inferred)} outputs, not {len(declared)}")
    for index, (ours, theirs) in enumerate(zip(declared, inferred, strict=True)):
        if ours.shape is theirs.shape:
            continue
        if len(ours.shape) != len(theirs.shape) or any(map(differ, ours.shape, theirs.shape)):
            raise ShapeError(
                f"output {index} is {shape_text(theirs.shape)}, but the graph says {shape_text(ours.shape)}"
            )
