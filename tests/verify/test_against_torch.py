"""Measured again, now: real torch, the recorded truth and graphacct agree to the unit."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from measure import flops, parameters
from modules import WorksheetLM

import graphacct
from graphacct.hooks.manager import default
from graphacct.models.find import preset

GOLDENS = Path(__file__).parent.parent / "goldens"
GPT2 = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
WORKSHEET = ("transformer-lm-small", "transformer-lm-medium", "transformer-lm-large", "transformer-lm-xl")
WORKLOADS = ((1, 128), (1, 1024), (4, 512))


def configuration(name: str) -> dict[str, Any]:
    """The configuration that graphacct gives the preset, as plain values, without its class and dtype."""
    found = preset(name, default())
    assert found is not None
    return {key: value for key, value in attrs.asdict(found[1]).items() if key not in ("architectures", "dtype")}


@cache
def model(name: str) -> torch.nn.Module:
    """The preset's model on the meta device: shapes without storage."""
    with torch.device("meta"):
        if name in WORKSHEET:
            return WorksheetLM(**configuration(name)).eval()
        from transformers import GPT2Config, GPT2LMHeadModel

        return GPT2LMHeadModel(GPT2Config(**configuration(name), attn_implementation="eager", use_cache=False)).eval()


@cache
def truth(name: str) -> dict[str, Any]:
    folder = f"{name}-dff6400" if name in WORKSHEET else name
    return json.loads((GOLDENS / folder / "truth.json").read_text())


@pytest.mark.parametrize("name", [*GPT2, *WORKSHEET])
def test_parameters(name: str) -> None:
    """The model's named parameters are graphacct's, by name, shape, count and tie, and those on record."""
    measured = parameters(model(name))
    report = graphacct.account(name)
    rows = [row for row in report.by_parameter if not row.parameter.tied_to]
    assert {
        row.parameter.name: {
            "params": row.parameter.spec.elements * row.count,
            "tensors": row.count,
            "shape": list(row.parameter.spec.shape),
        }
        for row in rows
    } == measured["by_parameter_pattern"]
    assert report.total["params"] == measured["total"]
    assert [row.parameter.name for row in report.by_parameter if row.parameter.tied_to] == measured["tied_names"]
    assert {key: truth(name)["params"][key] for key in measured} == measured


@pytest.mark.parametrize(("batch", "seq_len"), WORKLOADS)
@pytest.mark.parametrize("name", [*GPT2, *WORKSHEET])
def test_forward_flops(name: str, batch: int, seq_len: int) -> None:
    """The counter's total and every module's FLOPs are graphacct's under `matmul`, and those on record."""
    measured = flops(model(name), batch, seq_len)
    report = graphacct.account(name, batch=batch, seq_len=seq_len, convention="matmul")
    ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in report.by_scope}
    ours["(root)"] = [report.total["matmul_flops"], 1]
    assert {path: ours.get(path) for path in measured["by_module"]} == measured["by_module"]
    assert report.total["matmul_flops"] == measured["total"] == sum(measured["by_op"].values())
    [recorded] = [row for row in truth(name)["forward"] if (row["batch"], row["seq"]) == (batch, seq_len)]
    assert {key: recorded[key] for key in measured if key in recorded} == {
        key: measured[key] for key in measured if key in recorded
    }


@pytest.mark.parametrize("name", ["gpt2", "transformer-lm-small"])
def test_untied_and_odd_sizes(name: str) -> None:
    """Sizes that no preset has agree as well: nothing is fitted to the published ones."""
    if name == "gpt2":
        from transformers import GPT2Config, GPT2LMHeadModel

        changes: dict[str, Any] = {"n_embd": 42, "n_head": 7, "n_layer": 3, "n_inner": 55, "vocab_size": 101}
        changes |= {"n_positions": 37, "tie_word_embeddings": False}
        ids = {"bos_token_id": None, "eos_token_id": None}  # the defaults are beyond a vocabulary of 101
        config = GPT2Config(**changes, **ids, attn_implementation="eager", use_cache=False)
        with torch.device("meta"):
            built: torch.nn.Module = GPT2LMHeadModel(config).eval()
    else:
        changes = {"d_model": 42, "n_head": 7, "n_layer": 3, "d_ff": 55, "vocab_size": 101, "context_length": 37}
        with torch.device("meta"):
            built = WorksheetLM(**changes).eval()
    report = graphacct.account(name, batch=3, seq_len=29, convention="matmul", set=changes)
    measured = parameters(built)
    assert report.total["params"] == measured["total"]
    assert [row.parameter.name for row in report.by_parameter if row.parameter.tied_to] == measured["tied_names"] == []
    counted = flops(built, 3, 29)
    assert report.total["matmul_flops"] == counted["total"]
    ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in report.by_scope}
    del counted["by_module"]["(root)"]
    assert {path: ours.get(path) for path in counted["by_module"]} == counted["by_module"]
