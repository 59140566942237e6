"""GGUF files of every architecture: what their metadata and tensors say is the preset that they were made from.

`tests/goldens/gguf` has the headers of presets with two layers (all layers, where they differ), as gguf-py 0.19 names
their tensors (its tensor_mapping.py) and keys; block types at random. The elements and bytes are its own.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from gguf_files import save

import graphacct

GOLDENS = Path(__file__).parents[3] / "tests" / "goldens" / "gguf"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDENS.glob("*.json")))
def test_it_is_the_preset(tmp_path: Path, name: str) -> None:
    """Parameters, their bytes as stored, and all work."""
    golden = json.loads((GOLDENS / f"{name}.json").read_text())
    file = save(tmp_path / f"{name}.gguf", golden["metadata"], golden["tensors"])
    report = graphacct.account(file, batch=1, seq_len=64)
    expected = graphacct.account(golden["preset"], set=golden["set"], batch=1, seq_len=64)
    assert report.total["params"] == expected.total["params"] == golden["params"]
    assert report.total["param_bytes"] == golden["param_bytes"]
    for quantity in ("matmul_flops", "vector_flops", "transcendentals"):
        assert report.total[quantity] == expected.total[quantity]
    assert report.annotated.graph.workload["weights"] == "gguf:q4_k_m"
    keys = report.annotated.graph.config_keys
    assert keys is not None
    assert keys.not_understood == ()


def test_experts_by_themselves(tmp_path: Path) -> None:
    """Older files have a tensor for each expert."""
    golden = json.loads((GOLDENS / "llama-mixtral-8x7b.json").read_text())
    tensors = {}
    for tensor, (sizes, kind) in golden["tensors"].items():
        if tensor.endswith("_exps.weight"):
            for expert in range(sizes[2]):
                tensors[tensor.replace("_exps", f".{expert}")] = (sizes[:2], kind)
        else:
            tensors[tensor] = (sizes, kind)
    report = graphacct.account(save(tmp_path / "a.gguf", golden["metadata"], tensors), batch=1, seq_len=64)
    assert report.total["params"] == golden["params"]
    assert report.total["param_bytes"] == golden["param_bytes"]


def test_one_tensor_of_three_parameters(tmp_path: Path) -> None:
    """Phi-2's older files have q, k and v in one."""
    golden = json.loads((GOLDENS / "phi2-phi-2.json").read_text())
    tensors = dict(golden["tensors"])
    for layer in range(2):
        for suffix, sizes in (("weight", [2560, 7680]), ("bias", [7680])):
            for part in "qkv":
                del tensors[f"blk.{layer}.attn_{part}.{suffix}"]
            tensors[f"blk.{layer}.attn_qkv.{suffix}"] = (sizes, "f32")
    report = graphacct.account(save(tmp_path / "a.gguf", golden["metadata"], tensors), batch=1, seq_len=64)
    assert report.total["params"] == golden["params"]


def test_an_unknown_architecture(tmp_path: Path) -> None:
    """Named, with the known ones."""
    file = save(tmp_path / "a.gguf", {"general.architecture": "rwkv7"}, {"token_embd.weight": ([4, 8], "f32")})
    with pytest.raises(graphacct.ReadError, match=r"no family reads the GGUF architecture 'rwkv7'; known: llama"):
        graphacct.account(file)


def test_an_unknown_key_is_said(tmp_path: Path) -> None:
    """It may change the cost."""
    golden = json.loads((GOLDENS / "llama-llama-3.2-1b.json").read_text())
    file = save(tmp_path / "a.gguf", {**golden["metadata"], "llama.halves": 2}, golden["tensors"])
    keys = graphacct.account(file, batch=1, seq_len=8).annotated.graph.config_keys
    assert keys is not None
    assert keys.not_understood == ("llama.halves",)


def test_every_architecture_has_a_golden() -> None:
    """Except those whose type no family has yet."""
    forms = import_module("graphacct_architectures.translations.gguf").FORMS
    tested = {json.loads(path.read_text())["metadata"]["general.architecture"] for path in GOLDENS.glob("*.json")}
    assert {*forms} - tested == {"exaone"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"llama.embedding_length": 1024}, "has 2,048 elements|elements, and its tensors"),
        ({"llama.block_count": 3}, "parameters 'model.layers.2.* are not among its .* tensors"),
        ({"llama.attention.head_count": "many"}, "num_attention_heads"),
        ({"llama.vocab_size": 7}, "llama.vocab_size is 7, and token_embd.weight has "),
        ({"llama.rope.dimension_count": "x"}, "llama.rope.dimension_count is 'x', not a count"),
        ({"llama.rope.dimension_count": 65}, "llama.rope.dimension_count is 65, and a head is 64 wide"),
        ({"llama.expert_count": 4}, "has no llama.expert_used_count, and llama.expert_count 4"),
        ({"general.file_type": True}, "general.file_type is True, not the number of a kind of file"),
        ({"llama.attention.value_length": 32}, "attention.key_length is 64 and llama.attention.value_length 32"),
    ],
)
def test_metadata_that_are_not_those_of_the_tensors(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """Every tensor is held to its parameter."""
    golden = json.loads((GOLDENS / "llama-llama-3.2-1b.json").read_text())
    metadata = {**golden["metadata"], "llama.attention.key_length": 64, **change}
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account(save(tmp_path / "a.gguf", metadata, golden["tensors"]), batch=1, seq_len=8)
