"""Compares a model with a checkpoint: the tensors that differ, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from graphacct.checkpoints.further_layers import further_layers
from graphacct.checkpoints.older_names import BASES, BUFFERS, as_today
from graphacct.dims import shape_text
from graphacct.hooks.manager import default
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.reports.report import Report

MISSING, UNKNOWN, SHAPE, DTYPE, BUFFER, MTP = "missing", "unknown", "shape", "dtype", "buffer", "mtp"


@attrs.frozen
class Difference:
    """A tensor that is not the same in both.

    Attributes:
        name: Its name.
        kind: `missing` in the checkpoint, `unknown` to the model, another `shape`, another `dtype`, a `buffer` that
            older classes saved with the parameters, or `mtp`: of a multi-token-prediction layer, which the model's
            class leaves out.
        model: What the model has; empty if it has none.
        checkpoint: What the checkpoint has; empty if it has none.
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
        differences: The differences, in the model's order, then the checkpoint's.
        conversions: How older names and shapes were converted to today's, and for how many of the checkpoint's tensors.
    """

    model: str
    tensors: int
    params: int
    differences: tuple[Difference, ...]
    conversions: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def equal(self) -> bool:
        """Whether names and shapes are the same; dtypes, buffers and multi-token-prediction layers may differ."""
        return all(item.kind in (DTYPE, BUFFER, MTP) for item in self.differences)


def verify(report: Report, found: Mapping[str, TensorSpec], plugins: Plugins | None = None) -> Verification:
    """Compares a model's tensors, each under its own name, with the tensors of a checkpoint.

    A checkpoint may leave out tied tensors, which share another's storage, and buffers: neither is a difference. Older
    names are converted to today's (`older_names`). The families of `plugins`, or of all installed plugins, give the
    possible names of the model below a head.
    """
    differences = []
    names = {row.parameter.name for row in report.by_parameter}
    families = (plugins or default()).architectures.values()
    tensors, conversions = as_today(found, names, {*BASES, *(kind for item in families for kind in item.model_types)})
    for row in report.by_parameter:
        parameter = row.parameter
        there = tensors.get(parameter.name)
        ours = _text(parameter.spec)
        if there is None:
            if not parameter.tied_to and not parameter.buffer:
                differences.append(Difference(parameter.name, MISSING, ours, ""))
        elif tuple(there.shape) != tuple(parameter.spec.shape):
            differences.append(Difference(parameter.name, SHAPE, ours, _text(there)))
        elif there.dtype != parameter.spec.dtype:
            differences.append(Difference(parameter.name, DTYPE, ours, _text(there)))
    left = {name: spec for name, spec in tensors.items() if name not in names}
    further = further_layers(left, names)
    kinds = {name: BUFFER if BUFFERS.search(name) else MTP if name in further else UNKNOWN for name in left}
    differences += [Difference(name, kinds[name], "", _text(spec)) for name, spec in left.items()]
    total = sum(int(spec.elements) for spec in found.values())
    return Verification(report.model, len(found), total, tuple(differences), conversions)


def _text(spec: TensorSpec) -> str:
    return f"{spec.dtype}{shape_text(spec.shape)}"
