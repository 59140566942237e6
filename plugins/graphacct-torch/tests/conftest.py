"""These tests need torch, which `make test` does without; `make verify` runs them."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") and find_spec("graphacct_torch") else ["test_*.py"]
