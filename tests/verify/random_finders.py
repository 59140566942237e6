"""Small configurations of models that find objects, places and masks, drawn at random as files have them."""

from __future__ import annotations

from random import Random
from typing import Any

from random_encoders import some, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "d_fine": ("DFineModel", "DFineForObjectDetection"),
    "deimv2": ("Deimv2Model", "Deimv2ForObjectDetection"),
    "lw_detr_vit": ("LwDetrViTBackbone",),
    "pp_lcnet": ("PPLCNetBackbone", "PPLCNetForImageClassification"),
    "pp_lcnet_v3": ("PPLCNetV3Backbone",),
    "sam3": ("Sam3Model",),
    "sam3_vision_model": ("Sam3VisionModel",),
    "sam3_vit_model": ("Sam3ViTModel",),
    "tipsv2_vision_model": ("Tipsv2VisionModel", "Tipsv2VisionBackbone"),
}


def hgnet(random: Random) -> dict[str, Any]:
    return {
        **{"model_type": "hgnet_v2", "stem_channels": [3, 8, 8], "stage_in_channels": [8, 8, 16, 16]},
        **{"stage_mid_channels": [4, 4, 8, 8], "stage_out_channels": [8, 16, 16, 24], "stage_num_blocks": [1, 1, 2, 1]},
        **{"stage_numb_of_layers": [2, 2, 2, 2], "hidden_sizes": [8, 16, 16, 24], "depths": [1, 1, 1, 1]},
        **{"out_indices": [2, 3, 4], "use_learnable_affine_block": yes(random)},
    }


def d_fine(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": hgnet(random), "encoder_hidden_dim": 16, "encoder_in_channels": [16, 16, 24]},
        **{"encoder_ffn_dim": 12, "encoder_attention_heads": 2, "d_model": random.choice((16, 24)), "num_queries": 5},
        **{"decoder_in_channels": [16, 16, 16], "decoder_ffn_dim": 12, "decoder_attention_heads": 2},
        **{"decoder_n_points": random.choice((2, [1, 2, 3])), "decoder_layers": random.randint(2, 3)},
        **{"max_num_bins": 6, "top_prob_values": random.choice((2, 4)), "lqe_hidden_dim": 7},
        **some(random, lqe_layers=random.choice((1, 3)), freeze_backbone_batch_norms=False, hidden_expansion=0.5),
        **some(random, depth_mult=0.34, encoder_layers=random.choice((0, 2)), tie_word_embeddings=False),
    }


def deimv2(random: Random) -> dict[str, Any]:
    return {**d_fine(random), **some(random, use_gateway=False, share_bbox_head=True, encoder_has_trailing_conv=False)}


def lw_detr_vit(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 32, "patch_size": 4},
        **{"pretrain_image_size": random.choice((16, 32)), "num_windows": 4, "mlp_ratio": 2},
        **some(random, window_block_indices=[0, 2], use_absolute_position_embeddings=False, out_indices=[1, 3]),
    }


def pp_lcnet(random: Random) -> dict[str, Any]:
    return {
        **{"scale": random.choice((0.25, 0.5)), "stem_channels": 16},
        **some(random, reduction=2, divisor=4, hidden_act="relu"),
    }


def sam3_vit(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 2},
        **{"image_size": 32, "patch_size": 4, "window_size": random.choice((3, 4)), "global_attn_indexes": [1]},
        **{"pretrain_image_size": random.choice((12, 16, 32))},
    }


def sam3_vision(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": {"model_type": "sam3_vit_model", **sam3_vit(random)}, "fpn_hidden_size": 16},
        **some(random, scale_factors=random.choice(([4.0, 2.0, 1.0], [2.0, 0.5]))),
    }


def sam3(random: Random) -> dict[str, Any]:
    def layers() -> dict[str, Any]:
        own = some(random, intermediate_size=20, hidden_act=random.choice(("gelu", "relu")), num_attention_heads=2)
        return {"hidden_size": 16, "num_layers": random.randint(1, 3), "num_attention_heads": 4, **own}

    factors = random.choice(([4.0, 2.0, 1.0, 0.5], [2.0, 1.0, 0.5], [4.0, 2.0, 1.0]))
    text = {"model_type": "clip_text_model", "vocab_size": 30, "hidden_size": 12, "intermediate_size": 14}
    return {
        **{"vision_config": {"model_type": "sam3_vision_model", **sam3_vision(random), "scale_factors": factors}},
        **{"text_config": {**text, "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 9}},
        **{"geometry_encoder_config": {**layers(), **some(random, roi_size=3)}},
        **{"detr_encoder_config": layers(), "detr_decoder_config": {**layers(), "num_queries": random.randint(3, 6)}},
        **{"mask_decoder_config": {"hidden_size": 16, "num_attention_heads": 2, "num_upsampling_stages": 3}},
    }


def given(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The sizes of an image with a text."""
    if content["model_type"] != "sam3":
        return []
    return [{"batch": batch, "image_size": (32, 32), "seq_len": length} for batch, length in ((1, 9), (2, 5))]


def tipsv2(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 16, "patch_size": 4},
        **some(random, num_register_tokens=2, use_swiglu_ffn=True, qkv_bias=False, mlp_ratio=2),
    }


DRAW = {
    "d_fine": d_fine,
    "deimv2": deimv2,
    "lw_detr_vit": lw_detr_vit,
    "pp_lcnet": pp_lcnet,
    "pp_lcnet_v3": pp_lcnet,
    "sam3": sam3,
    "sam3_vision_model": sam3_vision,
    "sam3_vit_model": sam3_vit,
    "tipsv2_vision_model": tipsv2,
}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("d_fine", "deimv2"), ((64, 64), (96, 64))),
    **dict.fromkeys(("pp_lcnet", "pp_lcnet_v3"), ((96, 96), (70, 96))),
    **dict.fromkeys(("sam3_vision_model", "sam3_vit_model"), ((32, 32), (32, 32))),
    **dict.fromkeys(("lw_detr_vit",), ((32, 32), (32, 48))),
    **dict.fromkeys(("tipsv2_vision_model",), ((16, 16), (20, 24))),
}
