"""Capture of Llama-3-8B with graphacct-torch, folding included, against torch's FLOP counter on the same fake module.

`python capture_with_torch.py`: prints the ratio of a forward pass, that of a training step, and the MiB of memory over
importing torch and the library. The two take turns, so that what the machine is doing falls on both.
"""

from __future__ import annotations

import gc
import resource
from statistics import median
from time import process_time
from typing import Any

import torch
import transformers
from graphacct_torch.building.build import without_weights
from graphacct_torch.building.fakes import faked
from graphacct_torch.capturing.capture import capture
from graphacct_torch.tracing.graph import traced
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaForCausalLM

from graphacct.hooks.manager import default

ROUNDS = 5
operators = default().operators
config = transformers.LlamaConfig(
    vocab_size=128256,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    rope_theta=500000.0,
    use_cache=False,
)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loss(output: Any) -> Any:
    return output.logits.float().sum()


before = peak()
with without_weights():
    module = LlamaForCausalLM(config)
ids = torch.zeros((1, 1024), dtype=torch.int64)
ratios: dict[str, list[float]] = {"forward": [], "step": []}
with faked(module, (ids,), {}) as fake:
    for _ in range(ROUNDS):
        for name in ratios:
            gc.collect()
            start = process_time()
            captured = capture(fake, loss if name == "step" else None)
            traced("llama", captured, operators)[0].fold(operators)
            ours = process_time() - start
            gc.collect()
            start = process_time()
            with fake.mode, FlopCounterMode(display=False):
                output = fake.module(*fake.args)
                if name == "step":
                    loss(output).backward()
            ratios[name].append(ours / (process_time() - start))
            for parameter in module.parameters():
                parameter.grad = None
print(*(f"{median(values):.3f}" for values in ratios.values()), f"{peak() - before:.0f}")
