"""These tests need torch, which `make test` does without; `make verify` runs them."""

import sys
from importlib.util import find_spec
from pathlib import Path

collect_ignore_glob = [] if find_spec("torch") and find_spec("graphacct_torch") else ["test_*.py"]
sys.path.append(str(Path(__file__).parent))  # for odd_modules.py and measured.py
