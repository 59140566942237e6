"""A comparison with a library's class as a sheet and as plain values."""

from __future__ import annotations

from typing import Any

from graphacct.checkpoints.verify_class import FORWARD, PARAMS, STEP, ClassLine, ClassVerification
from graphacct.render.printable import printable
from graphacct.render.sheet_parts import Column, Line, Sheet

SCHEMA = "graphacct.class-verification/1"
TITLES = {
    PARAMS: "parameters",
    FORWARD: "forward FLOPs",
    STEP: "step FLOPs",
    "saved_bytes": "saved bytes",
    "peak_bytes": "forward peak",
    "backward_peak_bytes": "backward peak",
}


def sheet(found: ClassVerification) -> Sheet:
    """Returns the totals, and a line for each parameter or module that differs; the lines of equal ones are counted."""
    totals = [line for line in found.lines if not line.path]
    parts = [line for line in found.lines if line.path]
    apart = [line for line in parts if line.difference]
    lines = [_line(line) for line in (*totals, *apart)]
    columns = (
        Column("Figure"),
        Column("Ours", number=True),
        Column("Theirs", number=True),
        Column("Difference", number=True),
    )
    kinds = [(kind, [line for line in parts if line.what == kind]) for kind in (PARAMS, FORWARD, STEP)]
    notes = []
    for kind, of_kind in kinds:
        same = sum(1 for line in of_kind if not line.difference)
        what = "parameters" if kind == PARAMS else f"modules' {TITLES[kind]}"
        if of_kind:
            notes.append(f"{same:,} of {len(of_kind):,} {what} are equal")
    if found.measured.blind:
        seen = ", ".join(f"{count:,} of {name}" for name, count in found.measured.blind.items())
        unseen = {FORWARD: found.measured.unseen_forward, STEP: found.measured.unseen_step}
        by = [f"{flops['']:,} of the {TITLES[what]}" for what, flops in unseen.items() if flops.get("")]
        by_formula = f": {' and '.join(by)} of theirs are by formula" if by else ""
        notes.append(f"{found.measured.counter} does not see {seen}{by_formula}")
    sizes = ", ".join(f"{name} {value}" for name, value in (*found.workload.items(), *found.overrides.items()))
    count = len(found.differences)
    verdict = "equal" if found.equal else f"{count:,} figures differ" if count > 1 else "1 figure differs"
    return Sheet(
        printable(found.model),
        f"against {printable(found.measured.name)}, counted by {found.measured.counter}, of {printable(sizes)}",
        columns,
        tuple(lines),
        notes=(*notes, verdict),
        rest="use the format json",
    )


def to_dict(found: ClassVerification) -> dict[str, Any]:
    """Returns the comparison as plain values: see docs/json.md."""
    return {
        "schema": SCHEMA,
        "model": found.model,
        "class": found.measured.name,
        "counter": found.measured.counter,
        "workload": dict(found.workload),
        "set": dict(found.overrides),
        "equal": found.equal,
        "blind": dict(found.measured.blind),
        "unseen": {
            FORWARD: found.measured.unseen_forward.get("", 0),
            STEP: found.measured.unseen_step.get("", 0),
        },
        "lines": [
            {
                "what": line.what,
                "path": line.path,
                "ours": line.ours,
                "theirs": line.theirs,
                "difference": line.difference,
            }
            for line in found.lines
        ],
    }


def _line(line: ClassLine) -> Line:
    label = f"{TITLES[line.what]}{f' of {line.path}' if line.path else ''}"
    cells = (
        printable(label),
        f"{line.ours:,}",
        f"{line.theirs:,}",
        f"{line.difference:+,}" if line.difference else "0",
    )
    return Line(cells, printable(label))
