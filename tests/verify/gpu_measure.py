"""Measuring a training step of tests/verify/cuda.py with torch: bytes saved, and peaks by storages and by allocator."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import activations
import torch
import transformers
from gpu_cases import AUTOCAST, ONE_KERNEL, SOURCE, Case
from memory import Live

RMS_NORMS = ("RMSNorm", "T5LayerNorm")
"""Ends of the names of the library's classes of RMSNorm."""


def model_of(case: Case, folder: Path, device: str) -> Any:
    """The model of the config.json in a folder, in training mode."""
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = getattr(transformers, case.config()["architectures"][0])
    options: dict[str, Any] = {"dtype": torch.float32 if case.mode == AUTOCAST else getattr(torch, case.mode)}
    options["attn_implementation"] = "eager" if case.attention == "eager" else "sdpa"
    torch.manual_seed(0)
    with torch.device(device):
        model = kind._from_config(config, **options)
    if case.norms == ONE_KERNEL:
        model.apply(with_torch_norms)
    if case.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model.to(device).train()


def with_torch_norms(module: torch.nn.Module) -> None:
    """Put torch's RMSNorm, one kernel on a GPU, in the place of a module's own."""
    for name, child in module.named_children():
        if type(child).__name__.endswith(RMS_NORMS):
            made = torch.nn.RMSNorm(child.weight.shape, eps=child.variance_epsilon)
            made.weight = child.weight
            setattr(module, name, made)


def inputs(model: Any, case: Case, device: str) -> dict[str, torch.Tensor]:
    """Token ids, zeros, and the same as labels where the loss is the model's own."""
    ids = torch.zeros((case.batch, case.seq_len), dtype=torch.long, device=device)
    made: dict[str, Any] = {"input_ids": ids, "use_cache": False}
    if model.config.is_encoder_decoder:
        source = torch.zeros((case.batch, SOURCE), dtype=torch.long, device=device)
        made |= {"input_ids": source, "decoder_input_ids": ids}
    return {**made, "labels": ids.clone()} if case.loss == "cross_entropy" else made


@contextlib.contextmanager
def running(case: Case, device: str) -> Iterator[None]:
    """What surrounds the forward pass: autocast if the case asks for it."""
    with torch.autocast(device, torch.bfloat16) if case.mode == AUTOCAST else contextlib.nullcontext():
        yield


def requested(device: str, what: str = "current") -> int:
    """The bytes requested of the GPU's allocator, before it rounds: `current` ones or their `peak`; 0 on a CPU."""
    return torch.cuda.memory_stats()[f"requested_bytes.all.{what}"] if device == "cuda" else 0


def start_peak(device: str) -> int:
    """Start a new peak; returns the bytes requested now."""
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    return requested(device)


class Operators(Live):
    """Follows what is alive after each operator (`Live`).

    `rows` has, for each operator, its name, the bytes alive after it, and the most that the allocator had been asked
    for while it ran, beyond what was there at the start: with the temporaries inside its kernels.
    """

    def __init__(self, before: set[int], device: str) -> None:
        super().__init__(before)
        self.device = device
        self.start = requested(device)
        self.rows: list[tuple[str, int, int]] = []

    def live(self) -> int:
        return sum(size for reference, size in self.alive.values() if not reference.expired())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        result = super().__torch_dispatch__(func, types, args, kwargs)
        during = requested(self.device, "peak") - self.start if self.device == "cuda" else 0
        self.rows.append((str(func).removeprefix("aten."), self.live(), during))
        return result


def measure(case: Case, folder: Path, device: str) -> tuple[dict[str, int], dict[str, Any]]:
    """The measured figures of a step, and details of them."""
    model = model_of(case, folder, device)
    given = inputs(model, case, device)
    cudnn = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(cudnn and case.attention != "flash")
    try:
        for _ in range(2):  # the libraries' workspaces and what is made at the first call are none of the model's
            step(model, case, given, device)
        with running(case, device):
            rows = activations.kept(model, given, lambda output: loss_of(case, output))
        found = {"saved": sum(size for size, *_ in rows), **by_storages(model, case, given, device)}
        operators = found.pop("rows")
        if device == "cuda":
            found |= step(model, case, given, device)
    finally:
        torch.backends.cuda.enable_cudnn_sdp(cudnn)
    kernels = sorted({name for name, *_ in operators if "attention" in name})
    return found, {"saved_storages": rows, "attention_kernels": kernels, "operators": operators}


def loss_of(case: Case, output: Any) -> torch.Tensor:
    return output.loss if case.loss == "cross_entropy" else output.logits.sum()


def by_storages(model: Any, case: Case, given: dict[str, Any], device: str) -> dict[str, Any]:
    """The most bytes of storages alive after an operator of the forward pass, and of the whole step."""
    model.zero_grad(set_to_none=True)
    start_peak(device)
    live = Operators(activations.there(model, given), device)
    with running(case, device), live:
        output = model(**given)
        value = loss_of(case, output)
    forward = live.peak
    del output
    gc.collect()
    with live:
        value.backward()
    model.zero_grad(set_to_none=True)
    return {"forward_storages": forward, "step_storages": live.peak, "rows": live.rows}


def step(model: Any, case: Case, given: dict[str, Any], device: str) -> dict[str, int]:
    """The most bytes requested of the allocator in the forward pass and in the whole step, and those that stay between
    the forward and the backward pass, without the loss itself."""
    model.zero_grad(set_to_none=True)
    before = start_peak(device)
    with running(case, device):
        output = model(**given)
        value = loss_of(case, output)
    forward = requested(device, "peak") - before
    del output
    held = start_peak(device) - before - value.untyped_storage().nbytes()
    value.backward()
    if device == "cuda":
        torch.cuda.synchronize()
    backward = requested(device, "peak") - before
    del value
    model.zero_grad(set_to_none=True)
    return {"held": held, "forward_peak": forward, "step_peak": max(forward, backward)}
