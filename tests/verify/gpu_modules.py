"""Captured modules against a GPU: `python tests/verify/gpu_modules.py OUT.json`, and `--help` for more.

graphacct-torch captures each module on a CPU, without data, and says what a training step takes under the profile
torch-eager-cuda. Then the module runs on the GPU, without cuDNN's attention, which not all GPUs take. The figures are
those of tests/verify/cuda.py; a step starts at the sum of all outputs that carry a gradient. The modules are the cases
of graphacct-torch's tests, those of gpu_attention.py and gpu_kernel.py, and tiny models of transformers. The
repository and its plugins on PYTHONPATH do. `--device cpu` compares the figures of storages with torch-eager-cpu.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TORCH_CUBLASLT_UNIFIED_WORKSPACE", "1")
if __name__ == "__main__":
    HERE = sys.path.pop(0)
    import torch  # which may import NVIDIA's package cuda: this folder, with its cuda.py, is not on the path yet

    sys.path.insert(0, HERE)
import gpu_attention
import gpu_kernel
import torch
from cuda import FIGURES, line, saved_differences, summary, versions, written
from gpu_expected import figures_of, loaded_plugins
from gpu_measure import Operators, requested, start_peak
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves, tree_map_only

import graphacct
from graphacct.hooks.manager import Plugins

CASES = Path(__file__).parents[2] / "plugins" / "graphacct-torch" / "tests" / "cases"
TEXT = {"vocab_size": 512, "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4}
LIBRARY: dict[str, dict[str, Any]] = {
    "gpt2": {
        **{"architectures": ["GPT2LMHeadModel"], "vocab_size": 512, "n_positions": 128, "n_embd": 64, "n_layer": 2},
        **{"n_head": 4, "bos_token_id": 0, "eos_token_id": 0},
    },
    "llama": {**TEXT, "architectures": ["LlamaForCausalLM"], "intermediate_size": 176, "num_key_value_heads": 2},
    "bert": {**TEXT, "architectures": ["BertForMaskedLM"], "intermediate_size": 256},
    "vit": {**TEXT, "architectures": ["ViTForImageClassification"], "intermediate_size": 256, "image_size": 64},
    "t5": {
        **{"architectures": ["T5ForConditionalGeneration"], "vocab_size": 512, "d_model": 64, "d_kv": 16, "d_ff": 176},
        **{"num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
    },
}
"""Configurations of tiny models, by the library's name of the family."""
SIZES = {"batch": 2, "seq_len": 48, "encoder_seq_len": 24}
Made = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A module.

    Attributes:
        title: What it is.
        make: Returns it with its positional and keyword inputs, all on the default device.
        captured: The same for the capture, without memory for weights; `make` unless given.
        dtype: The dtype that its floating-point tensors are cast to; as they are made unless given.
    """

    title: str
    make: Callable[[], Made]
    captured: Callable[[], Made]
    dtype: str = ""


def cases() -> Iterator[Case]:
    for path in sorted(CASES.glob("*/model.py")):
        spec = importlib.util.spec_from_file_location(f"case_{path.parent.name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield Case(path.parent.name, module.factory, module.factory)
    yield Case("triton, launches costed", gpu_kernel.launches, gpu_kernel.launches)
    yield Case("triton, function costed", gpu_kernel.whole, gpu_kernel.whole)
    for name, (make, dtypes) in gpu_attention.MODULES.items():
        for dtype in dtypes:
            yield Case(f"{name}, {dtype}", make, make, dtype)
    for family in LIBRARY:
        for attention in ("eager", "sdpa"):
            for dtype in ("float32", "bfloat16", "float16") if family == "llama" else ("float32", "bfloat16"):
                real, meta = (partial(of_library, family, attention, meta) for meta in (False, True))
                yield Case(f"{family}, {attention}, {dtype}", real, meta, dtype)


def of_library(family: str, attention: str, meta: bool) -> Made:
    """A tiny model of the transformers library in training mode."""
    from graphacct_torch.reading import library
    from graphacct_torch.reading.inputs import library_inputs
    from graphacct_torch.reading.sizes import sizes_of

    config = library.config_of({"model_type": family, "use_cache": False, **LIBRARY[family]})
    torch.manual_seed(0)
    if meta:
        module = library.built(config, attention)
    else:
        module = library.class_of(config)._from_config(config, attn_implementation=attention)  # type: ignore[attr-defined]
    args, kwargs = library_inputs(module, sizes_of(config, SIZES), None)
    return module.train(), args, kwargs


def expected(case: Case, device: str, plugins: Plugins) -> tuple[dict[str, int], dict[str, Any]]:
    """What graphacct says of the step."""
    from graphacct_torch.building.build import without_weights

    with without_weights():
        made = case.captured()
    graph = graphacct.build(
        made, phase="train", loss="sum", plugins=plugins, **({"dtype": case.dtype} if case.dtype else {})
    )
    return figures_of(graph, f"torch-eager-{device}", "none", device, plugins)


def measure(case: Case, device: str) -> tuple[dict[str, int], dict[str, Any]]:
    """The measured figures of the step, and details of them."""
    from graphacct_torch.training.step import summed

    with torch.device(device):
        module, args, kwargs = case.make()

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        tensor = torch.zeros_like(tensor, device=device) if tensor.is_meta else tensor
        wanted = getattr(torch, case.dtype) if case.dtype and tensor.is_floating_point() else None
        return tensor.to(device, wanted)

    args, kwargs = tree_map_only(torch.Tensor, moved, (args, kwargs))
    module = module.to(device, getattr(torch, case.dtype) if case.dtype else None)
    there = {
        tensor.untyped_storage()._cdata
        for tensor in (*module.parameters(), *module.buffers(), *tree_leaves((args, kwargs)))
        if isinstance(tensor, torch.Tensor)
    }

    def forward() -> torch.Tensor:
        return summed(module(*args, **kwargs))

    for _ in range(2):  # workspaces, and what is made at the first call
        forward().backward()
        module.zero_grad(set_to_none=True)
    kept: dict[int, tuple[torch.UntypedStorage, str, list[int]]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in there:
            kept.setdefault(storage._cdata, (storage, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)))
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        value = forward()
    rows = [(storage.nbytes(), dtype, shape) for storage, dtype, shape in kept.values()]
    del value
    kept.clear()
    start_peak(device)
    live = Operators(there, device)
    with live:
        value = forward()
    found = {"saved": sum(size for size, *_ in rows), "forward_storages": live.peak}
    gc.collect()
    with live:
        value.backward()
    found["step_storages"] = live.peak
    del value
    module.zero_grad(set_to_none=True)
    if device == "cuda":
        before = start_peak(device)
        value = forward()
        found["forward_peak"] = requested(device, "peak") - before
        found["held"] = start_peak(device) - before - value.untyped_storage().nbytes()
        value.backward()
        torch.cuda.synchronize()
        found["step_peak"] = max(found["forward_peak"], requested(device, "peak") - before)
    return found, {"saved_storages": rows, "operators": live.rows}


def compared(case: Case, device: str, plugins: Plugins) -> tuple[dict[str, Any], dict[str, Any]]:
    """A case's figures, measured and ours, and details; an error in their place if there is one."""
    row: dict[str, Any] = {"case": case.title}
    details: dict[str, Any] = {}
    for what, run in (
        ("ours", lambda: expected(case, device, plugins)),
        ("measured", lambda: measure(case, device)),
    ):
        try:
            row[what], details[what] = run()
        except Exception as error:  # one that fails must not stop the rest
            row[f"{what}_error"] = f"{type(error).__name__}: {error}"[:500]
    if "ours" in row and "measured" in row:
        row["difference"] = {key: value - row["ours"][key] for key, value in row["measured"].items()}
        if row["difference"]["saved"]:
            row["saved_differs"] = saved_differences(details)
    return row, details


