"""Cases of a fuzz test: each made from a seed, so that a failing one can be run again alone.

`make test` runs a few, the same every time; `make fuzz` 20,000 of each kind, others each time (`FUZZ_CASES=20000
EXAMPLES=random`). A failure names its seed: `FUZZ_SEED=123 FUZZ_CASES=1 .venv/bin/python -m pytest tests/fuzz -k NAME`.
"""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import graphacct

FEW = 60
"""Cases in `make test`."""
LAST_SEED = 2**32


class Hostile:
    """An object whose special methods fail."""

    def __init__(self, *methods: str) -> None:
        self.methods = methods

    def _fail(self, method: str) -> None:
        if method in self.methods:
            raise RuntimeError(f"{method} fails")

    def __repr__(self) -> str:
        self._fail("repr")
        return "<Hostile>"

    def __str__(self) -> str:
        self._fail("str")
        return "hostile"

    def __bool__(self) -> bool:
        self._fail("bool")
        return True

    def __len__(self) -> int:
        self._fail("len")
        return 1

    def __iter__(self) -> Any:
        self._fail("iter")
        return iter((1,))

    def __index__(self) -> int:
        self._fail("index")
        return 2

    def __eq__(self, other: object) -> bool:
        self._fail("eq")
        return self is other

    def __hash__(self) -> int:
        self._fail("hash")
        return 7


METHODS = ("repr", "str", "bool", "len", "iter", "index", "eq", "hash")
TEXTS = [
    "",
    "x",
    "fc",
    "linear",
    "float32",
    "bf16",
    "torch.float16",
    "\x1b[31m",
    "é\ud800",
    "a" * 5000,
    "*",
    "x:0",
    "1",
]
NUMBERS = [0, 1, 2, -1, 3, 7, 2**31, 2**63, -(2**70), 10**400, True, False, 0.5, 1e400, float("nan"), 3 + 4j]


def junk(rng: random.Random, depth: int = 2) -> Any:
    """Anything that might stand where a size, a name or a list should."""
    kind = rng.randrange(12)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind < 5:
        return rng.choice(TEXTS)
    if kind < 7 and depth:
        return rng.choice([list, tuple])(junk(rng, depth - 1) for _ in range(rng.randrange(4)))
    if kind == 7 and depth:
        return {rng.choice(TEXTS): junk(rng, depth - 1) for _ in range(rng.randrange(3))}
    if kind == 8:
        return Hostile(*rng.sample(METHODS, rng.randrange(3)))
    if kind == 9:
        return rng.choice([None, object(), b"\xff", int, len, {1, 2}, range(3), iter([1]), Ellipsis])
    if kind == 10:
        return _of_a_library(rng)
    return rng.randrange(1, 9)


def _of_a_library(rng: random.Random) -> Any:
    import numpy
    import sympy

    made: list[Callable[[], Any]] = [
        lambda: sympy.Symbol("n", positive=True, integer=True),
        lambda: sympy.Rational(1, 3),
        lambda: sympy.nan,
        lambda: numpy.array([1.0, 2.0]),
        lambda: numpy.array([1, 2]),
        lambda: numpy.int64(4),
        lambda: numpy.array("x"),
        lambda: numpy.array(None),
    ]
    return rng.choice(made)()


def cases(
    name: str, case: Callable[[random.Random], object], allowed: type[Exception] = graphacct.GraphacctError
) -> None:
    """Runs a function on random generators of many seeds. It may raise `allowed`; anything else fails the test, which
    names the seed."""
    count = int(os.environ.get("FUZZ_CASES", FEW))
    first = os.environ.get("FUZZ_SEED")
    anywhere = os.environ.get("EXAMPLES") == "random"
    start = int(first) if first else random.randrange(LAST_SEED) if anywhere else 0
    for seed in range(start, start + count):
        try:
            case(random.Random(f"{name} {seed}"))
        except allowed as error:
            check_message(name, seed, error)
        except (Exception, SystemExit, GeneratorExit):
            text = traceback.format_exc(limit=-6)
            pytest.fail(f"{name}: FUZZ_SEED={seed}\n{text}", pytrace=False)


def check_message(name: str, seed: int, error: Exception) -> None:
    """Fails for a message that a user could not read: empty, or many lines."""
    try:
        text = str(error)
        assert text
        assert text.count("\n") < 2, text
    except Exception as problem:
        pytest.fail(f"{name}: FUZZ_SEED={seed}: the message is {type(problem).__name__}: {problem}", pytrace=False)


def json_junk(rng: random.Random, depth: int = 2) -> Any:
    """Anything that JSON can hold."""
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice([0, 1, 2, 3, -1, 7, 64, 2**31, 2**63, -(2**70), 0.5, 1e300, float("nan"), True, False, None])
    if kind < 5:
        return rng.choice(TEXTS)
    if kind == 5 and depth:
        return [json_junk(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 6 and depth:
        return {rng.choice(TEXTS): json_junk(rng, depth - 1) for _ in range(rng.randrange(3))}
    return rng.randrange(1, 9)


def damage_json(rng: random.Random, content: Any) -> Any:
    """Returns JSON with one thing in it changed: replaced, left out, or twice."""
    path: list[tuple[Any, Any]] = []
    here = content
    while isinstance(here, (dict, list)) and here and (not path or rng.random() < 0.75):
        key = rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        path.append((here, key))
        here = here[key]
    if not path:
        return json_junk(rng)
    parent, key = path[-1]
    kind = rng.randrange(5)
    if kind < 2:
        parent[key] = json_junk(rng)
    elif kind == 2:
        del parent[key]
    elif kind == 3 and isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), parent[key])
    elif isinstance(parent, dict):
        parent[rng.choice([*parent, *TEXTS])] = parent[key]
    return content


def damage_bytes(rng: random.Random, data: bytes) -> bytes:
    """Returns bytes cut off, or with some changed, left out or added."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 2:
            changed[at:at] = rng.choice([b"[", b"{", b'"', b"\\u0000", b"\xff", b"0" * 50, b"a" * 1000])
        else:
            del changed[at : at + rng.randrange(1, 20)]
    return bytes(changed)
