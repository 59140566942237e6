"""Truth of every class of the encoders, encoder-decoders and towers: `python tests/verify/classes.py > FILE.json`.

One small configuration of each class, drawn as in random_encoders.py, with what torch measures of the library's model.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import transformers
from measure import flops_of, parameters
from random_encoders import CLASSES, drawn, given, workloads
from truth import model_from, train_step

OUTSIDE = ("resnet", "convnext", "mamba", "mamba2", "jamba")
"""Families of plugins, which have tests of their own."""


def row(family: str, name: str) -> dict[str, Any]:
    """A configuration of the class, a workload and what is measured."""
    content = drawn(family, Random(name), name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(content))
        model = model_from(transformers.AutoConfig.from_pretrained(folder))
    sizes = workloads(content)[0]
    inputs = given(model, sizes)
    found = parameters(model)
    forward = flops_of(model, lambda: model(**inputs))
    tensors = found["by_parameter_pattern"].items()
    return {
        "config": content,
        "workload": sizes,
        "params": found["total"],
        "tensors": {pattern: [alike["tensors"], alike["shape"]] for pattern, alike in tensors},
        "tied_names": found["tied_names"],
        "forward": forward["total"],
        "by_module": {path: figures for path, figures in forward["by_module"].items() if path.count(".") < 2},
        "train_step": train_step(model, inputs)["total"],
    }


def main() -> None:
    print("[")
    names = [(family, name) for family, names in CLASSES.items() if family not in OUTSIDE for name in names]
    for index, (family, name) in enumerate(names):
        print(json.dumps(row(family, name), separators=(",", ":")), end=",\n" if index + 1 < len(names) else "\n")
    print("]")


if __name__ == "__main__":
    main()
