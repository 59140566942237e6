"""graphacct memory: what it prints is what `graphacct.footprint.memory.memory` gives, and it says whether that fits."""

from __future__ import annotations

import csv
import json
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from graphacct import memory
from graphacct.render.devices import to_text
from graphacct.render.memory import to_dict
from graphacct.render.units import bytes_

SMALL = ["gpt2", "--seq-len", "16", "--set", "n_layer=3"]
OPTIONS: dict[str, Any] = {"seq_len": 16, "set": {"n_layer": 3}}
PARTS = ("parameters", "buffers", "inputs", "gradients", "optimizer_state", "peak")


def test_json_holds_every_part_in_bytes(run: Any) -> None:
    """The options are the arguments of `memory`; the parts add up to the total."""
    asked = ["--optimizer", "muon", "--dp", "2", "--zero", "1", "--dtype", "bf16", "--profile", "torch-eager-cpu"]
    result = run("memory", *SMALL, *asked, "--loss", "cross_entropy", "--format", "json")
    found = memory(
        "gpt2", optimizer="muon", dp=2, zero=1, dtype="bf16", profile="torch-eager-cpu", loss="cross_entropy", **OPTIONS
    )
    values = json.loads(result.stdout)
    assert values == to_dict(found)
    assert values["schema"] == "graphacct.memory/1"
    assert values["total"] == sum(values[part] for part in PARTS)
    assert max(row["live_bytes"] for row in values["timeline"]) == values["peak"]
    assert sum(row["bytes"] for row in values["live_at_peak"]) == values["peak"]


def test_csv_is_the_timeline(run: Any) -> None:
    """One kernel a row."""
    rows = list(csv.DictReader(StringIO(run("memory", *SMALL, "--format", "csv").stdout)))
    assert [int(row["live_bytes"]) for row in rows] == [m.live_bytes for m in memory("gpt2", **OPTIONS).timeline]
    assert rows[0] == {
        "step": "0",
        "pass": "forward",
        "node": "transformer.wte",
        "operator": "embedding",
        "repeat": "1",
        "live_bytes": str(16 * 768 * 4),
    }


def test_the_table_has_human_units(run: Any) -> None:
    """GB by default, GiB when asked; each part with its share of the total."""
    table = run("memory", *SMALL).stdout
    assert table == to_text(memory("gpt2", **OPTIONS)) + "\n"
    assert "adamw" in table
    assert "kept for the backward pass" in table
    assert "GiB" not in table
    assert "MiB" in run("memory", *SMALL, "--bytes", "binary").stdout


def test_the_timeline_as_a_table(run: Any) -> None:
    """A line for each kernel, and the peak below them."""
    table = run("memory", *SMALL, "--timeline").stdout
    found = memory("gpt2", **OPTIONS)
    assert len([line for line in table.splitlines() if line.split()[:1] and line.split()[0].isdigit()]) == len(
        found.timeline
    )
    assert f"peak at {found.peak_at}" in table


def test_a_forward_pass(run: Any) -> None:
    """Without gradients there is no optimizer and nothing kept."""
    table = run("memory", *SMALL, "--phase", "forward").stdout
    assert "gradients" not in table
    assert "optimizer" not in table
    assert "kept" not in table


@pytest.mark.parametrize(
    ("size", "budget", "fits", "words"), [("8GB", 8 * 10**9, True, "yes"), ("900MB", 9 * 10**8, False, "no")]
)
def test_fits_answers_yes_or_no(run: Any, size: str, budget: int, fits: bool, words: str) -> None:
    """Either answer is an answer: the exit status is 0, and the room left or lacking stands beside it."""
    total = memory("gpt2", **OPTIONS).total
    table = run("memory", *SMALL, "--fits", size)
    assert table.exit_code == 0
    assert f"fits {size}: {words}, " in table.stdout
    assert ("ways out: ask with --on all, or a device in its place" in table.stdout) == (words == "no")
    answer = json.loads(run("memory", *SMALL, "--fits", size, "--format", "json").stdout)["fits"]
    assert answer == {"budget": budget, "fits": fits, "headroom": budget - total}


