"""What the plugins' property tests share: no deadline, because a busy machine is no failure."""

import os

from hypothesis import HealthCheck, settings

HEALTH = [HealthCheck.too_slow]  # a busy machine is no failure
settings.register_profile("same", deadline=None, suppress_health_check=HEALTH, derandomize=True, database=None)
settings.register_profile("random", deadline=None, suppress_health_check=HEALTH)
settings.load_profile(os.environ.get("EXAMPLES", "same"))  # make fuzz asks for random ones
