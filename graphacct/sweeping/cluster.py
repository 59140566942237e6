"""A sweep on a Dask cluster: slabs go to its workers, a bounded number at a time, and come back in the grid's order.

A worker that dies takes nothing with it: the scheduler gives its slabs to others. A cluster that is lost ends the run
with what was finished.
"""

from __future__ import annotations

import logging
import re
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from os.path import abspath
from time import monotonic
from typing import Any

import attrs

from graphacct import __version__
from graphacct.errors import ConfigError, brief
from graphacct.hooks.manager import Plugins, default, load
from graphacct.sweeping.grid import Slab
from graphacct.sweeping.needs import need
from graphacct.sweeping.plan import Plan
from graphacct.sweeping.program import Program
from graphacct.sweeping.run import Engine, Stopped
from graphacct.sweeping.selection import Rows

ANSWER = 10.0
"""Seconds within which a scheduler answers, and has a worker. A Dask client's own default is 30, and 10 minutes to be
sure of a worker."""
AHEAD = 2
"""Tasks a thread that are under way: one is evaluated, the other waits for its turn."""
TASK, MOST_SLABS = 0.2, 16
"""The seconds that a task should take, so that sending it is little of it, and the most slabs of one."""
LOGGERS = ("distributed", "tornado", "asyncio")
COUNTED = 50
"""After so many tasks the workers are counted again: some may have come or gone."""


@contextmanager
def connected(workers: int, scheduler: str) -> Iterator[tuple[Engine, int]]:
    """Starts a cluster of so many processes, or connects to the one with this scheduler; yields what evaluates a plan
    there and how many slabs it evaluates at once.

    Raises ConfigError if there is no such cluster, or if it does not answer within ANSWER seconds.
    """
    if workers and scheduler:
        raise ConfigError("workers and scheduler are both given: a scheduler has its own workers")
    if workers < 0:
        raise ConfigError(f"workers is {workers}: give 1 or more")
    need("distributed", "dask", "a cluster")
    import distributed

    with _quiet(), _cluster(workers) as own, _client(distributed, own or scheduler) as client:
        threads = _threads(client, scheduler)
        yield (lambda plan, wanted: _rows(client, plan, wanted)), threads


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what distributed logs from the terminal: a lost worker is no news, and a lost scheduler ends the run."""
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOGGERS]
    levels = {logger: logger.level for logger in map(logging.getLogger, {*LOGGERS, *known})}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    if not workers:
        yield None
        return
    import distributed

    made: Any = distributed.LocalCluster
    with _uninterrupted():
        cluster = made(
            n_workers=workers,
            threads_per_worker=1,  # most of a slab is Python
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
    with cluster:
        yield cluster


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C back from the threads and processes that are started within, for as long as they live: a terminal
    sends it to all of them, and each would print a traceback. It reaches this thread at the end."""
    mask = getattr(signal, "pthread_sigmask", None)  # not on Windows
    if mask is None:
        yield
        return
    before = mask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        mask(signal.SIG_SETMASK, before)


@contextmanager
def _client(distributed: Any, cluster: Any) -> Iterator[Any]:
    name = cluster if isinstance(cluster, str) else "the local cluster"
    try:
        if isinstance(cluster, str):
            _check_answer(cluster)
        client = distributed.Client(cluster, timeout=ANSWER, set_as_default=False, name="graphacct-sweep")
    except (OSError, ValueError, OverflowError, TypeError, RuntimeError, CancelledError) as error:
        text = str(error) or type(error).__name__
        raise ConfigError(
            f"no Dask scheduler answers at {brief(name)} within {ANSWER:g} seconds ({text}): start one with `dask "
            "scheduler`, and give the address that it prints, tcp://host:8786"
        ) from error
    with client:
        yield client


def _check_answer(address: str) -> None:
    """Raises OSError if nothing at an address says a word within ANSWER seconds: a Dask client would wait for ever for
    what accepts connections and then is silent. A scheduler is the first to speak on a connection."""
    found = re.fullmatch(r"tcp://\[?([^\[\]/]+)\]?:(\d{1,5})", address)
    if found is None:
        if not re.match(r"(tls|ws|wss|ucx|ucxx)://", address):
            raise ValueError("an address is tcp://host:port")
        return  # of another protocol, in which that may be otherwise
    with socket.create_connection((found[1], int(found[2])), ANSWER) as connection:
        if not connection.recv(1):
            raise OSError("it ends the connection")


