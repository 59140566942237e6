"""Small configurations of models that find, segment and match objects, drawn at random as files have them."""

from __future__ import annotations

from random import Random
from typing import Any

from random_backbones import sam, sam_vision
from random_encoders import ACTS, some, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "aimv2": ("Aimv2Model",),
    "aimv2_vision_model": ("Aimv2VisionModel",),
    "clipseg": ("CLIPSegModel", "CLIPSegForImageSegmentation"),
    "dab-detr": ("DabDetrModel", "DabDetrForObjectDetection"),
    "deformable_detr": ("DeformableDetrModel", "DeformableDetrForObjectDetection"),
    "grounding-dino": ("GroundingDinoModel", "GroundingDinoForObjectDetection"),
    "mm-grounding-dino": ("MMGroundingDinoModel", "MMGroundingDinoForObjectDetection"),
    "mask2former": ("Mask2FormerModel", "Mask2FormerForUniversalSegmentation"),
    "maskformer": ("MaskFormerModel", "MaskFormerForInstanceSegmentation"),
    "sam2": ("Sam2Model",),
    "sam2_hiera_det_model": ("Sam2HieraDetModel",),
    "sam2_vision_model": ("Sam2VisionModel",),
    "sam_hq": ("SamHQModel",),
    "sam_hq_vision_model": ("SamHQVisionModel",),
    "metaclip_2": ("MetaClip2Model", "MetaClip2ForImageClassification"),
    "mlcd_vision_model": ("MLCDVisionModel",),
    "owlv2": ("Owlv2Model", "Owlv2ForObjectDetection"),
    "owlvit": ("OwlViTModel", "OwlViTForObjectDetection"),
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


def towers(random: Random, words: int) -> dict[str, Any]:
    """Two towers, as CLIP has them."""
    sizes = {"num_hidden_layers": random.randint(1, 4), "intermediate_size": 11}
    sizes |= some(random, hidden_act=random.choice(ACTS), attention_dropout=0.0)
    seen = {**sizes, "hidden_size": 24, "num_attention_heads": 3, "image_size": 32, "patch_size": 8}
    told = {**sizes, "hidden_size": 16, "num_attention_heads": 2, "vocab_size": 50, "max_position_embeddings": words}
    return {"vision_config": {**seen, **some(random, num_channels=1)}, "text_config": told, "projection_dim": 16}


def aimv2_vision(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 24, "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 3, "patch_size": 8},
        **{"intermediate_size": 13, "image_size": 32, "use_head": yes(random)},
        **some(random, hidden_act=random.choice(ACTS), qkv_bias=yes(random), mlp_bias=yes(random), num_channels=1),
        **some(random, is_native=yes(random)),
    }


def aimv2(random: Random) -> dict[str, Any]:
    content = towers(random, 16)
    content["vision_config"] = {**aimv2_vision(random), "use_head": True}
    content["text_config"] |= some(random, qkv_bias=yes(random), mlp_bias=yes(random))
    return content


def mlcd(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 24, "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 3, "patch_size": 8},
        **{"intermediate_size": 13, "image_size": 32},
        **some(random, hidden_act=random.choice(ACTS), attention_dropout=0.0, num_channels=1),
    }


def metaclip(random: Random) -> dict[str, Any]:
    return towers(random, 16)


def owlvit(random: Random) -> dict[str, Any]:
    return towers(random, 16)


def clipseg(random: Random) -> dict[str, Any]:
    content = towers(random, 20)
    content["vision_config"]["num_hidden_layers"] = 4
    return {
        **{**content, "extract_layers": random.choice(([0, 2], [1, 2, 3], [0])), "reduce_dim": 8},
        **{"decoder_num_attention_heads": 2, "decoder_intermediate_size": 7},
        **some(random, conditional_layer=random.randint(0, 1), use_complex_transposed_convolution=yes(random)),
    }


