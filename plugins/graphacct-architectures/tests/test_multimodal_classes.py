"""Small models of text and images against the classes of the transformers library: what torch's counter said of each.

`tests/verify/measure_multimodal.py` measured the numbers in multimodal.json.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from each import each

import graphacct

CASES = {case["name"]: case for case in json.loads((Path(__file__).parent / "multimodal.json").read_text())}
CASE = each("case", CASES)


@cache
def report(case: str, **options: Any) -> graphacct.Report:
    workload = {key: tuple(value) if isinstance(value, list) else value for key, value in sizes(case).items()}
    if options.get("phase") == "decode":
        workload.pop("seq_len", None)
    return graphacct.account(CASES[case]["config"], convention="matmul", **{"attention": "eager"} | workload | options)


def sizes(case: str) -> dict[str, Any]:
    return dict(CASES[case]["workload"])


def starred(path: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


@CASE
def test_parameters(case: str) -> None:
    """Every name, with its elements and how many tensors have it."""
    ours: dict[str, list[int]] = {}
    for row in report(case).by_parameter:
        if not row.parameter.tied_to and not row.parameter.buffer:
            alike = ours.setdefault(starred(row.parameter.name), [0, 0])
            alike[:] = alike[0] + row.parameter.spec.elements * row.count, alike[1] + row.count
    assert ours == CASES[case]["measured"]["names"]
    assert report(case).total["params"] == CASES[case]["measured"]["params"]


@CASE
def test_forward(case: str) -> None:
    """The total and every module that has a row."""
    measured = CASES[case]["measured"]
    ours: Counter[str] = Counter()
    for row in report(case).by_scope:
        ours[starred(row.path)] += row.values["matmul_flops"]
    known = {path: flops for path, flops in measured["modules"].items() if path in ours}
    assert {path: ours[path] for path in known} == known
    assert len(known) > len(measured["modules"]) // 2
    assert report(case).total["matmul_flops"] == measured["forward"]
    assert report(case, attention="fused").total["matmul_flops"] == measured["forward"]


@CASE
def test_step(case: str) -> None:
    """A training step from the sum of the outputs."""
    found = report(case, phase="train", loss="sum").total["step_matmul_flops"]
    assert found == CASES[case]["measured"]["step"]


@each("case", [name for name, case in CASES.items() if "decode" in case["measured"]])
def test_decode(case: str) -> None:
    """A further token behind those of the workload."""
    measured = CASES[case]["measured"]["decode"]
    assert report(case, phase="decode", cache_len=measured["cache_len"]).total["matmul_flops"] == measured["flops"]
