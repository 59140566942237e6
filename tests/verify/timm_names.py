"""Models of timm's by their names, compared: parameters of all that are read, by name and shape, and the FLOPs of a
forward pass by module of those asked for.

    python timm_names.py                    # parameters of every name that is read
    python timm_names.py FAMILY|NAME…       # of a family's, and of names with FLOPs
    python timm_names.py --flops FAMILY     # FLOPs of all of a family
    python timm_names.py --steps FAMILY|NAME…   # FLOPs of a training step, all parameters trained
    python timm_names.py --maps FAMILY|NAME…    # of backbones: parameters, shapes of the maps, FLOPs

Prints what differs, and how many were compared.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from graphacct_torch.measuring.measured import BY_GROUP
from graphacct_vision.timm import families
from graphacct_vision.timm.tables import settings
from measure import flops_of
from timm.layers import config as layers
from torch.utils.flop_counter import FlopCounterMode

import graphacct

LABELS = 10


def ours(name: str, **options: Any) -> graphacct.Report:
    """What graphacct says of a name."""
    content = {"model_type": "timm_wrapper", "architectures": ["timm"], "architecture": name, "num_classes": LABELS}
    return graphacct.account(content, convention="matmul", **options)


def maps_differ(name: str) -> list[str]:
    """What differs of a backbone that hands on its first map and the one before the last, or its last alone."""
    import timm

    found = []
    side = timm.get_pretrained_cfg(name).input_size[1]
    count = families.module_of(name).levels(families.kind(name))
    for places in ((0, count - 2), (count - 1,)):
        content = {"model_type": "timm_backbone", "backbone": name, "out_indices": places}
        options = {"attention": "eager"} if name.startswith("swin") else {}
        report = graphacct.account(content, image_size=(side, side), convention="matmul", **options)
        with torch.device("meta"):
            model = timm.create_model(name, features_only=True, out_indices=places).eval()
        pixels = torch.zeros((1, 3, side, side), device="meta")
        found += tensors_differ(report, model, "_backbone.")
        shapes = [list(value.spec.shape) for value in graphacct.build(content, image_size=(side, side)).outputs]
        figures = (report.total["matmul_flops"], shapes)
        measured = (flops_of(model, lambda: model(pixels))["total"], [list(one.shape) for one in model(pixels)])  # noqa: B023
        found += [] if figures == measured else [f"{places}: {figures}, timm {measured}"]
    return found


def theirs(name: str) -> torch.nn.Module:
    """timm's model of a name, without memory for its weights."""
    import timm

    with torch.device("meta"):
        return timm.create_model(name, num_classes=LABELS).eval()


def parameters_differ(name: str, model: torch.nn.Module) -> list[str]:
    """The names with their shapes and counts that only one of both has."""
    return tensors_differ(ours(name, quantities=("params",)), model, "")


def tensors_differ(report: graphacct.Report, model: torch.nn.Module, before: str) -> list[str]:
    """The same of a report in which names begin with `before`."""
    found: dict[tuple[str, tuple[int, ...]], int] = defaultdict(int)
    for row in report.by_parameter:
        if not row.parameter.buffer:
            own = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", row.parameter.name.removeprefix(before))
            found[own, tuple(row.parameter.spec.shape)] += row.count
    for own, tensor in model.named_parameters():
        found[re.sub(r"(?<=\.)\d+(?=\.|$)", "*", own), tuple(tensor.shape)] -= 1
    return [f"{own} {list(shape)}: {count:+}" for (own, shape), count in found.items() if count]


def step_differs(name: str) -> list[str]:
    """The FLOPs of a training step from the sum of the logits, where they differ."""
    model = theirs(name).train()
    kind = families.kind(name)
    side = kind.image if isinstance(kind.image, tuple) else (kind.image, kind.image)
    options = {"attention": "eager"} if written(kind) else {}
    found = ours(name, phase="train", loss="sum", batch=2, quantities=("step_matmul_flops",), **options)
    with FlopCounterMode(display=False, custom_mapping=dict(BY_GROUP)) as counter:
        model(torch.zeros((2, 3, *side), device="meta")).sum().backward()
    figures = found.total["step_matmul_flops"], counter.get_total_flops()
    return [] if figures[0] == figures[1] else [f"a step: {figures[0]}, timm {figures[1]}"]


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
    flags = {word for word in words if word.startswith("--")}
    every, handed_on = "--flops" in flags, "--maps" in flags
    words = [word for word in words if not word.startswith("--")]
    compared, failed = [0, 0], 0
    if handed_on or "--steps" in flags:
        for name in names(words):
            differ = maps_differ(name) if handed_on else step_differs(name)
            failed += bool(differ)
            for line in differ[:6]:
                print(f"{name}: {line}", flush=True)
        print(f"{len(names(words))} {'backbones' if handed_on else 'steps'} compared; {failed} differ")
        return
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
