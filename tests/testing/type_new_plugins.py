"""Checks the types of what `graphacct plugins new` writes, of each kind: `make lint` runs it, as it runs mypy.

    python tests/testing/type_new_plugins.py

`mypy --strict` of each package, all of them in one run. What mypy finds in graphacct stays for the next run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from graphacct.cli import cli
from graphacct.testing.new import KINDS

CACHE = Path(__file__).parents[2] / ".mypy_cache" / "new_plugins"


def main() -> int:
    with TemporaryDirectory() as place:
        packages = []
        for kind in KINDS:
            folder = Path(place) / f"graphacct-typed-{kind}"
            done = CliRunner().invoke(cli, ["plugins", "new", str(folder), f"--{kind.replace('_', '-')}"])
            assert done.exit_code == 0, done.output
            packages.append(str(folder / f"graphacct_typed_{kind}"))
        command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(CACHE)]
        return subprocess.run([*command, *packages], cwd=place, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
