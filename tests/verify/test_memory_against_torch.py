"""What is kept and what is alive, measured again, now, on tiny models: real torch and graphacct agree to the byte."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from memory import forward_peak, saved_bytes
from modules import WorksheetLM

import graphacct
from graphacct.kept import kept
from graphacct.kept import saved_bytes as expected_bytes
from graphacct.kernels import Schedule
from graphacct.liveness import live_bytes
from graphacct.plugins import default
from graphacct.schedule import schedule

GPT2 = {"vocab_size": 101, "n_positions": 64, "n_embd": 48, "n_layer": 3, "n_head": 6}
WORKSHEET = {"vocab_size": 101, "context_length": 64, "d_model": 48, "n_layer": 3, "n_head": 6, "d_ff": 80}
DROPOUT = ("attn_pdrop", "resid_pdrop", "embd_pdrop")
SIZES = ((1, 24), (2, 40))


def ids(batch: int, seq_len: int) -> torch.Tensor:
    return torch.zeros((batch, seq_len), dtype=torch.long)


def gpt2(attention: str, p: float) -> torch.nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokens = {"bos_token_id": None, "eos_token_id": None}  # the defaults are beyond this vocabulary
    kind = {"eager": "eager", "fused": "sdpa"}[attention]
    config = GPT2Config(**GPT2, **dict.fromkeys(DROPOUT, p), **tokens, attn_implementation=kind, use_cache=False)
    return GPT2LMHeadModel(config)


def scheduled(model: str, overrides: dict[str, Any], training: bool, **options: Any) -> Schedule:
    plugins = default()
    graph = graphacct.build(model, phase="train" if training else "forward", set=overrides, **options)
    profile = plugins.profiles["torch-eager-cpu"]
    return schedule(graph, plugins.operators, profile, lambda parameter: training and not parameter.buffer)


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize("p", [0.0, 0.1])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2_in_training(attention: str, p: float, batch: int, seq_len: int) -> None:
    """The storages that autograd keeps and the forward peak, with and without dropout, attention eager and fused."""
    model = gpt2(attention, p).train()
    steps = scheduled(
        "gpt2", {**GPT2, **dict.fromkeys(DROPOUT, p)}, True, batch=batch, seq_len=seq_len, attention=attention
    )
    model(ids(batch, seq_len))
    assert saved_bytes(model, ids(batch, seq_len), lambda output: output.logits) == expected_bytes(steps)
    peak = max(live_bytes(steps, [(item.storage, item.position) for item in kept(steps)]))
    assert forward_peak(model, ids(batch, seq_len), lambda output: output.logits, True) == peak


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2_without_gradients(attention: str, batch: int, seq_len: int) -> None:
    """The peak of an inference pass, where Python's variables decide what is alive."""
    model = gpt2(attention, 0.0).eval()
    steps = scheduled("gpt2", GPT2, False, batch=batch, seq_len=seq_len, attention=attention)
    assert forward_peak(model, ids(batch, seq_len), lambda output: output.logits, False) == max(live_bytes(steps))


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
def test_the_worksheets_model_in_training(batch: int, seq_len: int) -> None:
    """The worksheet's module keeps what its graph says, operator by operator."""
    model = WorksheetLM(**WORKSHEET).train()
    steps = scheduled("transformer-lm", WORKSHEET, True, batch=batch, seq_len=seq_len)
    assert saved_bytes(model, ids(batch, seq_len), lambda output: output) == expected_bytes(steps)
    peak = max(live_bytes(steps, [(item.storage, item.position) for item in kept(steps)]))
    assert forward_peak(model, ids(batch, seq_len), lambda output: output, True) == peak
