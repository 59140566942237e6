"""Files of rows: CSV, JSON and Parquet, whole or not there."""

from __future__ import annotations

import csv
import json
import os
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, WriteError
from graphacct.render import row_file

GRID: dict[str, Any] = {"over": {"n_layer": "1:5", "d_model": [96, 100]}, "keep": "params,flops", "seq_len": 8}
LARGE: dict[str, Any] = {"over": {"batch": [1, 10**9, 10**15]}, "keep": "flops,params", "seq_len": 8, "exact": True}


def rows(found: graphacct.Report | Any) -> list[dict[str, Any]]:
    return found.to_dict()["rows"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("exact", [False, True])
def test_every_format_has_the_same_rows(tmp_path: Path, exact: bool) -> None:
    """Those that are held in memory without a file."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    expected = rows(graphacct.sweep("gpt2", exact=exact, **GRID))
    assert len(expected) == 5, "12 heads do not divide 100"
    paths = [tmp_path / f"rows.{ending}" for ending in ("csv", "json", "parquet")]
    for path in paths:
        found = graphacct.sweep("gpt2", exact=exact, output=path, **GRID)
        assert (found.rows, found.path, found.columns) == (5, str(path), {})
    with paths[0].open(encoding="utf-8") as file:
        assert [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)] == expected
    content = json.loads(paths[1].read_text(encoding="utf-8"))
    assert content["rows"] == expected
    assert content == graphacct.sweep("gpt2", exact=exact, **GRID).to_dict()
    assert (content["schema"], content["points"], content["refused"]) == ("graphacct.sweep/1", 10, 5)
    assert content["refusals"][0]["first"] == {"n_layer": 1, "d_model": 100}
    table = parquet.read_table(paths[2])
    assert table.to_pylist() == expected
    assert [str(kind) for kind in table.schema.types] == ["int64"] * 2 + ["int64" if exact else "double"] * 2
    said = json.loads(parquet.read_metadata(paths[2]).metadata[b"graphacct.sweep"])
    assert said == {key: value for key, value in content.items() if key != "rows"}
    assert sorted(tmp_path.iterdir()) == sorted(paths), "no other file is left"


def test_exact_integers_of_any_size(tmp_path: Path) -> None:
    """A column that 64 bits cannot hold is of decimals in Parquet, also where that is known late."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    from graphacct.render import parquet as ours

    each = graphacct.account("gpt2", seq_len=8).total["flops"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "GROUP", 1)
        patch.setattr("graphacct.sweeping.traced_evaluator.TracedEvaluator.most", 1)
        graphacct.sweep("gpt2", output=tmp_path / "rows.parquet", **LARGE)
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert [str(kind) for kind in table.schema.types] == ["int64", "decimal128(38, 0)", "int64"]
    flops = [int(value) for value in table["flops"].to_pylist()]
    assert flops[0] == each
    assert flops[2] > 2**63
    graphacct.sweep("gpt2", output=tmp_path / "rows.csv", **LARGE)
    assert [int(line.split(",")[1]) for line in (tmp_path / "rows.csv").read_text().splitlines()[1:]] == flops


def test_words_and_names_in_text() -> None:
    """A name with a comma is quoted; true and null are JSON's."""
    grid: dict[str, Any] = {"over": {"tie_word_embeddings": "true,false"}, "keep": "max(params, flops),n_layer % 5"}
    file = BytesIO()
    graphacct.sweep("gpt2", output=file, format="csv", seq_len=8, **grid)
    header, first, _ = file.getvalue().decode().splitlines()
    assert header == 'tie_word_embeddings,"max(params, flops)",n_layer % 5'
    assert (first.split(",")[0], first.split(",")[-1]) == ("true", "2")
    file = BytesIO()
    graphacct.sweep("gpt2", output=file, format="json", seq_len=8, **grid)
    assert [row["tie_word_embeddings"] for row in json.loads(file.getvalue())["rows"]] == [True, False]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupt_or_an_error_leaves_the_earlier_file(tmp_path: Path, error: Any) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("earlier")

    def progress(points: int, *_: int) -> None:
        raise error

    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else WriteError):
        graphacct.sweep("gpt2", output=path, progress=progress, **GRID)
    assert [item.name for item in tmp_path.iterdir()] == ["rows.csv"]
    assert path.read_text() == "earlier"


