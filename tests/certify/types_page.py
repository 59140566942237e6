"""docs/model-types.md from what was measured: `python types_page.py ROWS.json COMPACT.json PAGE.md`.

ROWS.json is what model_types.py wrote (several are joined by commas); COMPACT.json has a line for each type, and is
what the page is made of.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from completed import COMPLETED

TOP = """# Model types of the transformers library

This page lists what becomes of each model type of the [transformers](https://github.com/huggingface/transformers)
library, version {version}, that graphacct reads through the library's class ([config.json](config-json.md)). The class
is built from the default configuration of its type, with two layers of each kind, and gets two made inputs at a time.
The forward FLOPs are those of products and convolutions, by graphacct and by torch's own counter; the next column has
those of operators that the counter does not see, by formulas that `tests/certify/unseen.py` has.

A row is about the library's class alone, which needs torch. Most of these types are read without it, and some that have
no figures here (VITS, SuperPoint, SAM 2's files for videos) are read so as well: [coverage](coverage.md) lists them.

`make certify` measures and writes this page again; nothing on it is typed.

{summary}

| model type | class | parameters | FLOPs | torch's counter | it does not see | |
|---|---|---|---|---|---|---|
"""
BOTTOM = """
¹ With all its layers, since it does not run with two of each kind.

² One input at a time, since it does not run with two.

³ The default configuration leaves out or contradicts what the class needs; `tests/certify/completed.py` has what was
added.

Some classes need libraries besides torch: timm and torchvision for convolutional backbones, scipy and torchaudio. Where
one is missing, the row says which.
"""
KEPT = ("stage", "class", "layers", "batch", "completed", "params", "flops", "counter", "unseen", "blind", "error")


def compact(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the page and its test need of a row: figures of one that is done, and the error of another."""
    row = {**row, "completed": name in COMPLETED}
    flat = {**row, "flops": row["ours"]["flops"]} if row["stage"] == "done" else dict(row)
    if row["stage"] == "done" and row["ours"]["params"] != row["params"]:
        raise ValueError(f"parameters differ: {row}")
    usual = {"layers": "two", "batch": 2, "unseen": 0, "blind": {}, "completed": False}
    if row["stage"] != "done":  # all ways were tried
        flat |= {"layers": "two", "batch": 2}
    return {name: flat[name] for name in KEPT if flat.get(name) not in (None, usual.get(name))}


def line(name: str, row: Mapping[str, Any]) -> str:
    """One line of the table."""
    marks = "".join(
        mark
        for mark, holds in (
            ("¹", row.get("layers") == "all"),
            ("²", row.get("batch") == 1),
            ("³", row.get("completed", False)),
        )
        if holds
    )
    start = f"| `{name}`{marks} | {row.get('class', '')} "
    if row["stage"] != "done":
        return start + f"| | | | | {reason(row['error'])} |"
    seen = f"{row['unseen']:,}: " + ", ".join(f"{n} {op}" for op, n in row["blind"].items()) if "unseen" in row else ""
    figures = " | ".join(f"{row[figure]:,}" for figure in ("params", "flops", "counter"))
    return start + f"| {figures} | {seen} | {'' if explained(row) else '**not explained**'} |"


def reason(error: str) -> str:
    """Why a type is not read, in a cell."""
    text = error.partition("; ")[0].partition(", as .item(), ")[0].replace("|", "/").replace("\n", " ").strip()
    return (text if len(text) <= 160 else text[:157] + "…").replace("<", "‹").replace(">", "›")


def explained(row: Mapping[str, Any]) -> bool:
    """Whether ours is what the counter says and what it does not see."""
    return bool(row["flops"] == row["counter"] + row.get("unseen", 0))


def has_inputs(row: Mapping[str, Any]) -> bool:
    """Whether inputs were made with which the class runs, or runs as far as its data decides."""
    return row["stage"] in ("graph", "done") or "only data has" in row["error"] or "depends on data" in row["error"]


def summary(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """How many are read, and how many agree."""
    done = [row for row in rows.values() if row["stage"] == "done"]
    served = sum(map(has_inputs, rows.values()))
    whole = sum(explained(row) and "unseen" not in row for row in done)
    partly = sum(explained(row) and "unseen" in row for row in done)
    parts = [
        f"{len(rows)} model types have a class. {len(done)} of them are read ({len(done) / len(rows):.1%})",
        f"{served} get inputs that are made for them ({served / len(rows):.1%})",
    ]
    agree = (
        f"Of those read, {whole} have exactly the FLOPs of torch's counter, and {partly} those and what it does not see"
    )
    rest = len(done) - whole - partly
    text = f"{parts[0]}, and {parts[1]}. {agree}" + (f"; {rest} are **not explained**." if rest else ".")
    return fill(text, 120)


def page(rows: Mapping[str, Mapping[str, Any]], version: str) -> str:
    """The whole page."""
    lines = "\n".join(line(name, row) for name, row in rows.items())
    return TOP.format(version=version, summary=summary(rows)) + lines + "\n" + BOTTOM


def written(version: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The compact rows as JSON, a line for each type."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    return f'{{"transformers": {json.dumps(version)}, "types": {{\n{lines}\n}}}}\n'


def main(measured: str, compacted: str, written_page: str) -> None:
    """Joins what was measured, and writes both files."""
    import transformers

    found: dict[str, Any] = {}
    for name in measured.split(","):
        found |= json.loads(Path(name).read_text())
    rows = {name: compact(name, found[name]) for name in sorted(found)}
    Path(compacted).write_text(written(transformers.__version__, rows), encoding="utf-8")
    Path(written_page).write_text(page(rows, transformers.__version__), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:4])
