"""Adapters and frozen parameters, measured again, now: torch, the recorded truth and graphacct agree to the unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from adapters import adapt, freeze, step_flops, trainable
from memory import forward_peak, saved_bytes

import graphacct
from graphacct import memory

TRUTH = json.loads((Path(__file__).parent.parent / "goldens" / "lora-gpt2" / "truth.json").read_text())
PROBABILITIES = ("attn_pdrop", "resid_pdrop", "embd_pdrop")


def built(run: dict[str, Any]) -> torch.nn.Module:
    """The run's model in training, with its adapters, frozen as the run says."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokens = {"bos_token_id": None, "eos_token_id": None}  # the defaults are beyond this vocabulary
    kind = {"eager": "eager", "fused": "sdpa"}[run["attn"]]
    dropout = dict.fromkeys(PROBABILITIES, run["dropout"])
    config = GPT2Config(**TRUTH["config"], **dropout, **tokens, attn_implementation=kind, use_cache=False)
    model = GPT2LMHeadModel(config).train()
    return freeze(adapt(model, run["lora"], run["lora_dropout"]) if run["lora"] else model, run["freeze"])


@pytest.mark.parametrize("run", TRUTH["runs"], ids=lambda run: f"{[*run['lora'], *run['freeze']]}-{run['attn']}")
def test_a_step(run: dict[str, Any]) -> None:
    """What is trained and kept, the forward peaks, and the counter's FLOPs where it counts attention."""
    model, ids = built(run), torch.zeros((run["batch"], run["seq"]), dtype=torch.long)
    model(ids)
    measured = {
        "trainable": trainable(model),
        "saved_bytes": saved_bytes(model, ids, lambda output: output.logits),
        "forward_peak": forward_peak(model, ids, lambda output: output.logits, True),
    }
    counted = step_flops(model, ids)
    if run["attn"] == "eager":
        measured |= {"forward_flops": counted["forward"], "step_flops": counted["step"]}
    measured["no_grad_forward_peak"] = forward_peak(model.eval(), ids, lambda output: output.logits, False)
    assert measured == {key: run[key] for key in measured}

    sizes = {**TRUTH["config"], **dict.fromkeys(PROBABILITIES, run["dropout"])}
    lora = [f"{rank}:{glob}" for glob, rank in run["lora"].items()]
    options = {"batch": run["batch"], "seq_len": run["seq"], "attention": run["attn"], "set": sizes, "lora": lora}
    step = {**options, "lora_dropout": run["lora_dropout"], "freeze": run["freeze"], "loss": "sum"}
    step |= {"profile": "torch-eager-cpu"}
    found = memory("gpt2", **step)
    assert (found.gradients, found.saved_activations) == (4 * measured["trainable"], measured["saved_bytes"])
    total = graphacct.account("gpt2", phase="train", convention="matmul", **step).total
    if run["attn"] == "eager":
        assert [total[f"{part}_matmul_flops"] for part in ("forward", "step")] == [*counted.values()]
    inference = memory("gpt2", phase="forward", profile="torch-eager-cpu", **options)
    assert inference.peak == measured["no_grad_forward_peak"]
