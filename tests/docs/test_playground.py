"""The playground: what runs in the browser, here in Python, and what the site's build does without npm."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "site"))  # as docs/conf.py does

import playground

import graphacct

ROOT = Path(__file__).resolve().parents[2]
IN_BROWSER = runpy.run_path(str(ROOT / "docs" / "site" / "static" / "playground.py"))


def asked(model: str, **options: str) -> dict[str, str]:
    """The answer to what a reader typed."""
    found: dict[str, str] = json.loads(IN_BROWSER["asked"](model, json.dumps(options)))
    return found if "error" in found else {**found, **json.loads(IN_BROWSER["paged"](model, json.dumps(options)))}


def test_a_name_and_a_file_are_answered() -> None:
    """The table and the page are those of the public functions; an empty field is the model's own."""
    keys = {"model_type": "gpt2", "n_layer": 2, "n_embd": 64, "n_head": 4}
    found = asked(json.dumps(keys), batch="2", seq_len="1k", phase="forward")
    assert found["title"] == "gpt2"
    assert found["table"] == graphacct.account(keys, batch=2, seq_len=1024)._repr_html_()
    assert found["page"].startswith("<!doctype html>")
    assert (
        asked("gpt2", batch="", seq_len="64", phase="")["table"] == graphacct.account("gpt2", seq_len=64)._repr_html_()
    )


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("gtp2", {}, "unknown model 'gtp2'; did you mean 'gpt2'?"),
        ("{", {}, "this is no JSON"),
        ("gpt2", {"seq_len": "many"}, "'many'"),
        ("{}", {}, "no reader knows"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(model: str, options: dict[str, str], said: str) -> None:
    """The message of the command line."""
    assert said in asked(model, **options)["error"]


def test_a_site_without_npm_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The build goes on, and the page shows why."""

    def missing(*command: str) -> None:
        raise FileNotFoundError(2, "No such file or directory", command[0])

    monkeypatch.setattr(playground, "run", missing)
    playground.add(tmp_path / "new")
    said = json.loads((tmp_path / "new" / "manifest.json").read_text(encoding="utf-8"))
    assert said == {"missing": "This site was built without the playground: [Errno 2] No such file or directory: 'npm'"}
    assert "the playground is left out" in capsys.readouterr().err


def test_the_browser_gets_all_that_is_imported() -> None:
    """Nothing else of what graphacct requires is asked for, not even after a training step: each takes seconds."""
    import subprocess

    code = f"""
import runpy, sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("click", "graphviz", "graphviz_pure", "networkx", "rich", "numpy", "sympy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refused())
found = runpy.run_path({str(ROOT / "docs" / "site" / "static" / "playground.py")!r})
for name in ("asked", "paged"):
    assert "error" not in found[name]("gpt2", '{{"phase": "train", "seq_len": "64"}}')[:20]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(playground.IMPORTED) == {"attrs", "pluggy"}
