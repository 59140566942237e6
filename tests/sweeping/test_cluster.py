"""A sweep on a Dask cluster: the same rows in the same order, whatever happens to workers; schedulers that are none."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, WriteError
from graphacct.hooks.manager import load
from graphacct.sweeping import cluster
from graphacct.sweeping.run import Stopped
from graphacct.sweeping.traced_evaluator import TracedEvaluator

pytestmark = pytest.mark.skipif(find_spec("distributed") is None, reason="the extra dask is not installed")

GRID: dict[str, Any] = {
    "over": {"tie_word_embeddings": "true,false", "n_layer": "1:10", "d_model": [96, 100, 108, 120]},
    "keep": "params",
    "seq_len": 8,
}


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A cluster of two processes, as `workers=2` starts it."""
    with cluster._cluster(2) as started:
        yield started


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TracedEvaluator, "most", 4)


def test_a_worker_that_is_killed_takes_nothing_with_it(local: Any) -> None:
    """Rows, refused points and their order are those of one process."""
    expected = graphacct.sweep("gpt2", exact=True, **GRID).to_dict()
    import distributed  # not where tests are collected: it takes a second

    with distributed.Client(local, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))
    done: list[int] = []

    def progress(points: int, rows: int, total: int) -> None:
        if not done:
            os.kill(victim, signal.SIGKILL)
        done.append(points)

    found = graphacct.sweep("gpt2", exact=True, scheduler=local.scheduler_address, progress=progress, **GRID)
    assert done == [*range(4, 81, 4)], "slab by slab, in order"
    assert found.to_dict() == expected
    assert (found.rows, found.refused) == (60, 20)


def test_plugins_of_a_file_are_loaded_by_the_workers(local: Any, tmp_path: Path) -> None:
    """Those that a program registered itself cannot be."""
    file = tmp_path / "halved.py"
    file.write_text(
        "import graphacct\n"
        "@graphacct.hookimpl\n"
        "def graphacct_register_conventions():\n"
        "    return [graphacct.Convention('halved', 'Nothing is.', lambda node, cost, ordinal: cost)]\n"
    )
    plugins = load((), [str(file)])
    grid: dict[str, Any] = {"over": {"seq_len": [4, 8]}, "keep": "flops", "convention": "halved"}
    found = graphacct.sweep("gpt2", plugins=plugins, scheduler=local.scheduler_address, **grid)
    assert found["flops"].tolist() == graphacct.sweep("gpt2", plugins=plugins, **grid)["flops"].tolist()
    plugins.asked = None
    with pytest.raises(ConfigError, match="plugins that a program registered itself are not on a cluster's workers"):
        graphacct.sweep("gpt2", plugins=plugins, scheduler=local.scheduler_address, **grid)


def test_an_error_at_a_point_is_the_sweeps(local: Any) -> None:
    with pytest.raises(ConfigError, match="modulo by zero, at a point of the grid"):
        graphacct.sweep("gpt2", where="3 % (n_layer - 1) < 5", exact=True, scheduler=local.scheduler_address, **GRID)


def test_a_cluster_that_is_lost_leaves_what_was_finished(
    local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = iter(range(3))

    def lost(client: Any, future: Any) -> Any:
        if next(results, None) is None:
            raise Stopped("the cluster's scheduler is lost")
        return future.result()

    monkeypatch.setattr(cluster, "MOST_SLABS", 1)

    monkeypatch.setattr(cluster, "_result", lost)
    with pytest.raises(
        WriteError, match=r"is lost: 9 rows of the first 12 points of 80 are in .*rows\.unfinished\.csv"
    ):
        graphacct.sweep("gpt2", output=tmp_path / "rows.csv", scheduler=local.scheduler_address, **GRID)
    assert [item.name for item in tmp_path.iterdir()] == ["rows.unfinished.csv"]
    assert len((tmp_path / "rows.unfinished.csv").read_text().splitlines()) == 10


def test_a_scheduler_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts connections and is silent."""
    monkeypatch.setattr(cluster, "ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            ConfigError, match=rf"no Dask scheduler answers at '{address}' within 0.3 seconds \(timed out"
        ):
            graphacct.sweep("gpt2", scheduler=address, **GRID)
    with pytest.raises(
        ConfigError, match=rf"no Dask scheduler answers at '{address}' .*refused.*start one with `dask sch"
    ):
        graphacct.sweep("gpt2", scheduler=address, **GRID)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scheduler": "localhost"}, r"an address is tcp://host:port"),
        ({"scheduler": "tcp://localhost:99999"}, r"no Dask scheduler answers"),
        ({"scheduler": "tcp://localhost:8786", "workers": 2}, "both given"),
        ({"workers": -1}, "workers is -1: give 1 or more"),
    ],
)
def test_mistakes_are_said(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        graphacct.sweep("gpt2", **options, **GRID)


def test_a_worker_of_another_version_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"a worker of the cluster has graphacct .*, and this is 0\.0: install the same"
    ):
        cluster.evaluate("0.0", b"", ((), ()), None, False)  # type: ignore[arg-type]
