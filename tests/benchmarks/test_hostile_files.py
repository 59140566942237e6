"""Files of less than 100 kB that ask for much: each costs at most 20 times the report of GPT-2, or is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from timing import process_cpu, script

MOST = 20
COMMANDS = (["report"], ["memory"], ["report", "--phase", "train"])


def block(name: str, times: int, carry: list[str], inputs: list[str], nodes: list[Any], outputs: list[str]) -> Any:
    body = {"inputs": [{"name": item, "shape": [2, 4]} for item in inputs], "nodes": nodes, "outputs": outputs}
    return {"name": name, "repeat": times, "carry": carry, "body": body}


def linear(name: str, x: str) -> Any:
    return {"name": name, "operator": "linear", "inputs": [x, {"parameter": f"{name}.weight", "shape": [4, 4]}]}


def nested(levels: int, times: int) -> list[Any]:
    """One linear layer in blocks in blocks."""
    path = ".".join(f"h{level}.*" for level in range(levels))
    inner: Any = linear(f"{path}.fc", f"x{levels - 1}")
    for level in reversed(range(levels)):
        path = ".".join(f"h{i}.*" for i in range(level + 1))
        carry = f"x{level - 1}" if level else "x"
        inner = block(path, times, [carry], [f"x{level}"], [inner], [inner["name"]])
    return [inner]


def turning(times: int) -> list[Any]:
    """77 carried values in cycles of 2 to 19: in their old places after 9,699,690 repetitions."""
    outputs: list[str] = []
    for length in (2, 3, 5, 7, 11, 13, 17, 19):
        first = len(outputs)
        outputs += [f"i{first + (place + 1) % length}" for place in range(length)]
    names = [f"i{place}" for place in range(len(outputs))]
    node = {"name": "h.*.r", "operator": "relu", "inputs": [outputs[0]]}
    return [block("h.*", times, ["x"] * len(names), names, [node], ["h.*.r", *outputs[1:]])]


def shifting(count: int, times: int) -> list[Any]:
    """Carried values that move up by one place each time; the last is the sum of the first and itself."""
    names = [f"i{place}" for place in range(count)]
    node = {"name": "h.*.r", "operator": "add", "inputs": [names[0], names[-1]]}
    return [block("h.*", times, ["x"] * count, names, [node], [*names[1:], "h.*.r"])]


def chain(count: int) -> list[Any]:
    return [linear(f"layers.{i}", f"layers.{i - 1}" if i else "x") for i in range(count)]


FILES = {
    "nested 5": nested(5, 10**9),
    "nested 8": nested(8, 10**9),
    "nested twice 12": nested(12, 2),
    "turning": turning(10**12),
    "shifting": shifting(300, 10**6),
    "chain": chain(800),
    "split": [{"name": "z", "operator": "split", "inputs": ["x"], "attributes": {"parts": 10**9, "dim": 0}}],
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file(name: str, benchmark: Any, record: Callable[..., None], tmp_path: Path) -> None:
    """Whether it is answered or refused."""
    path = tmp_path / "hostile.json"
    last = FILES[name][-1]
    output = f"{last['name']}:0" if len(last.get("carry", [])) > 1 or "parts" in str(last) else last["name"]
    document = {"schema": "graphacct.graph/1", "inputs": [{"name": "x", "shape": [2, 4]}], "nodes": FILES[name]}
    path.write_text(json.dumps({**document, "outputs": [output]}))
    assert path.stat().st_size < 100_000
    base = min(process_cpu([script("graphacct"), "report", "gpt2"]) for _ in range(3))
    for command in COMMANDS:
        whole = [script("graphacct"), command[0], str(path), *command[1:]]
        seconds = process_cpu(["sh", "-c", '"$@" 2>/dev/null || test $? = 1', "sh", *whole])
        record(f"{name}: {' '.join(command)}", seconds, seconds / base, "graphacct report gpt2")
        assert seconds <= MOST * base
        assert b"Traceback" not in subprocess.run(whole, capture_output=True, check=False).stderr
    benchmark.pedantic(lambda: None, rounds=1, iterations=1)
