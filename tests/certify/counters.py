"""What the popular counters say of a model, run as their own pages show: `python counters.py` prints JSON.

The models are built from published configurations with random weights, in float32, with the library's default attention
(fused), which is what somebody who counts a model today has in front of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

SEQ_LEN = 128
IMAGE_SIZE = 224


class Logits(torch.nn.Module):
    """A model that takes one tensor and gives one, which is what tracers can follow."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)[0]


def of_torch(model: torch.nn.Module, x: torch.Tensor) -> dict[str, Any]:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return {"flops": counter.get_total_flops()}


def of_fvcore(model: torch.nn.Module, x: torch.Tensor) -> dict[str, Any]:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, x)
    flops = int(analysis.total())
    return {"flops": flops, "params": parameter_count(model)[""], "skipped": dict(analysis.unsupported_ops())}


def of_ptflops(model: torch.nn.Module, x: torch.Tensor) -> dict[str, Any]:
    from ptflops import get_model_complexity_info

    size = tuple(x.shape[1:])
    macs, params = get_model_complexity_info(
        model,
        size,
        as_strings=False,
        print_per_layer_stat=False,
        backend="pytorch",
        input_constructor=lambda _: {"x": x},
    )
    return {"flops": int(macs), "params": int(params)}


def of_calflops(model: torch.nn.Module, x: torch.Tensor) -> dict[str, Any]:
    from calflops import calculate_flops

    flops, macs, params = calculate_flops(
        model=model, args=[x], print_results=False, print_detailed=False, output_as_string=False
    )
    return {"flops": int(flops), "macs": int(macs), "params": int(params)}


def of_thop(model: torch.nn.Module, x: torch.Tensor) -> dict[str, Any]:
    from thop import profile

    macs, params = profile(model, inputs=(x,), verbose=False)
    return {"flops": int(macs), "params": int(params)}


def of_torchinfo(model: torch.nn.Module, x: torch.Tensor) -> dict[str, Any]:
    from torchinfo import summary

    found = summary(model, input_data=x, verbose=0)
    return {"flops": int(found.total_mult_adds), "params": int(found.total_params)}


COUNTERS: dict[str, Callable[[torch.nn.Module, torch.Tensor], dict[str, Any]]] = {
    "torch.utils.flop_counter": of_torch,
    "fvcore": of_fvcore,
    "ptflops": of_ptflops,
    "calflops": of_calflops,
    "thop": of_thop,
    "torchinfo": of_torchinfo,
}


def build(folder: Path) -> tuple[torch.nn.Module, torch.Tensor]:
    """The model of a config.json and an input."""
    config = transformers.AutoConfig.from_pretrained(folder)
    config.use_cache = False
    kind = getattr(transformers, config.architectures[0])
    model = kind._from_config(config, dtype=torch.float32).eval()
    if model.main_input_name == "pixel_values":
        return Logits(model), torch.zeros(1, config.num_channels, IMAGE_SIZE, IMAGE_SIZE)
    return Logits(model), torch.zeros(1, SEQ_LEN, dtype=torch.long)


def count(folder: Path) -> dict[str, Any]:
    """What each counter says; its error where it cannot."""
    found: dict[str, Any] = {}
    for name, counter in COUNTERS.items():
        model, x = build(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
                found[name] = counter(model, x)
        except Exception as error:
            found[name] = {"error": f"{type(error).__name__}: {str(error).splitlines()[0][:100] if str(error) else ''}"}
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({Path(name).name: count(Path(name)) for name in sys.argv[1:]}, indent=1))
