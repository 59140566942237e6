"""Random small configurations of every family of decoders: the real models and graphacct agree to the unit.

`EXAMPLES=random` draws others each time; a failure names the seed and prints the file.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from random import Random, randrange
from typing import Any

import pytest
import torch
import transformers
from comparison import same_parameters
from measure import flops_of, pattern
from random_configs import CAUSAL, FAMILIES, drawn
from truth import inputs, model_from, train_step

import graphacct
from graphacct.hooks.manager import default

SEEDS = [randrange(2**32) for _ in range(3)] if os.environ.get("EXAMPLES") == "random" else range(3)
WORKLOADS = ((1, 7), (2, 40))
"""Shorter and longer than the windows that are drawn."""
CACHED = (3, 33)


@pytest.fixture(autouse=True)
def no_look_at_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns of padding where it finds the padding's id; a meta tensor has no ids."""
    monkeypatch.setattr(transformers.PreTrainedModel, "warn_if_padding_and_no_attention_mask", lambda *args: None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_random_configuration(family: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs forward by module, of a training step and of decoding steps; fused attention."""
    content = drawn(family, Random(f"{family} {seed}"))
    print(json.dumps(content))
    (tmp_path / "config.json").write_text(json.dumps(content))
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    config.architectures = config.architectures or [CAUSAL[family]]
    model = model_from(config)
    same_parameters(accounted(tmp_path, seq_len=7), model)
    kinds = [kind for kind in default().architectures[family].load().attention if kind != "absorbed"]
    for batch, seq_len in WORKLOADS:
        sizes = {"batch": batch, "seq_len": seq_len}
        given = {**inputs(model, batch, seq_len), "use_cache": False}
        measured = flops_of(model, lambda given=given: model(**given))
        found = accounted(tmp_path, **sizes)
        ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in found.by_scope}
        ours["(root)"] = [found.total["matmul_flops"], 1]
        of_each = Counter(pattern(name) for name, _ in model.named_modules())
        for path, row in measured["by_module"].items():  # those without products count too: AXK2's plain norms
            if ours.get(path) == [row[0], of_each[path]]:
                row[1] = of_each[path]
        assert {path: ours.get(path) for path in measured["by_module"]} == measured["by_module"]
        assert found.total["matmul_flops"] == measured["total"]
        step = accounted(tmp_path, **sizes, phase="train", loss="sum")
        assert step.total["step_matmul_flops"] == train_step(model, given)["total"]
        for attention in kinds:
            other = accounted(tmp_path, **sizes, attention=attention)
            assert [other.total[key] for key in ("params", "matmul_flops")] == [
                found.total[key] for key in ("params", "matmul_flops")
            ]
    for cached in CACHED if model.can_generate() else ():
        for attention in kinds:
            found = accounted(tmp_path, phase="decode", cache_len=cached, attention=attention)
            assert found.total["matmul_flops"] == decoding_step(model, cached)


def accounted(folder: Path, **options: Any) -> graphacct.Report:
    return graphacct.account(folder, convention="matmul", **{"attention": "eager", **options})


def decoding_step(model: torch.nn.Module, cached: int) -> int:
    """FLOPs of one new token on a cache of earlier ones."""
    ids = torch.zeros((1, cached), dtype=torch.long, device="meta")
    with torch.no_grad():
        cache = model(input_ids=ids, use_cache=True).past_key_values
        step = flops_of(model, lambda: model(input_ids=ids[:, :1], past_key_values=cache, use_cache=True))
    return int(step["total"])
