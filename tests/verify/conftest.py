"""`make verify` runs these with real torch and transformers; elsewhere they are left out (tests/conftest.py)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # modules.py and measure.py are imported by name
