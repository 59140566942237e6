"""Measuring a torch model on the meta device: its parameters, and the FLOPs that torch's counter sees."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def pattern(name: str) -> str:
    """A name with its indices written as `*`."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def parameters(model: torch.nn.Module) -> dict[str, Any]:
    """Total, tied names, and name by name the elements, tensors and shape, as a truth.json has them."""
    once = dict(model.named_parameters())
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    rows: dict[str, dict[str, Any]] = {}
    for name, tensor in once.items():
        row = rows.setdefault(pattern(name), {"params": 0, "tensors": 0, "shape": list(tensor.shape)})
        row["shape"] = row["shape"] if row["shape"] == list(tensor.shape) else "varies"
        row["params"] += tensor.numel()
        row["tensors"] += 1
    return {
        "total": sum(tensor.numel() for tensor in once.values()),
        "tied_names": sorted({pattern(name) for name in names if name not in once}),
        "by_parameter_pattern": rows,
    }


def flops(model: torch.nn.Module, batch: int, seq_len: int) -> dict[str, Any]:
    """Total, by kernel, and by module with `(root)` for the model, as an entry of a truth.json's `forward` has them."""
    ids = torch.zeros((batch, seq_len), dtype=torch.long, device="meta")
    # Without a mask transformers looks into the positions for packed sequences, and a meta tensor has no values.
    options = {"attention_mask": torch.ones_like(ids)} if hasattr(model, "config") else {}
    return flops_of(model, lambda: model(ids, **options))


def flops_of(model: torch.nn.Module, run: Callable[[], Any]) -> dict[str, Any]:
    """The same of what a function runs on the model, without gradients."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:  # a view of one has no node to follow where there are no gradients
        parameter.requires_grad_(False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    for parameter in trained:
        parameter.requires_grad_(True)
    counts = counter.get_flop_counts()
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    root = type(model).__name__
    for name, kernels in counts.items():
        if name == "Global":
            continue
        path = re.sub(rf"^{root}\.?", "", pattern(name)) or "(root)"
        sums[path][0] += sum(kernels.values())
        sums[path][1] += 1
    return {
        "total": counter.get_total_flops(),
        "by_op": {str(kernel): count for kernel, count in counts["Global"].items()},
        "by_module": {path: row for path, row in sums.items() if row[0]},
    }
