"""The memory of a whole generation against every step of it."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct import ConfigError, memory
from graphacct.footprint.fits import largest

LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
}
GPT2 = {"n_layer": 5, "n_embd": 32, "n_head": 4, "vocab_size": 60, "n_positions": 80}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "gpt2": ("gpt2", GPT2, {}),
    "eager": ("gpt2", GPT2, {"attention": "eager"}),
    "window": ("mistral", {**LLAMA, "sliding_window": 9}, {}),
    "alternating": ("gemma2", {**LLAMA, "head_dim": 8, "sliding_window": 7}, {}),
    "bf16": ("mistral", {**LLAMA, "sliding_window": 30}, {"dtype": "bf16", "profile": "torch-eager-cpu"}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("prompt", "new"), [(5, 1), (4, 2), (3, 40), (30, 12)])
def test_it_is_the_highest_step_and_the_last_cache(name: str, prompt: int, new: int) -> None:
    """Also where a window fills up on the way."""
    model, sizes, others = CASES[name]
    given = {"batch": 2, "set": sizes, **others}
    found = memory(model, phase="generate", prompt_len=prompt, new_tokens=new, **given)
    steps = [memory(model, phase="prefill", seq_len=prompt, logits="last", **given)]
    steps += [memory(model, phase="decode", cache_len=cached, **given) for cached in range(prompt, prompt + new - 1)]
    highest = max(steps, key=lambda step: step.total)
    assert (found.total, found.peak, found.inputs) == (highest.total, highest.peak, highest.inputs)
    assert found.kv_cache_bytes == steps[-1].kv_cache_bytes
    assert found.kv_bytes_next_token == steps[-1].kv_bytes_next_token
    assert found.peak_phase == highest.phase
    assert found.peak_cache_len == highest.workload.get("cache_len")
    assert (found.phase, found.workload["phase"]) == ("generate", "generate")


def test_the_largest_batch() -> None:
    """It fits, and one more does not."""
    given: dict[str, Any] = {"phase": "generate", "prompt_len": 3, "new_tokens": 60, "set": GPT2}
    found = largest(lambda batch: memory("gpt2", batch=batch, **given), 10**6, "batch")
    assert found.memory.total <= 10**6 < memory("gpt2", batch=found.size + 1, **given).total
    assert (found.memory.peak_phase, found.memory.peak_cache_len) == ("decode", 61)


def test_the_table_says_which_step_it_is_of() -> None:
    """The last step has prompt_len + new_tokens - 2 tokens in its cache."""
    given: dict[str, Any] = {"phase": "generate", "set": GPT2}
    first = str(memory("gpt2", prompt_len=20, new_tokens=2, **given))
    assert "the highest step of the generation: the prefill" in first
    later = str(memory("gpt2", prompt_len=3, new_tokens=60, **given))
    assert "the highest step of the generation: the decoding step on 61 cached tokens" in later


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prompt_len": 3}, "phase='generate' needs new_tokens="),
        ({"prompt_len": 3, "new_tokens": 2, "optimizer": "sgd"}, "optimizer: of a training step alone"),
        ({"prompt_len": 3, "new_tokens": 2, "seq_len": 9}, "seq_len: of a single step"),
    ],
)
def test_what_it_cannot_be_asked(asked: dict[str, Any], message: str) -> None:
    """As in a report."""
    with pytest.raises(ConfigError) as caught:
        memory("gpt2", phase="generate", **asked)
    assert message in str(caught.value)


def test_symbols_are_refused() -> None:
    """The highest step is found among numbers."""
    sympy = pytest.importorskip("sympy")
    batch = sympy.Symbol("b", integer=True, positive=True)
    with pytest.raises(ConfigError, match="give a number for every size, no symbol and no array"):
        graphacct.memory("gpt2", phase="generate", prompt_len=3, new_tokens=2, batch=batch, set=GPT2)
