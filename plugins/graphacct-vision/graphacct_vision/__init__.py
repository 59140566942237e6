"""Vision for graphacct: batch normalisation, pooling and the ResNet family, from outside the core.

Each family is imported when it is asked for: a graph from a file needs no architecture.
"""

from collections.abc import Iterable

from graphacct import LazyArchitecture, Operator, hookimpl

FAMILIES = (
    LazyArchitecture(
        "resnet",
        "graphacct_vision.resnet",
        (
            "resnet18",
            "resnet34",
            "resnet50",
            "resnet101",
            "resnet152",
            "resnext50_32x4d",
            "resnext101_32x8d",
            "resnext101_64x4d",
            "wide_resnet50_2",
            "wide_resnet101_2",
        ),
    ),
    LazyArchitecture(
        "hf-resnet",
        "graphacct_vision.hf_resnet",
        ("hf-resnet-18", "hf-resnet-34", "hf-resnet-50", "hf-resnet-101", "hf-resnet-152"),
        ("resnet",),
    ),
    LazyArchitecture(
        "convnext",
        "graphacct_vision.convnext",
        ("convnext-tiny-224", "convnext-small-224", "convnext-base-224", "convnext-large-224"),
        ("convnext",),
    ),
)
"""ResNet as torchvision writes it, and what the transformers library has, which reads its config.json."""


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_vision import normalization, pooling

    return [item for family in (normalization, pooling) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
