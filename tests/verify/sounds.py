"""Measures small models that read or make sounds: `python tests/verify/sounds.py` writes tests/goldens/sounds.json.

`python tests/verify/sounds.py FAMILY...` measures these families again. What is measured is what a truth.json has, on
a CPU with random weights: the library's classes read masks and ids.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers
from graphacct_torch.measuring.measured import BY_GROUP
from measure import flops_of, parameters, pattern
from random_sounds import CASES as BESIDE_TEXT
from random_sounds import Case
from random_speech import CASES as OTHERS
from random_voices import CASES as VOICES
from torch.utils.flop_counter import FlopCounterMode
from truth import MAIN

torch.backends.mkldnn.enabled = False  # whose kernel for long short-term memory torch's counter does not see
PAGE = Path(__file__).parents[1] / "goldens" / "sounds.json"
SEEDS = range(2)
OUTPUTS = (
    ("logits_per_audio",),
    ("audio_embeds",),
    *MAIN,
    ("waveform",),
    ("spectrogram", "duration_outputs", "pitch_outputs", "energy_outputs"),
    ("waveforms",),
    ("audio_values",),
    ("latents",),
)
CASES = {**BESIDE_TEXT, **OTHERS, **VOICES}


def model_of(content: Mapping[str, Any]) -> torch.nn.Module:
    """The model of a config.json's content, with attention written out and random weights."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(content))
        config = transformers.AutoConfig.from_pretrained(folder)
    kind = getattr(transformers, content["architectures"][0])
    options = {"attn_implementation": "eager", "dtype": torch.float32}
    try:
        model = kind._from_config(config, experts_implementation="batched_mm", **options)
    except (TypeError, ValueError):
        model = kind._from_config(config, **options)
    found: torch.nn.Module = model.eval()
    return found


def measured(case: Case) -> dict[str, Any]:
    """Parameters; FLOPs of a pass by module, of a step from the sum of the outputs, and of a decoding step."""
    model = model_of(case.content)
    given = case.inputs(model)
    forward = modules_of(model, given)
    found = {
        "config": dict(case.content),
        "workload": dict(case.workload),
        "params": parameters(model),
        "forward": {"total": forward["total"], "by_module": forward["by_module"]},
    }
    if not case.fuses:
        found["fuses"] = False
    if not case.attends:
        found["attends"] = False
    if case.cached is not None:
        found["decode"] = {"cached_tokens": case.cached, "total": decoding_step(model, case.cached, given)}
    return {**found, "step": step(model, given)} if case.trains else found


def modules_of(model: torch.nn.Module, given: Mapping[str, Any]) -> dict[str, Any]:
    """FLOPs of a pass, and of each of its modules with how many of its name have any, and how many there are if some
    have none: activations in a Sequential."""
    found = flops_of(model, lambda: model(**given))
    count = Counter(pattern(name) or "(root)" for name, _ in model.named_modules())
    return {**found, "by_module": {path: counted(row, count[path]) for path, row in found["by_module"].items()}}


def counted(row: list[int], modules: int) -> list[int]:
    return row if row[1] == modules else [*row, modules]


def step(model: torch.nn.Module, given: Mapping[str, Any]) -> int:
    """FLOPs of a forward and a backward pass from the sum of the outputs, without dropout."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with FlopCounterMode(display=False, custom_mapping=dict(BY_GROUP)) as counter:
        out = model(**given)
        out = {"waveform": out} if isinstance(out, torch.Tensor) else out
        names = next(names for names in OUTPUTS if any(out.get(name) is not None for name in names))
        sum(out[name].float().sum() for name in names if out.get(name) is not None).backward()
    return int(counter.get_total_flops())


def decoding_step(model: torch.nn.Module, cached: int, given: Mapping[str, Any]) -> int:
    """FLOPs of one new token on a cache of earlier ones; beside an encoder, of the first of the sounds that are
    `given`."""
    ids = torch.zeros((1, cached), dtype=torch.long)
    name, more = "input_ids", {"use_cache": True}
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            name, more = (
                "decoder_input_ids",
                {**more, "encoder_outputs": model.get_encoder()(given[model.main_input_name][:1])},
            )
        cache = model(**{name: ids}, **more).past_key_values
        found = flops_of(model, lambda: model(**{name: ids[:, :1]}, past_key_values=cache, **more))
    return int(found["total"])


def drawn(family: str, seed: int) -> Case:
    return CASES[family](Random(f"{family} {seed}"))


def main(families: list[str]) -> None:
    known = json.loads(PAGE.read_text()) if PAGE.exists() else {}
    for family in families or CASES:
        for seed in SEEDS:
            known[f"{family}-{seed}"] = measured(drawn(family, seed))
    rows = (f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known))
    PAGE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
