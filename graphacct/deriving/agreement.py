"""Whether one traced report says the same as another one at the other's sizes, all figures and shapes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.deriving.traced_report import FAILURES
from graphacct.explanations.formulas import PER_NODE
from graphacct.explanations.parts import Step
from graphacct.explanations.saved_bytes import saved_rows
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import TracedSize
from graphacct.hooks.manager import Plugins
from graphacct.reports.report import Report

PLAIN = {int, str, bool, type(None), float}


def agrees(
    report: Report, trace: Trace, other: Report, of_other: Trace, sizes: Mapping[str, int], plugins: Plugins
) -> bool:
    """Returns whether a report's formulas, for the sizes that another one is traced at, are the other's formulas.

    The sizes that are numbers in the other one are put in as numbers, and the others stay open: so both are compared
    for all sizes of the other one at once.

    Args:
        report: The report.
        trace: Its trace.
        other: The other one.
        of_other: Its trace.
        sizes: All sizes, those that are numbers in it too.
        plugins: Those in use.
    """
    common = Trace()
    of_sizes = of_other.sizes
    mixed: dict[str, Any] = {
        name: common.size(name, size) if name in of_sizes else size for name, size in sizes.items()
    }
    mine, its = _Keys(trace, mixed), _Keys(of_other, mixed)
    try:
        Evaluation(of_other, mixed).decide(of_other.decisions)
        pairs = zip(_told(report, plugins), _told(other, plugins), strict=True)
        return all(mine.of(a) == its.of(b) for a, b in pairs)
    except (*FAILURES, ZeroDivisionError):
        return False


class _Keys:
    """What a trace's figures are at some sizes, each found once, as keys."""

    def __init__(self, trace: Trace, sizes: Mapping[str, Any]) -> None:
        self._at = Evaluation(trace, sizes)
        self._known: dict[Any, Any] = {}

    def of(self, value: Any) -> Any:
        if type(value) in PLAIN:
            return value
        if isinstance(value, TracedSize):
            key = value.key
            if key not in self._known:
                found = self._at.of_terms(value.terms)
                self._known[key] = found.key if isinstance(found, TracedSize) else found
            return self._known[key]
        if isinstance(value, (list, tuple)):
            return [self.of(each) for each in value]
        if isinstance(value, Mapping):
            return {name: self.of(each) for name, each in value.items()}
        if attrs.has(type(value)):
            return type(value), [self.of(getattr(value, field.name)) for field in attrs.fields(type(value))]
        return value


def _told(report: Report, plugins: Plugins) -> Iterator[Any]:
    """Yields everything that is shown of a report's nodes and depends on sizes."""
    values = iter(report.values)
    for record in report.annotated.costs:
        yield _of_node(record)
        if record.cost is not None:
            yield next(values)
            yield [getattr(record.cost, name) for name in PER_NODE]
    training = report.annotated.training
    if training is not None:
        step = Step(report.annotated.graph, training, plugins)
        for record in report.annotated.costs:
            yield [(part.quantity, part.of, part.name, part.each, part.times) for part in step.parts(record)]
    run = report.annotated.activations
    if run is not None:
        for name, rows in saved_rows(run).items():
            yield name, [(row.name, row.made_by, row.why, row.counted, row.total) for row in rows]


def _of_node(record: NodeCost) -> Any:
    node = record.node
    application = node.application
    share = None if application is None else application.share
    pairs = () if share is None else (share.pairs, share.of, share.stated)
    tensors = [(item.spec.dtype, item.spec.shape) for item in (*node.inputs, *node.outputs)]
    return node.name, node.operator, record.times, record.repeats, tensors, node.attributes, pairs
