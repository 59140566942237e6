"""A model against a checkpoint: the tensors that differ, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from graphacct.dims import shape_text
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.report import Report

MISSING, UNKNOWN, SHAPE, DTYPE = "missing", "unknown", "shape", "dtype"


@attrs.frozen
class Difference:
    """A tensor that is not the same in both.

    Attributes:
        name: Its name.
        kind: `missing` in the checkpoint, `unknown` to the model, another `shape`, or another `dtype`.
        model: What the model has; empty where it has none.
        checkpoint: What the checkpoint has; empty where it has none.
    """

    name: str
    kind: str
    model: str
    checkpoint: str


@attrs.frozen
class Verification:
    """How a model and a checkpoint compare.

    Attributes:
        model: The model's name.
        tensors: Tensors of the checkpoint.
        params: Their elements.
        differences: What is not the same, in the model's order, then the checkpoint's.
    """

    model: str
    tensors: int
    params: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether names and shapes are the same; other dtypes are no other model."""
        return all(item.kind == DTYPE for item in self.differences)


def verify(report: Report, found: Mapping[str, TensorSpec]) -> Verification:
    """Compare a model, every tensor under its own name, with the tensors of a checkpoint.

    A checkpoint may leave out a tied tensor, which is the other one's storage, and a model's buffers are in it or not:
    both are no difference.
    """
    differences = []
    names = set()
    for row in report.by_parameter:
        parameter = row.parameter
        names.add(parameter.name)
        there = found.get(parameter.name)
        ours = _text(parameter.spec)
        if there is None:
            if not parameter.tied_to and not parameter.buffer:
                differences.append(Difference(parameter.name, MISSING, ours, ""))
        elif tuple(there.shape) != tuple(parameter.spec.shape):
            differences.append(Difference(parameter.name, SHAPE, ours, _text(there)))
        elif there.dtype != parameter.spec.dtype:
            differences.append(Difference(parameter.name, DTYPE, ours, _text(there)))
    differences += [Difference(name, UNKNOWN, "", _text(spec)) for name, spec in found.items() if name not in names]
    total = sum(int(spec.elements) for spec in found.values())
    return Verification(report.model, len(found), total, tuple(differences))


def _text(spec: TensorSpec) -> str:
    return f"{spec.dtype}{shape_text(spec.shape)}"
