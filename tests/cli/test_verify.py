"""graphacct verify: equal is 0, different is 1 with the tensors by name, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors_files import save

SIZES = ("vocab_size=16", "hidden_size=8", "intermediate_size=12", "num_hidden_layers=1", "num_attention_heads=2")
OPTIONS = [word for size in SIZES for word in ("--set", size)]


def checkpoint(run: Any, path: Path) -> dict[str, Any]:
    """A checkpoint of the model, made of what `params` lists."""
    listed = json.loads(run("params", "llama", *OPTIONS, "--expand", "--format", "json").stdout)["tensors"]
    content = {row["name"]: {"dtype": "BF16", "shape": row["shape"]} for row in listed}
    save(path, content)
    return content


def test_verify(run: Any, tmp_path: Path) -> None:
    """What params lists is what verify looks for."""
    file = tmp_path / "model.safetensors"
    content = checkpoint(run, file)
    result = run("verify", "llama", "--checkpoint", str(file), *OPTIONS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"{len(content)} tensors" in result.stdout
    assert "names and shapes are equal" in result.stdout
    other = run("verify", "llama", "--checkpoint", str(file), *OPTIONS, "--set", "intermediate_size=16")
    assert other.exit_code == 2  # given twice
    different = [word.replace("intermediate_size=12", "intermediate_size=16") for word in OPTIONS]
    result = run("verify", "llama", "--checkpoint", str(file), *different, "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["schema"], found["equal"]) == ("graphacct.verification/1", False)
    names = [f"model.layers.0.mlp.{part}_proj.weight" for part in ("gate", "up", "down")]
    assert [item["name"] for item in found["differences"]] == names


def test_verify_needs_a_checkpoint(run: Any) -> None:
    """Without a folder as MODEL the file must be said."""
    result = run("verify", "llama")
    assert result.exit_code == 2
    assert "--checkpoint" in result.stderr
