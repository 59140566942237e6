"""Small models with adapters of the peft library, measured: `python tests/verify/peft_settings.py` reads the cases in
tests/goldens/peft/truth.json and writes them anew.

Each case is a config.json and an adapter_config.json; measured are all parameters and those that are trained, and the
FLOPs of a forward pass and of a step from the sum of the outputs, of 2 sequences of 7 tokens.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

TRUTH = Path(__file__).parents[1] / "goldens" / "peft" / "truth.json"
KINDS = {"LORA": peft.LoraConfig, "IA3": peft.IA3Config}


def measured(case: dict[str, Any]) -> dict[str, Any]:
    """The case with its figures."""
    keys, settings = dict(case["config"]), dict(case["adapter"])
    (name,) = keys.pop("architectures")
    config = transformers.AutoConfig.for_model(**keys)
    model = getattr(transformers, name)._from_config(config, attn_implementation="eager").train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    adapted = peft.get_peft_model(model, copy.deepcopy(KINDS[settings.pop("peft_type")](**settings)))
    parameters = list(adapted.parameters())
    ids = torch.zeros((2, 7), dtype=torch.long)
    given = {"input_ids": ids, **({"decoder_input_ids": ids} if config.is_encoder_decoder else {})}
    with FlopCounterMode(display=False) as counter:
        logits = adapted(**given).logits
        forward = counter.get_total_flops()
        logits.sum().backward()
    return {
        "config": case["config"],
        "adapter": case["adapter"],
        "params": sum(item.numel() for item in parameters),
        "trained": sum(item.numel() for item in parameters if item.requires_grad),
        "forward": forward,
        "step": counter.get_total_flops(),
    }


def main() -> None:
    cases = [json.dumps(measured(case)) for case in json.loads(TRUTH.read_text())["cases"]]
    lines = ",\n".join(f"  {case}" for case in cases)
    TRUTH.write_text(f'{{"peft": "{peft.__version__}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
