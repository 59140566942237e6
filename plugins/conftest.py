"""What the plugins' tests share: strategies of random graphs, and no deadline, because a busy machine is no failure."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

HEALTH = [HealthCheck.too_slow]  # a busy machine is no failure
settings.register_profile("same", deadline=None, suppress_health_check=HEALTH, derandomize=True, database=None)
settings.register_profile("random", deadline=None, suppress_health_check=HEALTH)
settings.load_profile(os.environ.get("EXAMPLES", "same"))  # make fuzz asks for random ones
os.environ.pop("COLUMNS", None)  # a table is as wide as where no terminal says otherwise, whoever runs the tests
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # runs.py and strategies.py are imported by name
