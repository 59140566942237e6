"""Looking up the row or node that a path names: a whole path, one with an index for `*`, or the end of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphacct.costs.roles import ROLES
from graphacct.errors import UnknownNameError, suggest, unknown
from graphacct.explanations.formulas import number
from graphacct.graph.paths import index_of, is_index, outward, pattern

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.reports.report import Report


def matches(path: str, wanted: str, record: NodeCost) -> bool:
    """Returns whether `wanted`, which may have indices in place of `*`, is this path around a node, or its end."""
    ours, theirs = path.split("."), wanted.split(".")
    blocks = iter(list(zip(record.starts, record.repeats, strict=True))[: path.count("*")][::-1])
    for a, b in zip(reversed(ours), reversed(theirs), strict=False):
        if "*" in a and is_index(a):
            start, repeat = next(blocks, (0, None))
            if not is_index(b):
                return False
            if b.isdigit() and type(repeat) is int:
                first, last, step = (index_of(a, start + i) for i in (0, repeat - 1, 1))
                if int(b) not in range(first, last + 1, step - first):
                    return False
        elif a != b:
            return False
    return True


def check_indices(report: Report, path: str, wanted: str) -> None:
    """Raises UnknownNameError for an index that nothing in this path's row has."""
    if not any(part.isdigit() for part in wanted.split(".")):
        return
    found = [
        (scope, record)
        for record in report.annotated.costs
        for scope in outward(record.node.name)
        if pattern(scope) == path
    ]
    if not any(matches(scope, wanted, record) for scope, record in found):
        times = number(report[path].repeat)
        raise UnknownNameError(f"{report.model} has no {wanted!r}: {path!r} is there {times} times")


def resolve(report: Report, node: str) -> str:
    """Returns the path of a row that `node` names: exactly, with an index for `*`, or by its end."""
    paths = [row.path for row in report.by_scope]
    wanted = pattern(node)
    if wanted in paths:
        return wanted
    ends = [path for path in paths if path.endswith("." + wanted)]
    if len(ends) == 1:
        return ends[0]
    if ends:
        shown = ", ".join(ends[:6]) + (", …" if len(ends) > 6 else "")
        raise UnknownNameError(f"{node!r} is the end of {len(ends)} paths of {report.model}: {shown}; give more of one")
    parts = wanted.count(".") + 1
    known = {*paths, *(".".join(path.split(".")[-parts:]) for path in paths)}
    if wanted in ROLES:
        raise UnknownNameError(
            f"{node!r} is a role of nodes, which the conditions of solve may name, and no node or scope of "
            f"{report.model}{suggest(wanted, known)} (a report with depth=9 shows all)"
        )
    raise unknown("node", node, known, f"a report of {report.model} with depth=9 shows all")
