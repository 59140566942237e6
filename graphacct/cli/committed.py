"""A file's version in a commit, for `graphacct diff --since`, and the JSON files beside it: a model may be several."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from graphacct.errors import ConfigError, ReadError, brief

PRE_COMMIT = "pre-commit"
"""In place of a commit: the one that pre-commit took its files' changes from."""
MOST_BYTES = 16 * 2**20
"""The largest file that is copied beside the one that is asked for: no configuration is as large."""
OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What git tells its hooks, which would hold in the place of the file's own folder."""


@contextmanager
def committed(path: str, since: str) -> Iterator[str | None]:
    """Gives a copy of a file as it is in a commit, in a folder of the same name, or None if the commit lacks it.

    Raises ReadError for a file in no repository and if git fails, ConfigError for a name of no commit.
    """
    folder, name = os.path.split(os.path.abspath(path))
    if not os.path.isfile(path):
        raise ReadError(f"{path}: --since is for files, and there is none of that name")
    commit = _commit(folder, since, path)
    files = _files(folder, commit, path) if commit else {}
    if name not in files:
        yield None
        return
    with TemporaryDirectory() as room:
        copies = os.path.join(room, os.path.basename(folder) or "root")
        for other, blob in files.items():
            to = os.path.join(copies, *other.split("/"))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with open(to, "wb") as file:
                file.write(_git(folder, path, "cat-file", "blob", blob))
        yield os.path.join(copies, name)


def _commit(folder: str, since: str, path: str) -> str:
    """Returns the commit of a name; empty for a repository's first commit, if pre-commit asks.

    pre-commit passes the files that are staged, compared with HEAD. With --from-ref and --to-ref it passes those that
    changed between the common ancestor of both and the second.
    """
    first = ""
    if since == PRE_COMMIT:
        one, other = (os.environ.get(f"PRE_COMMIT_{end}_REF", "") for end in ("FROM", "TO"))
        if one and other:
            return _git(folder, path, "merge-base", "--end-of-options", one, other).decode().strip()
        since, first = "HEAD", "HEAD"
    found = _git(
        folder, path, "rev-parse", "--quiet", "--verify", "--end-of-options", f"{since}^{{commit}}", fails=True
    )
    lines = [line for line in found.decode().split() if line != "--end-of-options"]  # older versions of git print it
    if not lines and not first:
        raise ConfigError(f"--since {brief(since)} is no commit of the repository of {path}")
    return lines[-1] if lines else ""


def _files(folder: str, commit: str, path: str) -> Mapping[str, str]:
    """Returns the JSON files of a commit in a folder and those inside, and the file itself: path and object."""
    found = {}
    for line in (
        _git(folder, path, "ls-tree", "-r", "-l", "-z", commit, ".").decode(errors="surrogateescape").split("\0")
    ):
        about, _, name = line.partition("\t")
        if not name or name.startswith("../"):
            continue
        mode, _, blob, size = about.split()
        own = name == os.path.basename(path)
        if mode.startswith("100") and (own or (name.endswith(".json") and int(size) <= MOST_BYTES)):
            found[name] = blob
    return found


def _git(folder: str, path: str, *arguments: str, fails: bool = False) -> bytes:
    """Returns what git prints; nothing if it may fail and does. Raises ReadError with what git said."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_HOOK}
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except OSError as error:
        raise ReadError(f"{path}: git cannot be run: {error.strerror or error}") from error
    said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    if done.returncode and (said or not fails):
        raise ReadError(f"{path}: git {arguments[0]} failed: {said or f'status {done.returncode}'}")
    return b"" if done.returncode else done.stdout
