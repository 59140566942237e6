"""A tiny Llama with a quantised base and adapters of the peft library (QLoRA), measured on a CPU.

`python tests/verify/quantised.py` (with bitsandbytes, peft, torch and transformers) writes
tests/goldens/qlora-llama/truth.json. On a CPU bitsandbytes runs a 4-bit product in one operator, whose Python code
writes the matrix out and multiplies; that code is called in its place, so that the copy is seen.
"""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import bitsandbytes
import peft
import torch
import transformers
from activations import kept
from bitsandbytes.autograd import _functions
from bitsandbytes.backends.default.ops import _gemm_4bit_default_impl
from memory import Live
from torch import nn

FILE = Path(__file__).parents[1] / "goldens" / "qlora-llama" / "truth.json"
CONFIG = {
    **{"vocab_size": 512, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128},
}
TARGETS = (
    ["q_proj", "v_proj"],
    ["down_proj"],
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
)
SIZES = ((1, 32), (2, 48))


class Written:
    """`torch.ops.bitsandbytes` with the product as its Python code."""

    class gemm_4bit:
        default = staticmethod(_gemm_4bit_default_impl)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.ops.bitsandbytes, name)


class Torch:
    """torch, with those operators."""

    class ops:
        bitsandbytes = Written()

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def four_bit(module: nn.Linear, kind: str, double: bool, dtype: torch.dtype) -> nn.Module:
    """The layer in 4 bits."""
    layer = bitsandbytes.nn.Linear4bit(
        module.in_features, module.out_features, bias=False, compute_dtype=dtype, quant_type=kind
    )
    layer.weight = bitsandbytes.nn.Params4bit(
        module.weight.data, requires_grad=False, compress_statistics=double, quant_type=kind
    )
    return layer


def eight_bit(module: nn.Linear) -> nn.Module:
    """The layer as LLM.int8."""
    layer = bitsandbytes.nn.Linear8bitLt(module.in_features, module.out_features, bias=False, has_fp16_weights=False)
    layer.weight = bitsandbytes.nn.Int8Params(module.weight.data.half(), requires_grad=False, has_fp16_weights=False)
    return layer


def quantised(model: nn.Module, kind: str, double: bool, dtype: torch.dtype) -> nn.Module:
    """The model with the linear layers of its layers in bitsandbytes' format; the head stays."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and "layers" in name:
            around, _, last = name.rpartition(".")
            layer = eight_bit(module) if kind == "int8" else four_bit(module, kind, double, dtype)
            setattr(model.get_submodule(around), last, layer.to("cpu"))
    model.is_loaded_in_4bit, model.is_loaded_in_8bit = kind != "int8", kind == "int8"
    return model


def built(run: dict[str, Any]) -> nn.Module:
    """The run's model in training, with its adapters."""
    torch.manual_seed(0)
    dtype = getattr(torch, run["dtype"])
    kind = {"eager": "eager", "fused": "sdpa"}[run["attention"]]
    config = transformers.LlamaConfig(**CONFIG, attn_implementation=kind, use_cache=False)
    model = transformers.LlamaForCausalLM(config).to(dtype)
    model = quantised(model, run["format"], run["double"], dtype)
    model = peft.get_peft_model(model, peft.LoraConfig(r=run["rank"], target_modules=run["targets"]))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(dtype)
    if run["checkpointing"]:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.train()


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors that the 4-bit parameters have beside them."""
    found = {}
    for name, parameter in model.named_parameters():
        if isinstance(parameter, bitsandbytes.nn.Params4bit):
            own = parameter.quant_state
            found |= {f"{name}.absmax": own.absmax, f"{name}.code": own.code}
            if own.nested:
                found |= {f"{name}.absmax2": own.state2.absmax, f"{name}.code2": own.state2.code}
                found[f"{name}.offset"] = own.offset
    for name, module in model.named_modules():
        if isinstance(module, bitsandbytes.nn.Linear8bitLt):
            scales = module.state.SCB if module.state.SCB is not None else module.weight.SCB
            found[f"{name}.SCB"] = scales
    return found


def held(model: nn.Module, ids: torch.Tensor) -> int:
    """What the functions of LLM.int8's layers keep as attributes, which autograd's hooks do not see, beside what those
    see."""
    saved: set[int] = set()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved.add(tensor.untyped_storage()._cdata)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(ids).logits
    found: dict[int, int] = {}
    waiting, seen = [output.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        tensor = getattr(node, "A", None)
        if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in saved:
            found[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        waiting += [following for following, _ in node.next_functions]
    return sum(found.values())


def peaks(model: nn.Module, ids: torch.Tensor) -> tuple[int, int]:
    """The most alive in the forward pass, and in the whole step, whose gradients are made in it."""
    model.zero_grad(set_to_none=True)
    gc.collect()
    there = (*model.parameters(), *model.buffers(), *state(model).values(), ids)
    live = Live({tensor.untyped_storage()._cdata for tensor in there})
    with live:
        output = model(ids)
        result = output.logits.sum()
    forward = live.peak
    del output
    gc.collect()
    with live:
        result.backward()
    return forward, live.peak


def measure(run: dict[str, Any]) -> dict[str, int]:
    """What a run stores, trains, keeps, and its peaks."""
    model = built(run)
    ids = torch.zeros((run["batch"], run["seq"]), dtype=torch.long)
    model(ids)
    weights = sum(tensor.untyped_storage().nbytes() for tensor in (*model.parameters(), *state(model).values()))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    forward, step = peaks(model, ids)
    return {
        "parameters": weights,
        "gradients": sum(parameter.grad.untyped_storage().nbytes() for parameter in trained),
        "saved_bytes": sum(size for size, *_ in kept(model, {"input_ids": ids}, lambda output: output.logits))
        + held(model, ids),
        "forward_peak": forward,
        "step_peak": step,
    }


def runs() -> list[dict[str, Any]]:
    """Formats, adapters, attention, dtypes and sizes, and checkpointed layers."""
    found = []
    for dtype in ("float32", "bfloat16"):
        for kind, double in (("nf4", False), ("nf4", True), ("int8", False)):
            for targets in TARGETS:
                for attention in ("eager", "fused"):
                    for again in (False, True) if kind == "nf4" else (False,):
                        batch, seq = SIZES[len(found) % 2]
                        found.append(
                            {
                                **{"dtype": dtype, "format": kind, "double": double, "targets": targets, "rank": 4},
                                **{"attention": attention, "checkpointing": again, "batch": batch, "seq": seq},
                            }
                        )
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    _functions.torch = Torch()
    measured = [{**run, **measure(run)} for run in runs()]
    versions = {module.__name__: module.__version__ for module in (torch, transformers, peft, bitsandbytes)}
    lines = ",\n".join(f"  {json.dumps(run)}" for run in measured)
    head = {"name": "qlora-llama", "device": "cpu", "config": CONFIG, "versions": versions}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(f'{json.dumps(head)[:-1]},\n "runs": [\n{lines}\n]}}\n')