def on_the_gpu() -> dict[str, str]:
    """What is said of modules that need a GPU, where there is one."""

    class Moves(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.cuda())

    def said(*model: Any) -> str:
        try:
            return f"captured: {graphacct.account(model).total['matmul_flops']} FLOPs"
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    x = torch.zeros(2, 4)
    found = {"calls .cuda()": said(Moves(4, 4), (x,))}
    if torch.cuda.is_available():
        found["lies on the GPU"] = said(nn.Linear(4, 4).cuda(), (x.cuda(),))
        found["its input lies on the GPU"] = said(nn.Linear(4, 4), (x.cuda(),))
        found["makes a tensor on the GPU"] = said(nn.Linear(4, 4, device="cuda"), (x,))
        gate, up = (torch.randn(2, 16, 96, device="cuda", requires_grad=True) for _ in range(2))
        out = gpu_kernel.Gated.apply(gate, up)
        ours = torch.autograd.grad(out.sum(), (gate, up))
        wanted = nn.functional.silu(gate) * up
        torchs = torch.autograd.grad(wanted.sum(), (gate, up))
        found["the kernel, at most off by"] = str(
            max(float((one - other).abs().max()) for one, other in zip((out, *ours), (wanted, *torchs), strict=True))
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the JSON file to write; OUT.details.json.gz goes beside it")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--only", default="", help="the cases alone whose title has this text")
    asked = parser.parse_args()
    head, plugins, began = versions(asked.device), loaded_plugins(), time.monotonic()
    if "graphacct-torch" not in [plugin.name for plugin in plugins.loaded]:
        plugins.register(importlib.import_module("graphacct_torch"), "graphacct-torch", "this repository")
    print(json.dumps(head), flush=True)
    shown = [key for key in FIGURES if asked.device == "cuda" or key == "saved" or "storages" in key]
    print("measured (what it is above graphacct's):", " | ".join(shown), flush=True)
    torch.backends.cuda.enable_cudnn_sdp(False)
    rows: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    for case in cases():
        if asked.only in case.title:
            row, details[case.title] = compared(case, asked.device, plugins)
            rows.append(row)
            print(f"{case.title}\n    {line(row)}", flush=True)
            gc.collect()
    head["on_the_gpu"] = on_the_gpu()
    print(json.dumps(head["on_the_gpu"], indent=1))
    print(f"{summary(rows)}; {time.monotonic() - began:.0f} s")
    written(asked.out, {**head, "cases": rows}, details)


if __name__ == "__main__":
    main()