def dab_detr(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": {**RESNET, "out_features": ["stage3"]}, "use_timm_backbone": False, "hidden_size": 24},
        **{"encoder_layers": random.randint(1, 3), "decoder_layers": random.randint(1, 3), "num_queries": 5},
        **{"encoder_attention_heads": 3, "decoder_attention_heads": 3, "encoder_ffn_dim": 11, "decoder_ffn_dim": 13},
        **some(random, activation_function=random.choice(("prelu", *ACTS)), num_patterns=2, keep_query_pos=True),
        **some(random, normalize_before=True, auxiliary_loss=True, tie_word_embeddings=yes(random), dropout=0.0),
    }


def settled(content: dict[str, Any]) -> dict[str, Any]:
    """The content without keys that its class cannot be built with."""
    if content["model_type"] == "deformable_detr" and "Detection" not in str(content.get("architectures")):
        content.pop("two_stage", None)
    if content["model_type"] == "dab-detr":  # whose queries begin in float32
        content |= {"dtype": "float32", "torch_dtype": "float32"}
    if content["model_type"] in ("detr", "conditional_detr") and "Segmentation" in str(content.get("architectures")):
        own = {**RESNET, "out_features": ["stage1", "stage2", "stage3"]}
        content |= {"backbone_config": own, "d_model": 64, "encoder_attention_heads": 8, "decoder_attention_heads": 4}
    return content


SWIN = {
    **{"model_type": "swin", "embed_dim": 12, "depths": [1, 2, 1, 1], "num_heads": [1, 2, 3, 4], "window_size": 2},
    **{"patch_size": 2, "image_size": 32, "out_features": ["stage1", "stage2", "stage3", "stage4"]},
}
FOUR = {"model_type": "resnet", "depths": [1, 2, 1, 1], "hidden_sizes": [8, 12, 16, 20], "embedding_size": 6}
FOUR = {**FOUR, "out_features": ["stage1", "stage2", "stage3", "stage4"]}


def grounding_dino(random: Random) -> dict[str, Any]:
    levels = random.choice((2, 3, 4))
    stages = [f"stage{place}" for place in (2, 3, 4)][-min(levels, random.randint(1, 3)) :]
    text = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": random.randint(1, 2), "vocab_size": 50}
    text |= {"num_attention_heads": 2, "intermediate_size": 7, "max_position_embeddings": 32}
    return {
        **{"backbone_config": {**SWIN, "out_features": stages}, "text_config": text, "d_model": 32, "num_queries": 5},
        **{"encoder_layers": random.randint(1, 2), "decoder_layers": random.randint(2, 3), "max_text_len": 20},
        **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 12, "decoder_ffn_dim": 13},
        **{"num_feature_levels": levels},
        **some(random, activation_function=random.choice(ACTS), encoder_n_points=2, decoder_n_points=3, dropout=0.0),
        **some(random, position_embedding_type=random.choice(("sine", "learned")), tie_word_embeddings=yes(random)),
        **some(random, decoder_bbox_embed_share=yes(random), fusion_droppath=0.0),
    }


def mask2former(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": random.choice((SWIN, FOUR)), "feature_size": 32, "hidden_dim": random.choice((32, 24))},
        **{"encoder_layers": random.randint(1, 2), "decoder_layers": random.randint(1, 6), "num_attention_heads": 4},
        **{"num_queries": 5, "mask_feature_size": 12, "encoder_feedforward_dim": 13, "dim_feedforward": 11},
        **some(random, pre_norm=yes(random), enforce_input_projection=yes(random), common_stride=8),
        **some(random, activation_function=random.choice(ACTS)),
    }


def maskformer(random: Random) -> dict[str, Any]:
    decoder = {"d_model": random.choice((16, 24)), "decoder_layers": random.randint(1, 3), "num_queries": 5}
    decoder |= {"decoder_attention_heads": 4, "decoder_ffn_dim": 11, "model_type": "detr"}
    decoder |= some(random, activation_function=random.choice(ACTS), auxiliary_loss=True)
    return {
        **{"backbone_config": random.choice((SWIN, FOUR)), "fpn_feature_size": 32, "mask_feature_size": 12},
        "decoder_config": decoder,
    }


