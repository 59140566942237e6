"""Models of timm's by their names, compared: parameters of all that are read, by name and shape, and the FLOPs of a
forward pass by module of those asked for.

    python timm_names.py                    # parameters of every name that is read
    python timm_names.py FAMILY|NAME…       # of a family's, and of names with FLOPs
    python timm_names.py --flops FAMILY     # FLOPs of all of a family

Prints what differs, and how many were compared.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from graphacct_vision.timm import families
from graphacct_vision.timm.tables import settings
from measure import flops_of
from timm.layers import config as layers

import graphacct

LABELS = 10


def ours(name: str, **options: Any) -> graphacct.Report:
    """What graphacct says of a name."""
    content = {"model_type": "timm_wrapper", "architectures": ["timm"], "architecture": name, "num_classes": LABELS}
    return graphacct.account(content, convention="matmul", **options)


def theirs(name: str) -> torch.nn.Module:
    """timm's model of a name, without memory for its weights."""
    import timm

    with torch.device("meta"):
        return timm.create_model(name, num_classes=LABELS).eval()


def parameters_differ(name: str, model: torch.nn.Module) -> list[str]:
    """The names with their shapes and counts that only one of both has."""
    found: dict[tuple[str, tuple[int, ...]], int] = defaultdict(int)
    for row in ours(name, quantities=("params",)).by_parameter:
        if not row.parameter.buffer:
            found[re.sub(r"(?<=\.)\d+(?=\.|$)", "*", row.parameter.name), tuple(row.parameter.spec.shape)] += row.count
    for own, tensor in model.named_parameters():
        found[re.sub(r"(?<=\.)\d+(?=\.|$)", "*", own), tuple(tensor.shape)] -= 1
    return [f"{own} {list(shape)}: {count:+}" for (own, shape), count in found.items() if count]


def flops_differ(name: str, model: torch.nn.Module) -> list[str]:
    """The modules whose FLOPs differ, each with ours and timm's."""
    kind = families.kind(name)
    side = kind.image if isinstance(kind.image, tuple) else (kind.image, kind.image)
    found = ours(name, quantities=("matmul_flops",), **({"attention": "eager"} if written(kind) else {}))
    measured = flops_of(model, lambda: model(torch.zeros((1, 3, *side), device="meta")))
    own = {row.path: row.values["matmul_flops"] for row in found.by_scope}
    differ = (
        []
        if found.total["matmul_flops"] == measured["total"]
        else [f"in all: {found.total['matmul_flops']}, timm {measured['total']}"]
    )
    return differ + [
        f"{path}: {own[path]}, timm {figures[0]}"
        for path, figures in measured["by_module"].items()
        if path in own and figures[0] not in (own[path], own[path] + own.get(f"{path}.*", 0))
    ]  # a module's numbered parts have a row beside its own


def written(kind: Any) -> bool:
    """Whether a model has attention that can be written out."""
    return hasattr(kind, "heads")


def names(words: list[str]) -> list[str]:
    """The names that words stand for: a family's, or themselves."""
    return [name for word in words for name in (settings(word) if word in families.FAMILIES else (word,))]


def main(words: list[str]) -> None:
    layers.set_fused_attn(False)
    every = "--flops" in words
    words = [word for word in words if word != "--flops"]
    compared, failed = [0, 0], 0
    checks: tuple[Callable[[str, torch.nn.Module], list[str]], ...] = (parameters_differ, flops_differ)
    for name in names(words or list(families.FAMILIES)):
        model = theirs(name)
        for place, check in enumerate(checks):
            if place and not (every or name in words):
                continue
            try:
                differ = check(name, model)
            except graphacct.GraphacctError as error:
                differ = [str(error)]
            compared[place] += 1
            failed += bool(differ)
            for line in differ[:6]:
                print(f"{name} {check.__name__}: {line}", flush=True)
    print(f"{compared[0]} names' parameters, {compared[1]} names' FLOPs compared; {failed} differ")


if __name__ == "__main__":
    main(sys.argv[1:])
