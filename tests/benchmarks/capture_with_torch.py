"""Capture of Llama-3-8B with graphacct-torch, folding included, against torch's FLOP counter on the same fake module.

`python capture_with_torch.py`: prints, as JSON, the ratios of the rounds of a forward pass and of a training step, the
median seconds of CPU of ours, and the MiB of memory over importing torch and the library. The two take turns, so that
what the machine is doing falls on both.

Measured with torch 2.13.0 and transformers 5.23.0, in CPU time, on two cores that ten other processes wanted: 1.22 of a
forward pass (seven rounds from 1.17 to 1.28), 1.03 of a training step (0.94 to 1.11), 183 MiB; and later, on the two
cores alone, 1.36 (1.13 to 1.38), 1.05 (1.01 to 1.09), 189 MiB. Most of the second that
a forward pass takes is torch's own fake tensors; making the graph takes 0.12 s of it and folding 0.05. With the threads
that torch has by default it was 1.77: the few small tensors that a capture computes kept another thread spinning.
"""

from __future__ import annotations

import gc
import json
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

ROUNDS = 7
"""After a first one that is not counted, in which both import and cache."""
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
seconds: dict[str, list[float]] = {"forward": [], "step": []}
with faked(module, (ids,), {}) as fake:
    for _ in range(1 + ROUNDS):
        for name in ratios:
            gc.collect()
            start = process_time()
            captured = capture(fake, loss if name == "step" else None)
            traced("llama", captured, operators).graph.fold(operators)
            ours = process_time() - start
            gc.collect()
            start = process_time()
            with fake.mode, FlopCounterMode(display=False):
                output = fake.module(*fake.args)
                if name == "step":
                    loss(output).backward()
            ratios[name].append(ours / (process_time() - start))
            seconds[name].append(ours)
            for parameter in module.parameters():
                parameter.grad = None
print(
    json.dumps(
        {
            "ratios": {name: [round(value, 3) for value in values[1:]] for name, values in ratios.items()},
            "seconds": {name: round(median(values[1:]), 3) for name, values in seconds.items()},
            "memory": round(peak() - before),
        }
    )
)