def disk(free: Any) -> Any:
    return lambda folder: shutil._ntuple_diskusage(10**9, 0, next(free))  # type: ignore[attr-defined]


def test_a_disk_that_gets_full_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphacct.sweeping.traced_evaluator.TracedEvaluator.most", 2)
    monkeypatch.setattr(row_file.shutil, "disk_usage", disk(iter([10**9] * 5 + [0])))
    path = tmp_path / "rows.csv"
    says = "no room for 22 bytes more in '.*rows.csv', but for 0 bytes: 8 rows of the first 8 points of 20 are in '.*"
    with pytest.raises(WriteError, match=says):
        graphacct.sweep("gpt2", over={"n_layer": "1:20"}, output=path, **PARAMS)
    assert not path.exists()
    lines = (tmp_path / "rows.unfinished.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["n_layer", *map(str, range(1, 9))]


PARAMS: dict[str, Any] = {"keep": "params", "seq_len": 8}


def test_a_grid_that_the_disk_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_file.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 0, 10**8))  # type: ignore[attr-defined]
    says = (
        r"without where= and pareto= each is a row, about .* MB in '.*rows.csv', where there is room for 80 MB: give wh"
    )
    with pytest.raises(ConfigError, match=says):
        graphacct.sweep("gpt2", over={"n_layer": "1:1e7"}, output=tmp_path / "rows.csv", **PARAMS)
    assert not [*tmp_path.iterdir()]


def test_nothing_is_written_where_no_point_is_a_row(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of the 10 points"):
        graphacct.sweep("gpt2", output=tmp_path / "rows.json", where="params < 5", **GRID)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["rows.txt", "rows", "rows.cvs"])
def test_an_unknown_ending(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"rows are written as \.csv, \.json or \.parquet, not"):
        graphacct.sweep("gpt2", output=tmp_path / name, **GRID)


def test_without_pyarrow_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "graphacct.render.parquet", raising=False)
    with pytest.raises(
        WriteError, match=r"Parquet needs pyarrow .*: pip install 'graphacct\[sweep\]', or write a \.csv"
    ):
        graphacct.sweep("gpt2", output=tmp_path / "rows.parquet", **GRID)


def test_parquet_is_no_stream() -> None:
    """Its end says where its parts lie."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    read, write = os.pipe()
    with (
        open(read, "rb"),
        open(write, "wb") as stream,
        pytest.raises(WriteError, match="Parquet needs a file, and this"),
    ):
        graphacct.sweep("gpt2", output=stream, format="parquet", **GRID)


def test_a_parquet_file_that_is_given_up_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the second slab, after rows were written: no file, and pyarrow's writer is closed, which would write to
    a closed file, with a traceback, when it is collected."""
    pytest.importorskip("pyarrow")
    from graphacct.render.parquet import ParquetFile

    monkeypatch.setattr("graphacct.render.parquet.GROUP", 1)
    monkeypatch.setattr("graphacct.sweeping.traced_evaluator.TracedEvaluator.most", 2)
    write, files = ParquetFile.write, []

    def interrupted(self: ParquetFile, rows: Any) -> None:
        files.append(self)
        if len(files) > 1:
            raise KeyboardInterrupt
        write(self, rows)

    monkeypatch.setattr(ParquetFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        graphacct.sweep("gpt2", over={"n_layer": "1:4"}, keep=["params"], output=tmp_path / "rows.parquet")
    assert (files[0]._writer.is_open, [*tmp_path.iterdir()]) == (False, [])
