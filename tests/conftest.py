"""What every test shares: the folder of measured figures, and the folders that have a make target of their own."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
OWN_TARGETS = ("verify", "benchmarks")
"""`make verify` needs torch and `make bench` a quiet machine: a run that does not name them leaves them out."""

HEALTH = [HealthCheck.too_slow]  # a busy machine is no failure
settings.register_profile(
    "same", max_examples=50, deadline=None, suppress_health_check=HEALTH, derandomize=True, database=None
)
settings.register_profile("random", max_examples=2_000, deadline=None, suppress_health_check=HEALTH)
settings.load_profile(os.environ.get("EXAMPLES", "same"))  # make fuzz asks for random ones
os.environ.pop("COLUMNS", None)  # a table is as wide as where no terminal says otherwise, whoever runs the tests
os.environ.setdefault("SYMPY_CACHE_SIZE", "None")  # the same sizes come again and again: its usual 1,000 are too few
gc.set_threshold(100_000, 50, 100)  # the collector's usual 700, 10, 10 take a tenth of the tests' time
sys.path.insert(0, str(HERE / "fuzz"))  # cases.py too
sys.path.insert(0, str(HERE))  # runs.py and strategies.py are imported by name


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.name not in OWN_TARGETS or collection_path.parent != HERE:
        return None
    asked = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    if any(path == collection_path or collection_path in path.parents for path in asked):
        return None
    return True


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def goldens() -> Path:
    """The folder of measured figures (its README.md says how they were measured)."""
    return HERE / "goldens"
