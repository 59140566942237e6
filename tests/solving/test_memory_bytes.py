"""`memory_bytes` in an expression is the total of `graphacct memory`, for the same options."""

from typing import Any

import pytest

import graphacct

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "a training step": ("gpt2", {"phase": "train", "batch": 2, "seq_len": 64}),
    "in ranks, frozen and recomputed": (
        "llama-3.2-1b",
        {"phase": "train", "seq_len": 64, "dp": 4, "zero": 2, "freeze": ["*embed*"], "recompute": "full"},
    ),
    "with adapters": ("gpt2", {"phase": "train", "seq_len": 64, "lora": ["8:c_attn"]}),
    "a forward pass": ("bert-base-uncased", {"phase": "forward", "seq_len": 64}),
    "a prefill": ("gpt2", {"phase": "prefill", "seq_len": 64}),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_total_of_memory(case: str) -> None:
    model, options = CASES[case]
    options = dict(options)
    batch = options.pop("batch", 1)
    found = graphacct.sweep(model, over={"batch": [batch]}, keep=["memory_bytes"], exact=True, **options)
    assert list(found["memory_bytes"]) == [graphacct.memory(model, batch=batch, **options).total]


def test_the_largest_batch_in_a_memory() -> None:
    """One more sequence is one too many."""
    room = graphacct.memory("gpt2", batch=5, seq_len=128).total
    found = graphacct.solve("gpt2", for_="batch", where=f"memory_bytes <= {room}", max=True, phase="train", seq_len=128)
    assert found.size == 5


def test_a_generation_has_none() -> None:
    with pytest.raises(graphacct.ConfigError, match="memory_bytes of a generation: `memory` has it"):
        graphacct.solve("gpt2", for_="new_tokens", where="memory_bytes <= 1GB", max=True, phase="generate")
