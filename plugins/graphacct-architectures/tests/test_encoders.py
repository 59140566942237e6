"""What encoders and translators have of their own: shared layers, scores of distances, vocabularies, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sympy

import graphacct

ALBERT = {"model_type": "albert", "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12}
DEBERTA = {"model_type": "deberta-v2", "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12}


def file(folder: Path, content: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


def report(folder: Path, content: dict[str, Any], **options: Any) -> graphacct.Report:
    return graphacct.account(file(folder, content), **{"seq_len": 5, "convention": "matmul", **options})


def test_a_layer_that_runs_again_is_stored_once(tmp_path: Path) -> None:
    """Twelve runs are twelve times the work of one, and no more parameters."""
    once, often = (report(tmp_path, {**ALBERT, "num_hidden_layers": count}) for count in (1, 12))
    assert often.total["params"] == once.total["params"]
    path = "encoder.albert_layer_groups.*"
    work = [{row.path: row.values["matmul_flops"] for row in one.by_scope}[path] for one in (once, often)]
    assert work[1] == 12 * work[0]


def test_groups_that_share_unequally(tmp_path: Path) -> None:
    """Of 5 layers in 2 groups the first runs 3 times (transformers: int(index / (5 / 2)))."""
    found = report(tmp_path, {**ALBERT, "num_hidden_layers": 5, "num_hidden_groups": 2})
    work = {row.path: row.values["matmul_flops"] for row in found.by_scope if "groups" in row.path}
    rows = [value for path, value in work.items() if path.endswith("ffn") or path.endswith("ffn.*")]
    assert sum(rows) == 5 * 2 * 5 * 8 * 12


def test_a_symbol_for_layers_that_share(tmp_path: Path) -> None:
    layers = sympy.Symbol("L", positive=True, integer=True)
    with pytest.raises(graphacct.GraphacctError, match=r"num_hidden_layers L is a symbol: .* so give a number$"):
        report(tmp_path, ALBERT, set={"num_hidden_layers": layers})


def test_heads_of_deberta_fill_the_width(tmp_path: Path) -> None:
    with pytest.raises(graphacct.GraphacctError, match=r"attention_head_size 5 is not .* 4: .* cannot run with it$"):
        report(tmp_path, {**DEBERTA, "attention_head_size": 5})


def test_kinds_of_scores_of_distances(tmp_path: Path) -> None:
    """They are a list or a text, and each has its work; another kind is an error."""
    content = {**DEBERTA, "num_hidden_layers": 1, "relative_attention": True, "position_buckets": 4}
    both = report(tmp_path, {**content, "pos_att_type": "c2p|p2c"}).total
    assert both == report(tmp_path, {**content, "pos_att_type": ["c2p", "p2c"]}).total
    one = report(tmp_path, {**content, "pos_att_type": "c2p"}).total
    assert both["matmul_flops"] - one["matmul_flops"] == 2 * 8 * 8 * 8 + 2 * 5 * 8 * 8  # projected, and multiplied
    with pytest.raises(graphacct.GraphacctError, match="pos_att_type cannot be 'p2p': the kinds are c2p and p2c"):
        report(tmp_path, {**content, "pos_att_type": "p2p"})


def test_two_vocabularies(tmp_path: Path) -> None:
    """Marian's encoder and decoder may have a vocabulary each; the head has the decoder's."""
    content = {"model_type": "marian", "vocab_size": 50, "decoder_vocab_size": 30, "d_model": 16}
    found = report(tmp_path, {**content, "share_encoder_decoder_embeddings": False})
    tables = {row.parameter.name: row.parameter.spec.shape for row in found.by_parameter}
    assert tables["model.encoder.embed_tokens.weight"] == (50, 16)
    assert tables["model.decoder.embed_tokens.weight"] == tables["lm_head.weight"] == (30, 16)


def test_layers_that_chance_drops_are_counted_where_published_files_drop_some(tmp_path: Path) -> None:
    """M2M-100's class drops 5 %; a step says that it counts them."""
    found = report(tmp_path, {"model_type": "m2m_100", "vocab_size": 50, "d_model": 16}, phase="train", loss="sum")
    assert found.total["step_matmul_flops"] == 3 * found.total["matmul_flops"]
    assert found.inexact == (
        "encoder_layerdrop 0.05 and decoder_layerdrop 0.05: the layers that chance drops are counted as if they ran",
    )


def test_a_table_of_tasks(tmp_path: Path) -> None:
    """ERNIE's classes may add a third kind of embedding."""
    content = {"model_type": "ernie", "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 20}
    without = report(tmp_path, {**content, "task_type_vocab_size": 5}).total["params"]
    with_tasks = report(tmp_path, {**content, "task_type_vocab_size": 5, "use_task_id": True}).total["params"]
    assert with_tasks - without == 5 * 8
