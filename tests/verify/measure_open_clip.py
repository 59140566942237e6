"""Truth of open_clip's models: `python tests/verify/measure_open_clip.py`.

Reads tests/goldens/open_clip/truth.json, builds each case's `model_cfg` with open_clip on the meta device, and writes
what torch's counter says into the same file: tensors, FLOPs of a forward pass and of a step from the sum of the
outputs. A text model of the transformers library is built from `hf_model_config`, which open_clip downloads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
import transformers
from graphacct_torch.measuring.measured import BY_GROUP
from open_clip import hf_model
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

TRUTH = Path(__file__).parents[1] / "goldens" / "open_clip" / "truth.json"
BATCH = 2


class Stated:
    """In the place of the library's AutoConfig: a configuration by its keys."""

    keys: dict[str, Any]

    @classmethod
    def from_pretrained(cls, _: str) -> Any:
        """The configuration whose text model is built, with attention written out."""
        rest = {key: value for key, value in cls.keys.items() if key != "model_type"}
        config = transformers.AutoConfig.for_model(cls.keys["model_type"], **rest)
        config._attn_implementation = "eager"
        return config


def built(model_cfg: dict[str, Any]) -> torch.nn.Module:
    """The model of a file, as open_clip's factory chooses its class, without dropout."""
    content = json.loads(json.dumps(model_cfg))
    text = content["text_cfg"]
    named = "hf_model_name" in text
    if named:
        text["hf_model_pretrained"] = False
        Stated.keys = text.pop("hf_model_config")
    custom = content.pop("custom_text", False) or named
    kind = (CoCa if "multimodal_cfg" in content else CustomTextCLIP) if custom else CLIP
    with torch.device("meta"):
        model: torch.nn.Module = kind(**content)
    for module in model.to("meta").train().modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def measured(model_cfg: dict[str, Any]) -> dict[str, Any]:
    """What one model has and does."""
    model = built(model_cfg)
    height, width = open_clip.utils.to_2tuple(model.visual.image_size)
    pixels = torch.zeros((BATCH, 3, height, width), device="meta")
    ids = torch.ones((BATCH, model_cfg["text_cfg"].get("context_length", 77)), dtype=torch.long, device="meta")

    def outputs() -> list[torch.Tensor]:
        with sdpa_kernel(SDPBackend.MATH):  # torch's counter sees no fused attention on the meta device
            found = model(pixels, ids)
        return [*(value for key, value in found.items() if key != "labels")] if isinstance(found, dict) else [*found]

    with FlopCounterMode(display=False) as forward, torch.no_grad():
        outputs()
    with FlopCounterMode(display=False, custom_mapping=dict(BY_GROUP)) as step:
        sum(value.sum() for value in outputs()).backward()
    tensors = {name: [*tensor.shape] for name, tensor in model.named_parameters()}
    return {
        "params": sum(tensor.numel() for tensor in model.parameters()),
        "forward": forward.get_total_flops(),
        "step": step.get_total_flops(),
        "tensors": tensors,
    }


def main() -> None:
    hf_model.AutoConfig = Stated
    transformers.masking_utils._ignore_bidirectional_mask_sdpa = lambda *_, **__: False  # it reads values
    cases = json.loads(TRUTH.read_text())["cases"]
    for case in cases:
        case |= measured(case["model_cfg"])
        print(case["params"], case["forward"], case["step"], flush=True)
    rows = ",\n".join("  " + json.dumps(case, separators=(",", ":")) for case in cases)
    TRUTH.write_text(f'{{"open_clip": "{open_clip.__version__}", "cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
