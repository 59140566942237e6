"""Compares a model with a checkpoint: the tensors that differ, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from graphacct.checkpoints.further_layers import further_layers
from graphacct.checkpoints.older_names import BASES, BUFFERS, as_today
from graphacct.checkpoints.stored_tensors import StoredComparison, stored_tensors
from graphacct.dims import Dim, same, shape_text
from graphacct.hooks.manager import default
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.reports.report import Report

MISSING, UNKNOWN, SHAPE, DTYPE, BUFFER, MTP = "missing", "unknown", "shape", "dtype", "buffer", "mtp"
BYTES = "bytes"
QUANTISED = "quantised weights, compared by the bytes of each"
"""The conversion of the tensors of stored weights, whose shapes are not compared."""


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
    names are converted to today's (`older_names`). A weight that the model has stored in a format is compared by the
    bytes of all its tensors, whatever their names and shapes. The families of `plugins`, or of all installed plugins,
    give the possible names of the model below a head.
    """
    differences = []
    parameters = [row.parameter for row in report.by_parameter]
    stored = {item.parameter.name: item for item in stored_tensors(parameters, found)}
    taken = {name for item in stored.values() for name in item.names}
    rest = {name: spec for name, spec in found.items() if name not in taken}
    names = {row.parameter.name for row in report.by_parameter}
    families = (plugins or default()).architectures.values()
    tensors, conversions = as_today(rest, names, {*BASES, *(kind for item in families for kind in item.model_types)})
    for row in report.by_parameter:
        parameter = row.parameter
        there = tensors.get(parameter.name)
        ours = _text(parameter.spec)
        packed = stored.get(parameter.name)
        if packed is not None:
            if not same(packed.bytes, packed.expected):
                differences.append(Difference(parameter.name, BYTES, *_bytes_texts(packed)))
        elif there is None:
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
    total = sum(int(spec.elements) for spec in rest.values())
    total += sum(int(item.parameter.spec.elements) for item in stored.values())
    if taken:
        conversions = {**conversions, QUANTISED: len(taken)}
    return Verification(report.model, len(found), total, tuple(differences), conversions)


def _bytes_texts(packed: StoredComparison) -> tuple[str, str]:
    """Returns what a stored weight takes by its format, and in the checkpoint."""
    form = packed.parameter.stored.format.name if packed.parameter.stored else ""
    there = f"{_number(packed.bytes)} bytes in {len(packed.names)} tensors"
    return f"{form}, {_number(packed.expected)} bytes", there


def _number(size: Dim) -> str:
    """Returns a size with commas, or a symbol's text."""
    return f"{size:,}" if type(size) is int else str(size)


def _text(spec: TensorSpec) -> str:
    return f"{spec.dtype}{shape_text(spec.shape)}"
