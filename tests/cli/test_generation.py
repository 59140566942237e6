"""A whole generation from the command line."""

from __future__ import annotations

import json
from typing import Any

import graphacct
from graphacct import memory

SIZES = ("--set", "n_layer=2", "--set", "n_embd=32", "--set", "n_head=4", "--set", "vocab_size=60")
GIVEN: dict[str, Any] = {"set": {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 60}}
ASKED = ("gpt2", *SIZES, "--phase", "generate", "--prompt-len", "20", "--new-tokens", "30")
WORKLOAD: dict[str, Any] = {"phase": "generate", "prompt_len": 20, "new_tokens": 30, **GIVEN}


def test_report_and_memory_are_what_the_functions_give(run: Any) -> None:
    """The options are the keywords."""
    report = json.loads(run("report", *ASKED, "--format", "json").stdout)
    assert report == graphacct.account("gpt2", **WORKLOAD).to_dict()
    found = json.loads(run("memory", *ASKED, "--format", "json").stdout)
    direct = memory("gpt2", **WORKLOAD)
    assert (found["total"], found["peak_phase"], found["kv_cache_bytes"]) == (
        direct.total,
        direct.peak_phase,
        report["kv_cache_bytes"],
    )


def test_columns_groups_and_formats(run: Any) -> None:
    """As of any report."""
    table = run("report", *ASKED, "--columns", "flops,kv_cache_bytes,arithmetic_intensity", "--by", "operator").stdout
    assert "Intensity" in table
    assert run("report", *ASKED, "--by", "parameter").exit_code == 0
    assert run("report", *ASKED, "--format", "csv").exit_code == 0
    assert "per new token" in run("report", *ASKED, "--format", "markdown").stdout
    assert run("compare", "gpt2", "gpt2", *ASKED[1:]).exit_code == 0


def test_sizes_that_are_missing_or_wrong(run: Any) -> None:
    """One line each, in the words of the command line."""
    asked = ["report", "gpt2", "--phase", "generate"]
    assert run(*asked).stderr == (
        "graphacct: --phase generate needs --prompt-len and --new-tokens: the tokens of the prompt, and those that are "
        "generated\n"
    )
    assert run("report", "gpt2", "--prompt-len", "4").stderr == (
        "graphacct: --prompt-len is a size of a generation: add --phase generate\n"
    )
    assert run("draw", *ASKED, "-o", "x.svg").stderr.startswith(
        "graphacct: a picture of a generation: it is many steps"
    )
    assert run("memory", *ASKED, "--fits", "1GB", "--max-seq-len").stderr.startswith("graphacct: seq_len: of a single")
