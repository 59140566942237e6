"""`make test` installs the plugin and runs these tests; without it there is nothing to test."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("graphacct_mamba") else ["test_*.py"]
