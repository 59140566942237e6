"""Vision for graphacct: batch normalisation, pooling, ResNet and ConvNeXt.

Everything is imported on first use: a graph from a file needs no architecture.
"""

import os
from collections.abc import Iterable

from graphacct import LazyArchitecture, LazyOperator, PresetFiles, hookimpl

HERE = os.path.dirname(__file__)
FAMILIES = (
    LazyArchitecture("resnet", "graphacct_vision.resnet", PresetFiles(f"{HERE}/resnet.py")),
    LazyArchitecture("hf-resnet", "graphacct_vision.hf_resnet", PresetFiles(f"{HERE}/hf_resnet.py"), ("resnet",)),
    LazyArchitecture("convnext", "graphacct_vision.convnext", PresetFiles(f"{HERE}/convnext.py"), ("convnext",)),
)
"""ResNet as in torchvision, and the transformers library's models, which read a config.json."""


OPERATORS = {"normalization": "batch_norm", "pooling": "max_pool avg_pool adaptive_avg_pool"}
"""The names of the operators in each module."""


@hookimpl
def graphacct_register_operators() -> Iterable[LazyOperator]:
    return [LazyOperator(name, f"{__name__}.{module}") for module, names in OPERATORS.items() for name in names.split()]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
