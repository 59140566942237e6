"""What is kept and what is alive, measured again, now, on tiny models: real torch and graphacct agree to the byte."""

from __future__ import annotations

import pytest
import torch
from memory import forward_peak, saved_bytes, step_peak, sums
from modules import WorksheetLM
from runs import passed, scheduled

import graphacct
from graphacct.execution.saved_storages import saved_bytes as expected_bytes
from graphacct.execution.saved_storages import saved_storages, saved_uses
from graphacct.footprint.liveness import live_bytes

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


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize("p", [0.0, 0.1])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2_in_training(attention: str, p: float, batch: int, seq_len: int) -> None:
    """The storages that autograd keeps and the forward peak, with and without dropout, attention eager and fused."""
    model = gpt2(attention, p).train()
    sizes = {**GPT2, **dict.fromkeys(DROPOUT, p)}
    steps = scheduled("gpt2", set=sizes, batch=batch, seq_len=seq_len, attention=attention, loss="sum")
    model(ids(batch, seq_len))
    assert saved_bytes(model, ids(batch, seq_len), lambda output: output.logits) == expected_bytes(steps)
    peak = max(live_bytes(steps, saved_storages(saved_uses(steps))))
    assert forward_peak(model, ids(batch, seq_len), lambda output: output.logits, True) == peak


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize("p", [0.0, 0.1])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2s_whole_step(attention: str, p: float, batch: int, seq_len: int, checkpointing: bool) -> None:
    """The peak over forward and backward, the parameters' gradients as they are made, layers checkpointed or not.

    Under the mode that watches them, gradients that meet are added into a new tensor.
    """
    model = gpt2(attention, p).train()
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    options = {"batch": batch, "seq_len": seq_len, "attention": attention}
    sizes = {**GPT2, **dict.fromkeys(DROPOUT, p)}
    steps = scheduled("gpt2", recompute="full" if checkpointing else "none", set=sizes, loss="sum", **options)
    model(ids(batch, seq_len))
    saved, back = passed(steps, in_place=False)
    peak = max(live_bytes(steps, saved, back, fresh=True))
    assert step_peak(model, ids(batch, seq_len), lambda output: output.logits) == peak


@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gradients_that_meet_are_added_in_place(attention: str) -> None:
    """Where no mode watches, torch adds as often as graphacct says, into new tensors and in place: the head's gradient
    is a view, to which the embedding's is added."""
    sizes = {**GPT2, **dict.fromkeys(DROPOUT, 0.0)}
    back = passed(scheduled("gpt2", set=sizes, batch=2, seq_len=24, attention=attention, loss="sum"))[1]
    made = {life.birth for life in back.lives}
    added = [position in made for position, call in enumerate(back.calls) if call.name == "add"]
    model = gpt2(attention, 0.0).train()
    assert sums(model, ids(2, 24), lambda output: output.logits) == (added.count(True), added.count(False)) == (1, 12)


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2_without_gradients(attention: str, batch: int, seq_len: int) -> None:
    """The peak of an inference pass, where Python's variables decide what is alive."""
    model = gpt2(attention, 0.0).eval()
    graph = graphacct.build("gpt2", set=GPT2, batch=batch, seq_len=seq_len, attention=attention)
    steps = scheduled(graph, trained=lambda parameter: False)
    assert forward_peak(model, ids(batch, seq_len), lambda output: output.logits, False) == max(live_bytes(steps))


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
def test_the_worksheets_model_in_training(batch: int, seq_len: int) -> None:
    """The worksheet's module keeps what its graph says, operator by operator."""
    model = WorksheetLM(**WORKSHEET).train()
    steps = scheduled("transformer-lm", set=WORKSHEET, batch=batch, seq_len=seq_len, loss="sum")
    assert saved_bytes(model, ids(batch, seq_len), lambda output: output) == expected_bytes(steps)
    peak = max(live_bytes(steps, saved_storages(saved_uses(steps))))
    assert forward_peak(model, ids(batch, seq_len), lambda output: output, True) == peak
    saved, back = passed(steps, in_place=False)
    whole = max(live_bytes(steps, saved, back, fresh=True))
    assert step_peak(model, ids(batch, seq_len), lambda output: output) == whole
