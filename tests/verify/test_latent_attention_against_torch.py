"""What a training step keeps of latent attention, measured on the real models with all layers dense."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from memory import saved_bytes

import graphacct

FAMILIES = Path(__file__).parents[1] / "goldens" / "families"


@pytest.mark.parametrize(("batch", "seq_len"), [(1, 16), (2, 32), (3, 50)])
@pytest.mark.parametrize(("attention", "name"), [("eager", "eager"), ("fused", "sdpa")])
@pytest.mark.parametrize("case", ["small-deepseek-v2", "small-deepseek-v3"])
def test_what_is_kept(case: str, attention: str, name: str, batch: int, seq_len: int) -> None:
    """Latents, shared keys, complex rotary tables and interleaved ones: equal to the byte."""
    config = transformers.AutoConfig.from_pretrained(FAMILIES / case)
    dense = {"first_k_dense_replace": config.num_hidden_layers}
    config.first_k_dense_replace = config.num_hidden_layers
    kind = getattr(transformers, config.architectures[0])
    model = kind._from_config(config, dtype=torch.float32, attn_implementation=name).train()
    ids = torch.randint(0, config.vocab_size, (batch, seq_len))
    sizes = {"batch": batch, "seq_len": seq_len, "attention": attention, "dtype": "fp32", "set": dense}
    found = graphacct.account(FAMILIES / case, phase="train", loss="sum", profile="torch-eager-cpu", **sizes)
    assert found.total["saved_bytes"] == saved_bytes(model, ids, lambda out: out.logits)
