"""The ratios of a page: each as a function of a row's other quantities."""

from __future__ import annotations

from graphacct.errors import GraphacctError
from graphacct.formulas.javascript import JavaScript, variable_of
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import TracedSize
from graphacct.reports.report import Report


def ratios(report: Report) -> str:
    """Returns the ratios by name as JavaScript: of each a function of the quantities, which gives null where the row
    has none."""
    names = [item.name for item in report.quantities]
    found = []
    for ratio in report.ratios:
        trace = Trace()
        row = {name: trace.size(name, _size(report, name)) for name in names}
        try:
            value = report.figure(ratio.name, row)
        except (TypeError, GraphacctError):
            continue
        if isinstance(value, TracedSize):
            source = JavaScript(trace)
            figure = source.of(value)
            holds = " && ".join(map(source.condition, trace.decisions)) or "true"
            lines = "".join(f"{line}\n" for line in source.lines)
            arguments = ", ".join(map(variable_of, names))
            found.append(
                f"{variable_of(ratio.name)}: ([{arguments}]) => {{\n{lines}return {holds} ? {figure} : null;\n}},\n"
            )
    return f"const RATIOS = {{\n{''.join(found)}}};\n"


def _size(report: Report, name: str) -> int:
    value = report.total[name]
    return value if type(value) is int and value > 0 else 1
