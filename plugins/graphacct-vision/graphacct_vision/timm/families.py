"""Which family a name of timm's is of. A family is a module with `named(name)`, `build(kind, …)` and a table."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from graphacct import Builder, Dim, Value, Workload, brief, suggest
from graphacct_vision.timm.tables import plain, settings

FAMILIES = {
    "resnet": "ResNets, ResNeXts and others",
    "vit": "ViTs, DeiT, SigLIP, DINOv2 and v3, EVA, BEiT",
    "convnext": "ConvNeXt and V2",
    "efficientnet": "EfficientNets and MobileNets v1 to v4",
    "swin": "Swin and V2",
    "regnet": "RegNets",
    "vgg": "VGGs",
    "maxvit": "MaxViTs",
}
"""The modules, and what a message calls what they read."""


def family(name: str) -> str | None:
    """Returns the module that reads a name, which may have the tag of its weights; None if none does."""
    return next((module for module in FAMILIES if plain(name) in settings(module)), None)


def kind(name: str) -> Any:
    """Returns what a name stands for; None if it is read by no module."""
    return None if family(name) is None else module_of(name).named(name)


def module_of(name: str) -> Any:
    """Returns the module that reads a name, of which `family` knows one."""
    return import_module(f"graphacct_vision.timm.{family(name)}")


def built(name: str, kind: Any, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map or tokens, and the logits."""
    found: tuple[Value, Value] = module_of(name).build(kind, workload, b, pixels, labels)
    return found


def refusal(key: str, name: str) -> str:
    """Returns why a name is not read, and what is."""
    names = [known for module in FAMILIES for known in settings(module)]
    read = ", ".join(FAMILIES.values())
    return (
        f"{key} {brief(name)} is timm's, which is not modelled: read are {read}, by names of timm 1.0.31 "
        f"(docs/other-files.md, timm's models){suggest(plain(name), names)}"
    )
