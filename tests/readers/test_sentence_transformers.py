"""Folders of sentence-transformers: the base model, and a note of what follows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import ReadError

BERT = {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 50,
}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def save(folder: Path, modules: Any = MODULES, dense: Any = None) -> Path:
    (folder / "config.json").write_text(json.dumps(BERT))
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text(json.dumps(dense or {"in_features": 32, "out_features": 16}))
    return folder


def test_the_base_model(tmp_path: Path) -> None:
    """Without its class's head; the report names the modules behind it."""
    report = graphacct.account(save(tmp_path), batch=1, seq_len=8)
    expected = graphacct.account({**BERT, "architectures": ["BertModel"]}, batch=1, seq_len=8)
    assert report.total == expected.total
    assert report.annotated.graph.config_keys.notes() == (
        "left out: Pooling, Dense (32 to 16, 528 parameters) of modules.json",
    )


def test_a_transformer_alone(tmp_path: Path) -> None:
    """Nothing to say."""
    keys = graphacct.account(save(tmp_path, MODULES[:1]), batch=1, seq_len=8).annotated.graph.config_keys
    assert keys.notes() == ()


@pytest.mark.parametrize(
    ("modules", "dense", "message"),
    [
        ({}, None, r"modules.json: is \{\}, not a list of modules"),
        ([{"type": 3}], None, "not a list of modules with a path and a type"),
        ([MODULES[0], {"path": "", "type": "a\nb"}], None, r"'a\\nb' is no class of a module"),
        (MODULES, {"in_features": -1, "out_features": 2}, "2_Dense.config.json: is .*not a dense layer's in_features"),
        (MODULES, [1], "not a dense layer's in_features"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, modules: Any, dense: Any, message: str) -> None:
    """Named."""
    with pytest.raises(ReadError, match=message):
        graphacct.account(save(tmp_path, modules, dense), batch=1, seq_len=8)
