"""Sweeps of GPT-2 and Llama against hand-written formulas in numpy, on the same points; their memory; two workers.

The formulas below are those of `graphacct.account` with symbols as sizes, collected by hand: d is the width, n the
layers, s the length and h the heads, which divide d by a multiple of 8.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy
import pytest
from timing import interleaved

import graphacct
from graphacct.hooks.manager import default
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.plan import make_plan
from graphacct.sweeping.program import Program

ROUNDS = 9
TARGET = 1.5
"""At most this many times the hand-written formula, per total."""
EXACT = 5e-6
"""Seconds a point and total, in Python ints."""
MEMORY = 2**30
"""Bytes of a process that sweeps any grid."""
POSITIONS = {"gpt2": {"n_positions": 20_000}, "llama-3-8b": {"max_position_embeddings": 20_000}}
GRID = {"n_head": "16,32", "n_layer": "5:84", "d_model": "256:4096:256", "seq_len": "64:10240:64"}
"""2 x 80 x 16 x 160 points of a slab; the sweeps below have 10 million."""
TEN_MILLION = {"n_head": "16,32", "n_layer": "5:84", "d_model": "256:4096:256", "seq_len": "10:40000:10"}
FORMULAS: dict[tuple[str, str], Callable[..., Any]] = {
    ("gpt2", "params"): lambda h, n, d, s: n * d * (12 * d + 13) + 70_259 * d,
    ("gpt2", "flops"): lambda h, n, d, s: (
        n * s * (24 * d * d + d * (4 * s + 61) + 7 * h * s + 8) + s * (100_522 * d + 4)
    ),
    ("gpt2", "saved_bytes"): lambda h, n, d, s: (
        n * (s * (114 * d + 16) + 128 * h * numpy.ceil(s / 32) + 16) + s * (9 * d + 201_052) + 12
    ),
    ("llama-3-8b", "params"): lambda h, n, d, s: n * d * (2 * d + 16 * d / h + 43_010) + 256_513 * d,
    ("llama-3-8b", "flops"): lambda h, n, d, s: (
        n * s * (d * (4 * d + 32 * d / h + 4 * s + 86_029 + 24 / h) + 7 * h * s + 71_686)
        + s * (d * (256_516 + 4.5 / h) + 3)
    ),
    ("llama-3-8b", "saved_bytes"): lambda h, n, d, s: (
        n * (s * (d * (12 + 32 / h) + 4 * h + 114_696) + 24) + s * (d * (4 + 4 / h) + 513_036) + 12
    ),
}


def program(model: str, quantity: str, over: dict[str, str], exact: bool = False) -> tuple[Program, list[Slab]]:
    """The program of a sweep for one quantity, and the slabs of its grid."""
    options: dict[str, Any] = {"convention": "exact", "unknown": "error", "set": POSITIONS[model]}
    options |= {"phase": "train"} if quantity == "saved_bytes" else {}
    plan = make_plan(model, over, (), [quantity], (), exact, graphacct.account, options, default())
    made = plan.program({})
    return made, list(plan.grid.slabs({}, made.evaluator.most))


@pytest.mark.parametrize(("model", "quantity"), FORMULAS)
def test_a_total_costs_what_its_formula_costs(
    benchmark: Any, record: Callable[..., None], model: str, quantity: str
) -> None:
    """By hand, a sweep of so many points is arithmetic on one array for each size, here in pieces that the cache holds.
    Arrays that broadcast are what ours gets, and the formula is measured on them too, without a target: where a total
    does not depend on the last axes there is next to nothing left to compute. The traces are there already."""
    made, slabs = program(model, quantity, GRID)
    formula, points = FORMULAS[model, quantity], sum(slab.points for slab in slabs)
    arrays = [[*slab.arrays(False).values()] for slab in slabs]
    pieces = [
        [numpy.ascontiguousarray(numpy.broadcast_to(array, slab.shape)).reshape(-1) for array in each]
        for slab, each in zip(slabs, arrays, strict=True)
    ]

    def ours() -> list[Any]:
        return [made.evaluator.evaluate(slab).values[quantity] for slab in slabs]

    def by_hand() -> list[Any]:
        return [formula(*each) for each in pieces]

    def broadcast() -> list[Any]:
        return [formula(*each) for each in arrays]

    for slab, one, other in zip(slabs, ours(), by_hand(), strict=True):
        full = numpy.broadcast_to(one, slab.shape).reshape(-1)
        assert numpy.allclose(full, other, rtol=1e-14, atol=0)
    times = interleaved({"numpy": by_hand, "broadcast": broadcast, "ours": ours}, ROUNDS)
    ratio = times["ours"] / times["numpy"]
    record(f"{model} {quantity}: {times['ours'] / points * 1e9:.1f} ns a point", times["ours"], ratio, "numpy by hand")
    record("", times["ours"], times["ours"] / times["broadcast"], "the same on arrays that broadcast")
    benchmark.pedantic(ours, rounds=3, iterations=1)
    assert ratio <= TARGET


@pytest.mark.parametrize(("model", "quantity"), FORMULAS)
def test_exact_totals(benchmark: Any, record: Callable[..., None], model: str, quantity: str) -> None:
    """In Python ints, equal to single reports at the ends of the grid."""
    over = {**GRID, "n_layer": "5:6", "n_head": "16"}
    made, slabs = program(model, quantity, over, exact=True)
    points = sum(slab.points for slab in slabs)

    def ours() -> list[Any]:
        return [made.evaluator.evaluate(slab).values[quantity] for slab in slabs]

    first = numpy.broadcast_to(ours()[0], slabs[0].shape).reshape(-1)[0]
    assert first == made.question.answer([int(values[0]) for values in slabs[0].axes.values()])[0]
    assert type(first) is int
    seconds = interleaved({"ours": ours}, 3)["ours"]
    record(f"{model} {quantity}, exact: {seconds / points * 1e6:.2f} µs a point", seconds, 1.0, "itself")
    benchmark.pedantic(ours, rounds=1, iterations=1)
    assert seconds / points <= EXACT


@pytest.mark.parametrize("output", ["rows.csv", "rows.parquet", ""])
def test_ten_million_rows_in_bounded_memory(
    benchmark: Any, record: Callable[..., None], tmp_path: Path, output: str
) -> None:
    """A process of its own: the rows of 10 million points go to a file, or only those of a front are left."""
    over = " ".join(f"--over {name}={values}" for name, values in TEN_MILLION.items())
    rows = f"-o {tmp_path / output}" if output else "--pareto=-params,flops"
    command = f"{sys.executable} -m graphacct sweep gpt2 {over} --set n_positions=40000 --keep params,flops {rows}"
    start = perf_counter()
    child = os.posix_spawn(sys.executable, command.split(), {**os.environ, "PYTHONHASHSEED": "0"})
    _, status, usage = os.wait4(child, 0)
    seconds = perf_counter() - start
    assert os.waitstatus_to_exitcode(status) == 0
    peak = usage.ru_maxrss * 1024
    record(f"10,240,000 points, {output or 'a front'}", seconds, peak / MEMORY, "1 GiB of memory")
    benchmark.pedantic(lambda: None, rounds=1, iterations=1)
    assert peak <= MEMORY


def test_two_workers(benchmark: Any, record: Callable[..., None]) -> None:
    """The same grid in this process, on one process of a cluster and on two, which are there already. Conditions keep
    few rows."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    asked: dict[str, Any] = {"over": TEN_MILLION, "keep": "params,flops", "where": "params <= 3e7", "first": 10}
    asked |= {"set": {"n_positions": 40_000}, "over": {**TEN_MILLION, "batch": "1:4"}}

    def seconds(scheduler: str) -> float:
        graphacct.sweep("gpt2", **{**asked, "over": GRID | {"batch": "1:4"}}, scheduler=scheduler)
        start = perf_counter()
        graphacct.sweep("gpt2", **asked, scheduler=scheduler)
        return perf_counter() - start

    times = [seconds("")]
    for workers in (1, 2):
        with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
            times.append(seconds(cluster.scheduler_address))
    alone, one, two = times
    record("40,960,000 points in this process", alone, 1.0, "itself")
    record("on one worker", one, one / alone, "this process")
    record("on two workers", two, two / one, "one worker")
    benchmark.pedantic(lambda: None, rounds=1, iterations=1)