def hiera_det(random: Random) -> dict[str, Any]:
    depth = random.randint(1, 2)
    return {
        **{"hidden_size": 8, "image_size": [64, 64], "blocks_per_stage": [1, depth, 2]},
        **{"embed_dim_per_stage": [8, 16, 24], "num_attention_heads_per_stage": [1, 2, 3]},
        **{"window_size_per_stage": [4, random.choice((2, 4)), random.choice((0, 2, 3))]},
        **{"global_attention_blocks": random.choice(([], [depth + 2])), "num_query_pool_stages": 2},
        **some(random, mlp_ratio=1.5, hidden_act=random.choice(ACTS), num_channels=1),
        **random.choice(({}, {"patch_kernel_size": [5, 5], "patch_padding": [2, 2]})),
        **some(random, window_positional_embedding_background_size=[3, 3]),
    }


def sam2_vision(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": {"model_type": "sam2_hiera_det_model", **hiera_det(random)}},
        **{"backbone_channel_list": [24, 16, 8], "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]]},
        **{"fpn_hidden_size": 16, **some(random, fpn_top_down_levels=random.choice(([0, 1], [1], [])))},
    }


def sam2(random: Random) -> dict[str, Any]:
    decoder = {"hidden_size": 16, "mlp_dim": 10, "num_attention_heads": random.choice((2, 4))}
    decoder |= some(random, num_hidden_layers=3, attention_downsample_rate=1, iou_head_depth=4, num_multimask_outputs=2)
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 8}
    return {"vision_config": sam2_vision(random), "prompt_encoder_config": prompt, "mask_decoder_config": decoder}


def sam_hq(random: Random) -> dict[str, Any]:
    content = sam(random)
    content["mask_decoder_config"] |= {"vit_dim": content["vision_config"]["hidden_size"]}
    return content


def given(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The sizes of images and texts of a model that takes both."""
    kind = content["model_type"]
    if kind == "clipseg":
        return [{"batch": batch, "image_size": (side, side), "seq_len": 5} for batch, side in ((1, 32), (2, 48))]
    if kind in ("grounding-dino", "mm-grounding-dino"):
        sizes = (((128, 128), 20), ((160, 130), 6))
        return [
            {"batch": batch, "image_size": size, "seq_len": words}
            for batch, (size, words) in zip((2, 3), sizes, strict=True)
        ]
    if kind == "sam2":
        return [{"batch": batch, "image_size": (64, 64), "points": points} for batch, points in ((1, 1), (2, 3))]
    if kind == "sam_hq":
        return [{"batch": batch, "image_size": (32, 32), "points": points} for batch, points in ((1, 1), (2, 3))]
    if kind == "metaclip_2" and "Classification" in str(content.get("architectures")):
        return [{"batch": batch, "image_size": (32, 32)} for batch in (1, 2)]
    if kind in ("owlvit", "owlv2", "aimv2", "metaclip_2"):
        return [{"batch": batch, "image_size": (32, 32), "seq_len": words} for batch, words in ((1, 16), (2, 5))]
    return []


DRAW = {
    "grounding-dino": grounding_dino,
    "mm-grounding-dino": grounding_dino,
    "aimv2": aimv2,
    "aimv2_vision_model": aimv2_vision,
    "metaclip_2": metaclip,
    "mlcd_vision_model": mlcd,
    "dab-detr": dab_detr,
    "clipseg": clipseg,
    "deformable_detr": deformable_detr,
    "mask2former": mask2former,
    "maskformer": maskformer,
    "owlv2": owlvit,
    "owlvit": owlvit,
    "sam2": sam2,
    "sam2_hiera_det_model": hiera_det,
    "sam2_vision_model": sam2_vision,
    "sam_hq": sam_hq,
    "sam_hq_vision_model": sam_vision,
}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("mlcd_vision_model",), ((32, 32), (48, 24))),
    **dict.fromkeys(("sam2_hiera_det_model", "sam2_vision_model"), ((64, 64), (64, 128))),
    **dict.fromkeys(("dab-detr", "deformable_detr", "mask2former", "maskformer"), ((64, 64), (70, 65))),
}
