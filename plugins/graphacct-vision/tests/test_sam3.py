"""SAM 3 on an image with a text: figures of the library's class, and what is refused.

Measured with tests/verify/test_random_images_against_torch.py (transformers 5.23, torch 2.13), its first random
configuration, batch 1.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

LAYERS = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 20, "hidden_act": "gelu"}
VIT: dict[str, Any] = {
    **{"model_type": "sam3_vit_model", "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3},
    **{"num_attention_heads": 2, "image_size": 32, "patch_size": 4, "window_size": 4, "global_attn_indexes": [1]},
    "pretrain_image_size": 12,
}
SMALL: dict[str, Any] = {
    "model_type": "sam3",
    "vision_config": {"backbone_config": VIT, "fpn_hidden_size": 16, "scale_factors": [4.0, 2.0, 1.0]},
    "text_config": {
        **{"vocab_size": 30, "hidden_size": 12, "intermediate_size": 14, "num_hidden_layers": 2},
        **{"num_attention_heads": 3, "max_position_embeddings": 9},
    },
    "geometry_encoder_config": {**LAYERS, "num_layers": 2, "roi_size": 3},
    "detr_encoder_config": {**LAYERS, "num_layers": 1},
    "detr_decoder_config": {**LAYERS, "num_layers": 1, "num_queries": 3},
    "mask_decoder_config": {"hidden_size": 16, "num_attention_heads": 2},
}


def test_figures_of_the_librarys_class() -> None:
    found = graphacct.account(SMALL, seq_len=9, quantities=("params", "matmul_flops"))
    assert (found.total["params"], found.total["matmul_flops"]) == (52_810, 19_468_704)


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"mask_decoder_config": {"hidden_size": 8}}, "fpn_hidden_size and each part's hidden_size are one width"),
    (
        {"mask_decoder_config": {"hidden_size": 16, "num_upsampling_stages": 0}},
        "num_upsampling_stages",
    ),
)


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, **content})
