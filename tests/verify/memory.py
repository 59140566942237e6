"""Measuring a torch model on the CPU: what its backward pass keeps, and what is alive while it runs forward."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def known(model: torch.nn.Module, ids: torch.Tensor) -> set[int]:
    """The storages that are there before the model runs: parameters, buffers and inputs."""
    return {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers(), ids)}


def saved_bytes(model: torch.nn.Module, ids: torch.Tensor, logits: Callable[[Any], torch.Tensor]) -> int:
    """The bytes of the storages that autograd keeps from a forward pass, each once, and of new ones alone."""
    before = known(model, ids)
    found: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in before:
            found[storage._cdata] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        result = logits(model(ids))
    total = sum(storage.nbytes() for storage in found.values())
    del result
    return total


class Live(TorchDispatchMode):
    """Follows the storages that operators put out while it is on, and those of the tensors in `alive`; `peak` is the
    most bytes of them that were alive after an operator."""

    def __init__(self, before: set[int], alive: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.before = before
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0
        for tensor in alive:
            self.follow(tensor)

    def follow(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.before:
            self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.follow(tensor)
        self.alive = {key: item for key, item in self.alive.items() if not item[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return result


def forward_peak(
    model: torch.nn.Module, ids: torch.Tensor, logits: Callable[[Any], torch.Tensor], training: bool
) -> int:
    """The most bytes alive after an operator of the forward pass; in training up to the sum of the logits."""
    gc.collect()
    live = Live(known(model, ids))
    with torch.set_grad_enabled(training), live:
        output = model(ids)
        result = logits(output).sum() if training else output
    del output, result
    return live.peak


def step_peak(model: torch.nn.Module, ids: torch.Tensor, logits: Callable[[Any], torch.Tensor]) -> int:
    """The most bytes alive after an operator of a whole step without gradients at its start: the forward pass up to the
    sum of the logits, all but that given up, and the backward pass."""
    model.zero_grad(set_to_none=True)
    gc.collect()
    live = Live(known(model, ids))
    with live:
        output = model(ids)
        result = logits(output).sum()
    del output
    gc.collect()
    with live:
        result.backward()
    return live.peak


def sums(model: torch.nn.Module, ids: torch.Tensor, logits: Callable[[Any], torch.Tensor]) -> tuple[int, int]:
    """How many additions into a new tensor and in place the backward pass runs when no mode watches it."""
    model.zero_grad(set_to_none=True)
    result = logits(model(ids)).sum()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        result.backward()
    names = [event.name for event in profile.events()]
    return names.count("aten::add"), names.count("aten::add_")


def prefill_peak(model: torch.nn.Module, ids: torch.Tensor) -> tuple[int, int]:
    """The most bytes alive after an operator of a forward pass that fills a cache, and the cache's bytes."""
    gc.collect()
    live = Live(known(model, ids))
    with torch.no_grad(), live:
        output = model(ids, use_cache=True)
    return live.peak, sum(tensor.untyped_storage().nbytes() for tensor in cached(output.past_key_values))


def decode_peak(model: torch.nn.Module, ids: torch.Tensor) -> tuple[int, int]:
    """The same of the step that appends the last of the tokens to a cache of all before it, that cache alive."""
    new = ids[:, -1:].clone()
    with torch.no_grad():
        cache = model(ids[:, :-1], use_cache=True).past_key_values
    gc.collect()
    live = Live(known(model, new), cached(cache))
    with torch.no_grad(), live:
        output = model(new, past_key_values=cache, use_cache=True)
    return live.peak, sum(tensor.untyped_storage().nbytes() for tensor in cached(output.past_key_values))


def cached(cache: Any) -> list[torch.Tensor]:
    """The keys and values of all layers."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
