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
    assert run("memory", *ASKED, "--fits", "1GB", "--max-seq-len").stderr.startswith(
        "graphacct: --max-seq-len looks for what --prompt-len gives: leave one of them out"
    )


def test_a_length_that_the_model_does_not_have_is_refused_with_that_of_the_whole_generation(run: Any) -> None:
    """The last step of 500 new tokens after 1,024 has 1,024 + 500 - 1 positions: with as many the command works."""
    asked = ["report", "gpt2", "--phase", "generate", "--new-tokens", "500", "--set", "n_layer=1", "--prompt-len"]
    for prompt in "600", "1024", "2048":
        refused = run(*asked, prompt).stderr
        assert f"seq_len {int(prompt) + 499} is beyond n_positions 1024" in refused
        way_out = refused.strip().rpartition("add ")[2].split()
        assert run(*asked, prompt, *way_out).exit_code == 0
    asked = ["report", "bart-base", "--phase", "generate", "--prompt-len", "2k", "--new-tokens", "500"]
    assert "encoder_seq_len 2048 is beyond the 1024 positions" in run(*asked).stderr


def test_the_longest_sequence_of_a_generation(run: Any) -> None:
    """The largest prompt, and the new tokens after it; `--on` finds the same."""
    sizes = ("n_layer=2", "n_embd=64", "n_head=4", "vocab_size=500", "n_positions=100000")
    asked = ["memory", "gpt2", "--phase", "generate", "--new-tokens", "7"]
    asked += [text for size in sizes for text in ("--set", size)]
    found = json.loads(run(*asked, "--fits", "80MB", "--max-seq-len", "--format", "json").stdout)
    prompt = found["max_seq_len"] - 7
    assert found["workload"]["prompt_len"] == prompt
    assert found["fits"]["fits"]
    more = json.loads(run(*asked, "--fits", "80MB", "--prompt-len", str(prompt + 1), "--format", "json").stdout)
    assert not more["fits"]["fits"]
    shown = run(*asked, "--fits", "80MB", "--max-seq-len").stdout
    assert f"the largest seq_len that fits is {prompt + 7:,}, a prompt of {prompt:,} and 7 new tokens" in shown
