"""graphacct reconcile, as a user types it."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import graphacct

LLAMA = ("llama-3-8b", "--seq-len", "8192")


def test_json_is_the_contract(run: Any) -> None:
    result = run("reconcile", *LLAMA, "--between", "matmul", "--and", "hf-trainer", "--format", "json")
    found = json.loads(result.stdout)
    assert found["schema"] == "graphacct.reconcile/1"
    assert (found["from"], found["to"]) == ("matmul", "hf-trainer")
    assert found["terms"] == [
        {"name": "attention", "flops": -105_553_116_266_496},
        {"name": "norms", "flops": 13_086_228_480},
    ]
    assert found == graphacct.reconcile("llama-3-8b", between="matmul", and_="hf-trainer", seq_len=8192).to_dict()


def test_the_table_leads_from_one_figure_to_the_other(run: Any) -> None:
    lines = run("reconcile", *LLAMA, "--between", "megatron", "--and", "torchtitan").stdout.splitlines()
    assert any("megatron" in line and "474,422,087,516,160" in line for line in lines)
    assert any("norms" in line and "+13,086,228,480" in line for line in lines)
    assert any("torchtitan" in line and "474,435,173,744,640" in line for line in lines)


def test_csv_has_a_row_for_each_term(run: Any) -> None:
    text = run("reconcile", *LLAMA, "--between", "matmul", "--and", "megatron-2025", "--format", "csv").stdout
    assert [*csv.DictReader(StringIO(text))] == [
        {"name": "mask", "flops": "-52776558133248", "model": "llama-3-8b", "from": "matmul", "to": "megatron-2025"}
    ]


def test_mistakes_are_said(run: Any) -> None:
    unknown = run("reconcile", "gpt2", "--and", "palm")
    assert unknown.exit_code == 1
    assert "unknown convention 'palm'" in unknown.stderr
    assert "palm-mfu" in unknown.stderr
    for tool in ("deepspeed", "calflops"):
        assert "graphacct list conventions shows all" in run("reconcile", "gpt2", "--and", tool).stderr
    assert run("reconcile", "gpt2").exit_code == 2
    decoding = run("reconcile", "gpt2", "--and", "6nd", "--phase", "decode")
    assert decoding.exit_code == 1
    assert "figures of a training step are reconciled, or of a forward pass (--phase forward)" in decoding.stderr
    images = run("reconcile", "resnet-50", "--and", "6nd")
    assert images.exit_code == 1
    assert "has no seq_len" in images.stderr


def test_a_forward_pass(run: Any) -> None:
    found = json.loads(run("reconcile", "gpt2", "--and", "fvcore", "--phase", "forward", "--format", "json").stdout)
    assert found["schema"] == "graphacct.reconcile/1"
    assert found["to_flops"] - found["from_flops"] == sum(term["flops"] for term in found["terms"])
