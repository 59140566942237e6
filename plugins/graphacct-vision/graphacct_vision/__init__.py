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
OTHER_NAMES = {
    "batch_norm": ("batch_normalization", "native_batch_norm", "cudnn_batch_norm", "batch_norm1d", "batch_norm2d"),
    "max_pool": ("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pooling2d"),
    "avg_pool": ("avg_pool1d", "avg_pool2d", "avg_pool3d", "average_pool", "average_pooling2d"),
    "adaptive_avg_pool": ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "global_average_pool"),
}
"""What torch and ONNX call them, for suggestions; a spelling in other letters needs no entry."""


@hookimpl
def graphacct_register_operators() -> Iterable[LazyOperator]:
    return [
        LazyOperator(name, f"{__name__}.{module}", known_as=OTHER_NAMES.get(name, ()))
        for module, names in OPERATORS.items()
        for name in names.split()
    ]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES
