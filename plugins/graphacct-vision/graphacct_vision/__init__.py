"""Vision for graphacct: batch normalisation, pooling and the ResNet family, from outside the core.

Each family is imported when its hook is called: a graph from a file needs no architecture.
"""

from collections.abc import Iterable

from graphacct import Architecture, Operator, hookimpl
from graphacct.deferred import Deferred

PUBLISHED = (
    Deferred(
        "hf-resnet",
        "graphacct_vision.hf_resnet",
        ("hf-resnet-18", "hf-resnet-34", "hf-resnet-50", "hf-resnet-101", "hf-resnet-152"),
        ("resnet",),
    ),
    Deferred(
        "convnext",
        "graphacct_vision.convnext",
        ("convnext-tiny-224", "convnext-small-224", "convnext-base-224", "convnext-large-224"),
        ("convnext",),
    ),
)
"""Families as the transformers library writes them, which read its config.json."""


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_vision import normalization, pooling

    return [item for family in (normalization, pooling) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[Architecture | Deferred]:
    from graphacct_vision.resnet import RESNET

    return [RESNET, *PUBLISHED]
