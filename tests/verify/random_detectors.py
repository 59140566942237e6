"""Small configurations of models that find, segment and match objects, drawn at random as files have them."""

from __future__ import annotations

from random import Random
from typing import Any

from random_encoders import ACTS, some, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "deformable_detr": ("DeformableDetrModel", "DeformableDetrForObjectDetection"),
}
RESNET = {"model_type": "resnet", "depths": [1, 2, 1], "hidden_sizes": [8, 12, 16], "embedding_size": 6}


def deformable_detr(random: Random) -> dict[str, Any]:
    levels = random.choice((1, 2, 3, 4))
    stages = [f"stage{place}" for place in (1, 2, 3)][-min(levels, random.randint(1, 3)) :]
    stages = stages if levels > 1 else ["stage3"]
    refined = yes(random)
    return {
        **{"backbone_config": {**RESNET, "out_features": stages}, "use_timm_backbone": False, "d_model": 32},
        **{"encoder_layers": random.randint(1, 3), "decoder_layers": random.randint(2, 3), "num_queries": 5},
        **{"encoder_attention_heads": 2, "decoder_attention_heads": 4, "encoder_ffn_dim": 11, "decoder_ffn_dim": 13},
        **{"num_feature_levels": levels, "with_box_refine": refined},
        **some(random, auxiliary_loss=True, activation_function=random.choice(ACTS), dropout=0.0),
        **some(random, position_embedding_type=random.choice(("sine", "learned"))),
        **some(random, encoder_n_points=2, decoder_n_points=3, tie_word_embeddings=yes(random)),
        **({"two_stage": True, "two_stage_num_proposals": 7} if refined and yes(random) else {}),
    }


def settled(content: dict[str, Any]) -> dict[str, Any]:
    """The content without keys that its class cannot be built with."""
    if content["model_type"] == "deformable_detr" and "Detection" not in str(content.get("architectures")):
        content.pop("two_stage", None)
    return content


DRAW = {"deformable_detr": deformable_detr}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("deformable_detr",), ((64, 64), (70, 65))),
}
