"""graphacct diff --since: a file against its own version in a commit, as pre-commit runs it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
LAYER = 12 * 768**2 + 13 * 768
"""The parameters of a layer: four matrices of attention and eight of the network, their biases, two norms."""


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments], check=True, capture_output=True)


def write(layers: int) -> None:
    path = Path("my model/config.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**GPT2, "n_layer": layers}))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose commits have a model of 12 and of 13 layers, and 14 in the working tree."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
        monkeypatch.delenv(name)
    git("init", "-q", ".")
    for layers in (12, 13):
        write(layers)
        git("add", ".")
        git("commit", "-q", "-m", f"{layers} layers")
    write(14)
    return tmp_path


def change(run: Any, *options: str) -> Any:
    """How many parameters a diff has more in B."""
    result = run("diff", "my model/config.json", "--seq-len", "8", "--format", "json", *options)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["a"]["model"] == found["b"]["model"] == "my model"
    return found["total"]["params"]["difference"]


def test_a_file_against_a_commit(run: Any, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert change(run, "--since", "HEAD") == LAYER
    assert change(run, "--since", "HEAD~1") == 2 * LAYER
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))  # as git tells hooks in a worktree
    assert change(run, "--since", "HEAD") == LAYER


def test_pre_commit_says_from_where(run: Any, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEAD for what is staged. With --from-ref and --to-ref it passes what changed since their common ancestor, which
    neither HEAD nor the first of them is."""
    assert change(run, "--since", "pre-commit") == LAYER
    git("checkout", "-q", "-f", "-b", "other", "HEAD~1")
    write(20)
    git("commit", "-q", "-a", "-m", "20 layers")
    git("checkout", "-q", "-")
    monkeypatch.setenv("PRE_COMMIT_FROM_REF", "other")
    monkeypatch.setenv("PRE_COMMIT_TO_REF", "HEAD")
    assert change(run, "--since", "HEAD") == 0
    assert change(run, "--since", "pre-commit") == LAYER  # 13 layers, where the branches part 12


def test_what_the_commit_lacks_is_said(run: Any, repository: Path) -> None:
    Path("new.json").write_text(json.dumps(GPT2))
    result = run("diff", "--since", "HEAD", "new.json", "my model/config.json", "--depth", "1", "--seq-len", "8")
    assert result.exit_code == 0
    assert "new.json: is not in the commit, so there is nothing to compare it with" in result.stderr
    assert "my model (A), my model (B)" in result.stdout
    git("checkout", "-q", "--orphan", "empty")
    git("rm", "-q", "-r", "-f", "--cached", ".")
    assert run("diff", "--since", "pre-commit", "new.json").exit_code == 0  # a first commit


def test_files_beside_it_are_read_as_committed(run: Any, repository: Path) -> None:
    """A committed version that cannot be read is named as what it is."""
    Path("my model/config.json").write_text("{")
    git("commit", "-q", "-a", "-m", "broken")
    write(12)
    result = run("diff", "--since", "HEAD", "my model/config.json")
    assert result.exit_code == 1
    assert "my model/config.json as committed: is no JSON" in result.stderr
    assert "(of A)" in result.stderr


def test_mistakes_are_said(run: Any, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "config.json"
    outside.write_text(json.dumps(GPT2))
    file = "my model/config.json"
    cases: tuple[tuple[tuple[str, ...], int, str], ...] = (
        (("--since", "HEADS", file), 1, "--since 'HEADS' is no commit of the repository of my model/config.json"),
        (("--since=--all", file), 1, "--since '--all' is no commit"),
        (("--since", "HEAD", "gpt2"), 1, "gpt2: --since is for files, and there is none of that name"),
        (("--since", "HEAD", str(outside)), 1, "not a git repository"),
        (("--since", "HEAD", file, file, "--format", "json"), 2, "json is of one diff"),
        ((file,), 2, "give two models, A and B (or files, and --since), not 1"),
    )
    for arguments, status, words in cases:
        result = run("diff", *arguments)
        assert result.exit_code == status
        assert words in result.stderr


def test_the_hook_runs_what_it_says(run: Any, repository: Path) -> None:
    """The entry of `.pre-commit-hooks.yaml`, with a user's args and then the files, as pre-commit runs it."""
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entry = shlex.split(re.search(r"^ +entry: graphacct (.+)$", hook, re.MULTILINE)[1])  # type: ignore[index]
    assert re.search(re.search(r"^ +files: (.+)$", hook, re.MULTILINE)[1], "my model/config.json")  # type: ignore[index]
    for condition, status in (("params > +3%", 1), ("params > 10%", 0)):
        assert run(*entry, "--seq-len", "8", "--fail-if", condition, "my model/config.json").exit_code == status
