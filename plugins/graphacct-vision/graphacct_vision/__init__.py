"""Vision for graphacct: batch normalisation, pooling and the ResNet family, from outside the core.

Each family is imported when it is asked for: a graph from a file needs no architecture.
"""

import os
from collections.abc import Iterable

from graphacct import LazyArchitecture, Operator, PresetFiles, hookimpl

HERE = os.path.dirname(__file__)
FAMILIES = (
    LazyArchitecture("resnet", "graphacct_vision.resnet", PresetFiles(f"{HERE}/resnet.py")),
    LazyArchitecture("hf-resnet", "graphacct_vision.hf_resnet", PresetFiles(f"{HERE}/hf_resnet.py"), ("resnet",)),
    LazyArchitecture("convnext", "graphacct_vision.convnext", PresetFiles(f"{HERE}/convnext.py"), ("convnext",)),
)
"""ResNet as torchvision writes it, and what the transformers library has, which reads its config.json."""


@hookimpl
def graphacct_register_operators() -> Iterable[Operator]:
    from graphacct_vision import normalization, pooling

    return [item for family in (normalization, pooling) for item in vars(family).values() if isinstance(item, Operator)]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
