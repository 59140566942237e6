"""What torch keeps in 16 bits and under autocast, on the CPU: runs of tiny models, measured.

`python tests/verify/precision.py` prints them all, as tests/goldens/act-precision/truth.json has them.
"""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import torch
from memory import Live, known
from modules import WorksheetLM
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

GPT2 = {"vocab_size": 101, "n_positions": 64, "n_embd": 48, "n_layer": 3, "n_head": 6}
WORKSHEET = {"vocab_size": 101, "context_length": 64, "d_model": 48, "n_layer": 3, "n_head": 6, "d_ff": 80}
DROPOUT = ("attn_pdrop", "resid_pdrop", "embd_pdrop")
SIZES = ((1, 24), (2, 40))
AUTOCAST = "autocast"
NO_GRAD = "none"
MODES = ("bfloat16", "float16", AUTOCAST)
"""The model in this dtype, or in float32 under torch.autocast("cpu", torch.bfloat16)."""


def runs() -> Iterator[dict[str, Any]]:
    """The runs, without what is measured."""
    for mode in MODES:
        for batch, seq_len in SIZES:
            sizes = {"mode": mode, "batch": batch, "seq_len": seq_len}
            for attention in ("eager", "fused"):
                for p in (0.0, 0.1):
                    for loss in ("sum", "cross_entropy"):
                        yield {"model": "gpt2", **sizes, "attention": attention, "dropout": p, "loss": loss}
                if (mode, attention) != (AUTOCAST, "eager"):  # see "What is not modelled" in docs/memory.md
                    yield {"model": "gpt2", **sizes, "attention": attention, "dropout": 0.0, "loss": NO_GRAD}
            yield {"model": "transformer-lm", **sizes, "attention": "eager", "dropout": 0.0, "loss": "sum"}


def gpt2(attention: str, p: float) -> torch.nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokens = {"bos_token_id": None, "eos_token_id": None}  # the defaults are beyond this vocabulary
    kind = {"eager": "eager", "fused": "sdpa"}[attention]
    config = GPT2Config(**GPT2, **dict.fromkeys(DROPOUT, p), **tokens, attn_implementation=kind, use_cache=False)
    return GPT2LMHeadModel(config)


def measure(run: dict[str, Any]) -> dict[str, int]:
    """Bytes that a run keeps: activations, copies of parameters, each with its number of storages; and its peak."""
    mode = run["mode"]
    model = gpt2(run["attention"], run["dropout"]) if run["model"] == "gpt2" else WorksheetLM(**WORKSHEET)
    model = model.train().to(torch.float32 if mode == AUTOCAST else getattr(torch, mode))
    ids = torch.zeros((run["batch"], run["seq_len"]), dtype=torch.long)

    def step() -> Any:
        inside = torch.autocast("cpu", torch.bfloat16) if mode == AUTOCAST else contextlib.nullcontext()
        with inside, torch.set_grad_enabled(run["loss"] != NO_GRAD):
            if run["loss"] == NO_GRAD:
                return model.eval()(ids)
            if run["loss"] == "cross_entropy":
                return model(ids, labels=ids).loss
            output = model(ids)
            return (output.logits if run["model"] == "gpt2" else output).sum()

    step()  # what is imported at the first call is none of the model's
    return {**saved(model, ids, step), "forward_peak": peak(model, ids, step)}


class Casts(TorchDispatchMode):
    """Follows the copies of parameters that are made in another dtype while it is on."""

    def __init__(self, parameters: set[int]) -> None:
        super().__init__()
        self.parameters = parameters
        self.copies: dict[int, torch.UntypedStorage] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].untyped_storage()._cdata in self.parameters:
            storage = result.untyped_storage()
            self.copies[storage._cdata] = storage
        return result


def saved(model: torch.nn.Module, ids: torch.Tensor, step: Callable[[], Any]) -> dict[str, int]:
    """The new storages that autograd keeps, each once; those of parameters' copies told apart."""
    before = known(model, ids)
    found: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in before:
            found[storage._cdata] = storage
        return tensor

    casts = Casts({parameter.untyped_storage()._cdata for parameter in model.parameters()})
    with casts, saved_tensors_hooks(keep, lambda tensor: tensor):
        result = step()
    copies = [storage.nbytes() for key, storage in found.items() if key in casts.copies]
    others = [storage.nbytes() for key, storage in found.items() if key not in casts.copies]
    del result
    return {
        "activation_bytes": sum(others),
        "activation_storages": len(others),
        "copy_bytes": sum(copies),
        "copy_storages": len(copies),
    }


def peak(model: torch.nn.Module, ids: torch.Tensor, step: Callable[[], Any]) -> int:
    """The most bytes alive after an operator of the step."""
    gc.collect()
    live = Live(known(model, ids))
    with live:
        result = step()
    del result
    return live.peak


if __name__ == "__main__":
    measured = [{**run, **measure(run)} for run in runs()]
    sizes = {"gpt2": GPT2, "transformer-lm": WORKSHEET}
    print(json.dumps({"torch": torch.__version__, "device": "cpu", "sizes": sizes, "runs": measured}, indent=1))
