"""Truth of small models of text and images: `python tests/verify/measure_multimodal.py [NAME...]`.

Reads multimodal.json beside the tests of graphacct-architectures, runs the class of the transformers library of each
case (or of those named) on a CPU with random pixels, and writes what torch's counter says into the same file:
parameters, FLOPs of a forward pass, of each of its modules, of a step from the sum of the outputs and of a decoding
step. The library's checks of placeholders read values, so that all tokens are placeholders here.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ["TRANSFORMERS_DISABLE_TORCH_CHECK"] = "1"

import torch
import transformers
from graphacct_torch.measuring.measured import BY_GROUP
from graphacct_torch.reading import library
from graphacct_torch.reading.inputs import library_inputs
from graphacct_torch.reading.sizes import sizes_of
from torch.utils.flop_counter import FlopCounterMode
from truth import in_groups

CASES = Path(__file__).parents[2] / "plugins/graphacct-architectures/tests/multimodal.json"
TEXT_ALONE = ("kosmos-2",)
"""Families whose `generate` is that of the text model, to which it gives what an image was read as."""
OUTPUTS = ("logits", "last_hidden_state")
BY_LABELS = ("BlipForQuestionAnswering",)
"""Classes that return no logits, but the loss of labels."""


def main(names: list[str]) -> None:
    cases = json.loads(CASES.read_text())
    for case in cases:
        if not names or case["name"] in names:
            case["measured"] = measured(case["config"], case["workload"])
            print(case["name"], case["measured"]["params"], case["measured"]["forward"], flush=True)
    CASES.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


def measured(content: dict[str, Any], workload: dict[str, Any]) -> dict[str, Any]:
    """What one class does on one workload."""
    config = library.config_of({**content, "dtype": "float32"})
    torch.manual_seed(0)
    kind = library.class_of(config)
    options: dict[str, Any] = {"attn_implementation": "eager"}
    try:
        model = kind._from_config(config, experts_implementation="batched_mm", **options)
    except (TypeError, ValueError):
        model = kind._from_config(config, **options)
    model = model.float().eval()
    found: dict[str, Any] = {"params": sum(tensor.numel() for tensor in model.parameters())}
    found["names"] = names_of(model)
    _, given = library_inputs(model, sizes_of(config, tupled(workload)), None)
    given = {name: real(value) for name, value in given.items()}
    with FlopCounterMode(display=False) as counter:
        model(**given)
    found["forward"] = counter.get_total_flops()
    found["modules"] = by_module(counter)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with FlopCounterMode(display=False, custom_mapping=BY_GROUP if in_groups(model) else None) as counter:
        if type(model).__name__ in BY_LABELS:
            model(**given, labels=given["decoder_input_ids"]).loss.backward()
        else:
            out = model(**given)
            out = out.get("language_model_outputs", out) if "logits" not in out else out  # a text model without a head
            next(out[name] for name in OUTPUTS if name in out and out[name] is not None).float().sum().backward()
    found["step"] = counter.get_total_flops()
    model.eval()
    with torch.no_grad():
        cached = model.can_generate() and hasattr(model(**given), "past_key_values")
    if cached and "input_ids" in given and "decoder_input_ids" not in given:
        found["decode"] = decoding(model, given)
    return found


def decoding(model: Any, given: dict[str, Any]) -> dict[str, int]:
    """FLOPs of a further token behind those of the workload."""
    given = {**given, "use_cache": True}
    with torch.no_grad():
        cache = model(**given).past_key_values
        if cache is None:  # the class leaves it to `generate` to make one
            cache = transformers.DynamicCache()
            model(**given, past_key_values=cache)
        kept = {name: value[:, -1:] for name, value in given.items() if name == "cross_attention_mask"}
        if model.config.model_type in TEXT_ALONE:
            model = model.text_model
        with FlopCounterMode(display=False) as counter:
            model(
                input_ids=given["input_ids"][:1, :1].expand(len(given["input_ids"]), 1), past_key_values=cache, **kept
            )
    return {"cache_len": given["input_ids"].shape[1], "flops": counter.get_total_flops()}


def tupled(workload: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in workload.items()}


def real(value: Any) -> Any:
    """An input with data: random numbers, or ones."""
    if not isinstance(value, torch.Tensor) or not value.is_meta:
        return value
    if value.dtype.is_floating_point:
        return torch.rand(value.shape, dtype=value.dtype)
    return torch.ones(value.shape, dtype=value.dtype)


def names_of(model: torch.nn.Module) -> dict[str, list[int]]:
    """Elements and number of the tensors of each name, with * for an index."""
    found: dict[str, list[int]] = {}
    for name, tensor in model.named_parameters():
        row = found.setdefault(starred(name), [0, 0])
        row[:] = row[0] + tensor.numel(), row[1] + 1
    return found


def by_module(counter: FlopCounterMode) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, kernels in counter.flop_counts.items():
        name = starred(path.partition(".")[2])
        if name and kernels:
            found[name] = found.get(name, 0) + sum(kernels.values())
    return found


def starred(path: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


if __name__ == "__main__":
    main(sys.argv[1:])
