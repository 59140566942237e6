"""torchvision's classifiers: the published parameters and GMACs, of the weights that were trained at the usual size.

One of each family; `ALL=1` in the environment runs all 80. torchvision's compiled operators do not load beside a build
of torch that they were not made for, so that their names are defined here; no classifier calls one.
"""

from __future__ import annotations

import os

import pytest
import torch
from graphacct_torch.building.build import without_weights

import graphacct

pytest.importorskip("torch")
OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        OPERATORS.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
torchvision = pytest.importorskip("torchvision")

ONE_OF_EACH = (
    "alexnet convnext_tiny densenet121 efficientnet_b0 googlenet inception_v3 maxvit_t mnasnet0_5 mobilenet_v3_small "
    "regnet_y_400mf resnet18 shufflenet_v2_x0_5 squeezenet1_0 swin_t swin_v2_t vgg11 vit_b_16"
)
NAMES = torchvision.models.list_models(torchvision.models) if os.environ.get("ALL") else ONE_OF_EACH.split()
SETTINGS = {
    "googlenet": {"aux_logits": False, "init_weights": False},  # published without its auxiliary heads
    "inception_v3": {"init_weights": False},
}


def size(weights):
    return weights.transforms.keywords.get("crop_size") or 224


@pytest.mark.parametrize("name", NAMES)
def test_published_parameters_and_products(name):
    """The published GMACs are rounded to three digits after the point. ViT-H is published at 518 pixels too."""
    weights = min(torchvision.models.get_model_weights(name), key=size)
    with without_weights():
        model = torchvision.models.get_model(name, weights=None, **SETTINGS.get(name, {})).eval()
        image = torch.zeros(1, 3, size(weights), size(weights))
    total = graphacct.account((model, (image,))).total
    assert total["params"] == weights.meta["num_params"]
    assert total["macs"] / 10**9 == pytest.approx(weights.meta["_ops"], abs=0.00051)