def test_the_largest_batch(run: Any) -> None:
    """Its memory is shown, and one more does not fit."""
    values = json.loads(run("memory", *SMALL, "--fits", "2GB", "--max-batch", "--format", "json").stdout)
    size = values["max_batch"]
    assert values["workload"]["batch"] == size > 1
    assert values["limit"] is None
    assert memory("gpt2", batch=size, **OPTIONS).total == values["total"] <= 2 * 10**9
    assert memory("gpt2", batch=size + 1, **OPTIONS).total > 2 * 10**9


def test_the_longest_sequence(run: Any) -> None:
    """GPT-2 ends at 1,024 tokens, however much memory there is, and the table says why."""
    table = run("memory", "gpt2", "--set", "n_layer=2", "--fits", "100TB", "--max-seq-len").stdout
    assert "the largest seq_len that fits is 1,024 (seq_len 1025 is beyond n_positions 1024" in table


@pytest.mark.parametrize(("phase", "size"), [("prefill", "--seq-len"), ("decode", "--cache-len")])
def test_inference(run: Any, tmp_path: Path, phase: str, size: str) -> None:
    """The cache has a line of its own in the table, two keys in the JSON, and is part of the peak alone; a saved graph
    is taken as the phase that it is."""
    asked = ["gpt2", "--set", "n_layer=3", "--phase", phase, size, "20", "--batch", "2"]
    table = run("memory", *asked).stdout
    assert "of which the cache" in table
    assert "backward" not in table
    values = json.loads(run("memory", *asked, "--format", "json").stdout)
    token = 2 * 3 * 768 * 4
    assert values["kv_bytes_per_token"] == token
    assert values["kv_cache_bytes"] == 2 * token * (20 if phase == "prefill" else 21)
    assert values["total"] == values["parameters"] + values["buffers"] + values["inputs"] + values["peak"]
    path = tmp_path / "graph.json"
    assert run("export", *asked, "-o", str(path)).exit_code == 0
    again = json.loads(run("memory", str(path), "--format", "json").stdout)
    assert {**again, "model": "gpt2"} == {**values, "model": "gpt2"}
    report = json.loads(run("report", *asked, "--format", "json").stdout)
    for key in ("kv_cache_bytes", "kv_bytes_per_token"):
        assert report["total"][key] == values[key]


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_the_largest_in_inference(run: Any, phase: str) -> None:
    """Of either size, the next larger does not fit; in decoding the sequence is the cached tokens and the new one."""
    model = ["gpt2", "--set", "n_layer=3", "--phase", phase]
    options: dict[str, Any] = {"phase": phase, "set": {"n_layer": 3}}
    budget = 320 * 10**6
    search = ["--fits", "320MB", "--format", "json"]
    size = json.loads(run("memory", *model, "--seq-len", "100", "--max-batch", *search).stdout)["max_batch"]
    totals = [memory("gpt2", batch=batch, seq_len=100, **options).total for batch in (size, size + 1)]
    assert totals[0] <= budget < totals[1]
    size = json.loads(run("memory", *model, "--batch", "16", "--max-seq-len", *search).stdout)["max_seq_len"]
    totals = [memory("gpt2", batch=16, seq_len=tokens, **options).total for tokens in (size, size + 1)]
    assert totals[0] <= budget < totals[1]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--cache-len", "4"], 1, ["--cache-len is the size of a decoding step", "--phase decode"]),
        (["--phase", "prefil"], 2, ["'prefil' is no choice; did you mean 'prefill'?"]),
        (["--phase", "prefill", "--zero", "1", "--optimizer", "sgd"], 1, ["of a training step alone"]),
        (["--phase", "decode", "--cache-len", "4"], 1, ["seq_len 16 and cache_len 4 both say", "leave seq_len out"]),
        (["--optimizer", "adamv"], 1, ["unknown optimizer 'adamv'; did you mean 'adamw'?"]),
        (["--profile", "torch-eager-cuba"], 1, ["unknown profile", "did you mean 'torch-eager-cuda'?"]),
        (["--fits", "24"], 1, ["'24' has no unit: write 24GiB", "or 24GB"]),
        (["--fits", "lots"], 1, ["'lots' is no size of a memory", "24GiB"]),
        (["--dp", "0"], 1, ["dp is a number of data-parallel ranks, at least 1, not 0"]),
        (["--zero", "4"], 1, ["zero is a ZeRO stage, 0 to 3, not 4"]),
        (["--master", "fp8"], 1, ["master is fp32 or none, not 'fp8'"]),
        (["--phase", "forward", "--optimizer", "sgd"], 1, ["of a training step alone"]),
        (["--fits", "1MB", "--max-batch"], 1, ["not even batch 1 of 'gpt2' fits: it needs ", "of 1,000,000"]),
        (["--max-batch"], 2, ["--max-batch needs the memory to fit in: --fits 24GiB"]),
        (["--fits", "1GB", "--max-batch", "--batch", "2"], 2, ["--max-batch", "--batch", "leave one of them out"]),
        (["--fits", "1GB", "--max-batch", "--max-seq-len"], 2, ["exclude each other"]),
        (["--fits", "1GB", "--max-seq-len", "--cache-len", "4"], 2, ["--max-seq-len", "leave one of them out"]),
    ],
)
def test_bad_input_ends_in_a_line(run: Any, options: list[str], status: int, words: list[str]) -> None:
    """What is wrong, the value, and the way out, in a line or two and without a traceback."""
    result = run("memory", *SMALL, *options)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith("graphacct: ")
    assert len(result.stderr.splitlines()) <= 2
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("name", ["memory.json", "memory.csv", "memory.md"])
def test_it_writes_a_file(run: Any, tmp_path: Path, name: str) -> None:
    """The ending gives the format."""
    path = tmp_path / name
    result = run("memory", *SMALL, "-o", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert path.stat().st_size > 100


def test_a_finished_graph(run: Any, tmp_path: Path) -> None:
    """A saved graph is taken as the step that it is."""
    path = tmp_path / "graph.json"
    assert run("export", *SMALL, "--phase", "train", "-o", str(path)).exit_code == 0
    values = json.loads(run("memory", str(path), "--format", "json").stdout)
    assert values["total"] == memory("gpt2", **OPTIONS).total


@pytest.mark.parametrize(("name", "start"), [("m.png", b"\x89PNG"), ("m.svg", b"<?xml"), ("m.pdf", b"%PDF")])
def test_a_plot_of_the_timeline(run: Any, tmp_path: Path, name: str, start: bytes) -> None:
    """A picture in the format of its ending, beside what is printed."""
    pytest.importorskip("matplotlib")
    path = tmp_path / name
    result = run("memory", *SMALL, "--plot", str(path))
    assert result.exit_code == 0
    assert "Total" in result.stdout
    assert path.read_bytes().startswith(start)


def test_a_plot_says_where_the_peak_is(run: Any, tmp_path: Path) -> None:
    """The peak's node and its bytes stand beside the mark."""
    matplotlib = pytest.importorskip("matplotlib")
    path = tmp_path / "m.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        assert run("memory", *SMALL, "--plot", str(path)).exit_code == 0
    found = memory("gpt2", **OPTIONS)
    assert f"{found.peak_at}: {bytes_(found.peak)}" in path.read_text(encoding="utf-8")


def test_without_matplotlib_the_extra_is_named(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install, and nothing is printed as if it had worked."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("memory", *SMALL, "--plot", str(tmp_path / "m.png"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "pip install 'graphacct[plot]'" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_plot_in_another_format(run: Any) -> None:
    """The endings are named."""
    result = run("memory", *SMALL, "--plot", "m.jpg")
    assert result.exit_code == 1
    assert "a plot is a .png, .svg or .pdf, not 'm.jpg'" in result.stderr
