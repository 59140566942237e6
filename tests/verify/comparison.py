"""A model of the transformers library and a file of its configuration, compared: what the random ones share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from measure import parameters, pattern

import graphacct


def accounted(folder: Path, **options: Any) -> graphacct.Report:
    """The folder's model, counted as torch's counter does; with attention written out unless the options say."""
    return graphacct.account(folder, convention="matmul", **options)


def same_parameters(found: graphacct.Report, model: torch.nn.Module) -> None:
    """Names, shapes and counts, with `*` for every index, and which share another's storage."""
    measured = parameters(model)
    ours: dict[str, dict[str, Any]] = {}
    for row in found.by_parameter:
        if not row.parameter.tied_to and not row.parameter.buffer:
            name = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", row.parameter.name)
            alike = ours.setdefault(name, {"params": 0, "tensors": 0, "shape": list(row.parameter.spec.shape)})
            alike["shape"] = alike["shape"] if alike["shape"] == list(row.parameter.spec.shape) else "varies"
            alike["params"] += row.parameter.spec.elements * row.count
            alike["tensors"] += row.count
    assert ours == measured["by_parameter_pattern"]
    assert found.total["params"] == measured["total"]
    tied = {pattern(row.parameter.name) for row in found.by_parameter if row.parameter.tied_to}
    assert sorted(tied) == measured["tied_names"]