def _threads(client: Any, scheduler: str) -> int:
    """Returns how many threads the workers have together. Raises ConfigError if no worker comes in time."""
    try:
        client.wait_for_workers(1, timeout=ANSWER)
    except TimeoutError as error:
        raise ConfigError(
            f"the scheduler at {scheduler} has no workers within {ANSWER:g} seconds: start some with `dask worker "
            f"{scheduler}`"
        ) from error
    return sum(client.nthreads().values())


def _rows(client: Any, plan: Plan, wanted: Callable[[], bool]) -> Iterator[Rows]:
    """Yields the rows of each slab in the grid's order."""
    waiting: deque[Any] = deque()
    each = 1  # slabs a task
    tasks = _tasks(plan, lambda: each)
    most, number = 0, 0
    try:
        while True:
            if number % COUNTED == 0:
                most = AHEAD * max(1, sum(client.nthreads().values())) + 1
            while len(waiting) < most and (task := next(tasks, None)) is not None:
                waiting.append(client.submit(evaluate, __version__, *task, wanted(), pure=False))
            if not waiting:
                return
            number += 1
            found = _result(client, waiting.popleft())
            each = min(MOST_SLABS, max(1, int(TASK / (min(rows.seconds for rows in found) + 1e-9))))
            yield from found
    finally:
        for future in waiting:
            future.release()


def _tasks(plan: Plan, each: Callable[[], int]) -> Iterator[tuple[bytes, Any, list[Slab]]]:
    """Yields programs with some slabs of theirs, as many as `each` says at the time."""
    for words in plan.grid.combinations():
        program = plan.program(words)
        payload, plugins = _packed(program)
        slabs = plan.grid.slabs(words, program.evaluator.most)
        while some := list(islice(slabs, each())):
            yield payload, plugins, some


def _result(client: Any, future: Any) -> list[Rows]:
    """Returns the rows of a task when they come. A cluster may be silent for long, but must then answer that it is
    there, and have workers. Raises Stopped if it is lost."""
    from distributed import KilledWorker

    alone_since: float | None = None
    while True:
        try:
            found: list[Rows] = future.result(timeout=ANSWER)
            return found
        except KilledWorker as error:
            raise Stopped(
                "a slab of the grid ended several of the cluster's workers: have they enough memory?"
            ) from error
        except TimeoutError:
            alone_since = _alive(client, alone_since)
        except (CancelledError, OSError) as error:
            raise Stopped("the cluster's scheduler is lost") from error


def _alive(client: Any, alone_since: float | None) -> float | None:
    """Returns since when the cluster has no workers; None if it has some. Raises Stopped if the scheduler does not
    answer, or has had none for ANSWER seconds."""
    try:
        workers = client.sync(client.scheduler.ncores, callback_timeout=ANSWER)
    except Exception as error:
        raise Stopped(f"the cluster's scheduler does not answer within {ANSWER:g} seconds") from error
    if workers:
        return None
    now = monotonic()
    if alone_since is not None and now - alone_since >= ANSWER:
        raise Stopped("the cluster has no workers any more")
    return now if alone_since is None else alone_since


def _packed(program: Program) -> tuple[bytes, Any]:
    """Returns a program as bytes, and what its plugins were loaded with. Raises ConfigError for one that cannot be
    sent."""
    import cloudpickle

    plugins = program.question.plugins
    if plugins is None or plugins.asked is None:
        raise ConfigError(
            "plugins that a program registered itself are not on a cluster's workers: load them from files"
        )
    block, files = plugins.asked
    try:
        payload = cloudpickle.dumps(attrs.evolve(program, question=attrs.evolve(program.question, plugins=None)))
    except Exception as error:
        raise ConfigError(f"{program.question.model!r} cannot be sent to a cluster: {error}") from error
    return payload, (block, tuple(map(abspath, files)))


def evaluate(version: str, payload: bytes, plugins: Any, slabs: Sequence[Slab], closest: bool) -> list[Rows]:
    """Returns the rows of some slabs: what a worker runs. Raises ConfigError on a worker with another graphacct."""
    if version != __version__:
        raise ConfigError(
            f"a worker of the cluster has graphacct {__version__}, and this is {version}: install the same"
        )
    program = _unpacked(payload, plugins)
    return [program.rows(slab, closest) for slab in slabs]


@lru_cache(8)
def _unpacked(payload: bytes, plugins: Any) -> Program:
    """Returns a program of this worker, which it makes once. Plugins come first: the program may need their modules."""
    import cloudpickle

    loaded = _plugins(plugins)
    program: Program = cloudpickle.loads(payload)
    return attrs.evolve(program, question=attrs.evolve(program.question, plugins=loaded))


@lru_cache(4)
def _plugins(plugins: Any) -> Plugins:
    block, files = plugins
    return load(block, files) if block or files else default()
