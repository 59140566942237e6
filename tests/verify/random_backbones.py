"""Small configurations of image encoders, drawn at random as files have them: what random_images.py has no room for."""

from __future__ import annotations

from random import Random
from typing import Any

from random_encoders import ACTS, some, tower, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "conditional_detr": tuple(f"ConditionalDetr{end}" for end in ("Model", "ForObjectDetection", "ForSegmentation")),
    "data2vec-vision": tuple(
        f"Data2VecVision{end}" for end in ("Model", "ForImageClassification", "ForSemanticSegmentation")
    ),
    "depth_anything": ("DepthAnythingForDepthEstimation",),
    "dpt": ("DPTModel", "DPTForDepthEstimation", "DPTForSemanticSegmentation"),
    "dinov3_convnext": ("DINOv3ConvNextModel", "DINOv3ConvNextBackbone"),
    "donut-swin": ("DonutSwinModel", "DonutSwinForImageClassification"),
    "efficientnet": ("EfficientNetModel", "EfficientNetForImageClassification"),
    "glpn": ("GLPNModel", "GLPNForDepthEstimation"),
    "hgnet_v2": ("HGNetV2Backbone", "HGNetV2ForImageClassification"),
    "maskformer-swin": ("MaskFormerSwinModel", "MaskFormerSwinBackbone"),
    "mobilevit": tuple(f"MobileViT{end}" for end in ("Model", "ForImageClassification", "ForSemanticSegmentation")),
    "mobilevitv2": tuple(f"MobileViTV2{end}" for end in ("Model", "ForImageClassification", "ForSemanticSegmentation")),
    "poolformer": ("PoolFormerModel", "PoolFormerForImageClassification"),
    "pvt": ("PvtModel", "PvtForImageClassification"),
    "pvt_v2": ("PvtV2Model", "PvtV2ForImageClassification", "PvtV2Backbone"),
    "rt_detr": ("RTDetrModel", "RTDetrForObjectDetection"),
    "rt_detr_resnet": ("RTDetrResNetBackbone",),
    "sam": ("SamModel",),
    "sam_vision_model": ("SamVisionModel",),
    "timesformer": ("TimesformerModel", "TimesformerForVideoClassification"),
    "videomae": ("VideoMAEModel", "VideoMAEForVideoClassification"),
    "vitdet": ("VitDetModel", "VitDetBackbone"),
    "vitpose_backbone": ("VitPoseBackbone",),
    "vivit": ("VivitModel", "VivitForVideoClassification"),
    "table-transformer": ("TableTransformerModel", "TableTransformerForObjectDetection"),
    "upernet": ("UperNetForSemanticSegmentation",),
    "regnet": ("RegNetModel", "RegNetForImageClassification"),
    "vit_mae": ("ViTMAEModel", "ViTMAEForPreTraining"),
    "yolos": ("YolosModel", "YolosForObjectDetection"),
}


def yolos(random: Random) -> dict[str, Any]:
    return {
        **tower(random),
        **{"image_size": [16, 24], "patch_size": 4},
        **some(random, num_detection_tokens=5, use_mid_position_embeddings=False, qkv_bias=yes(random)),
    }


def vit_mae(random: Random) -> dict[str, Any]:
    return {
        **{**tower(random), "image_size": 16, "patch_size": random.choice((4, 8)), "decoder_hidden_size": 8},
        **{"decoder_num_hidden_layers": random.randint(1, 3), "decoder_num_attention_heads": 2},
        **some(random, mask_ratio=random.choice((0.3, 0.5)), norm_pix_loss=True, qkv_bias=yes(random)),
        **some(random, decoder_intermediate_size=7, num_channels=1),
    }


def regnet(random: Random) -> dict[str, Any]:
    count = random.randint(1, 3)
    return {
        **{"embedding_size": 6, "groups_width": random.choice((2, 4)), "layer_type": random.choice("xy")},
        **{"hidden_sizes": [random.choice((4, 8, 12)) for _ in range(count)]},
        **{"depths": [random.randint(1, 3) for _ in range(count)]},
        **some(random, hidden_act=random.choice(ACTS), downsample_in_first_stage=False, num_channels=1),
    }


def hgnet_v2(random: Random) -> dict[str, Any]:
    light, down = [yes(random) for _ in range(2)], [yes(random) for _ in range(2)]
    return {
        **{"depths": [1, 2], "hidden_sizes": [12, 20], "stem_channels": [3, 8, 6], "stage_in_channels": [6, 12]},
        **{"stage_mid_channels": [4, 5], "stage_out_channels": [12, 20], "stage_num_blocks": [1, 3]},
        **{"stage_downsample": down, "stage_downsample_strides": [2, 2], "stage_light_block": light},
        **{"stage_kernel_size": [3, 5], "stage_numb_of_layers": [random.randint(1, 3), 2]},
        **some(random, use_learnable_affine_block=True, hidden_act=random.choice(ACTS), out_indices=[0, 2]),
    }


def dinov3_convnext(random: Random) -> dict[str, Any]:
    return {
        **{"depths": [1, random.randint(1, 3)], "hidden_sizes": [6, 8]},
        **some(random, drop_path_rate=0.2, out_features=["stem", "stage1"], hidden_act=random.choice(ACTS)),
    }


def poolformer(random: Random) -> dict[str, Any]:
    return {
        **{"depths": [1, 3], "hidden_sizes": [6, 8], "patch_sizes": [7, 3], "strides": [4, 2], "padding": [2, 1]},
        **{"num_encoder_blocks": 2, "mlp_ratio": random.choice((1.5, 4.0))},
        **some(random, drop_path_rate=0.2, use_layer_scale=False, hidden_act=random.choice(ACTS), pool_size=5),
    }


def data2vec(random: Random) -> dict[str, Any]:
    switches = ("use_mask_token", "use_absolute_position_embeddings", "use_relative_position_bias")
    switches += ("use_shared_relative_position_bias", "use_mean_pooling", "use_auxiliary_head")
    switches += ("auxiliary_concat_input",)
    content = {**tower(random), "num_hidden_layers": 5, "out_indices": [1, 2, 4, 5]}
    return {
        **{**content, "patch_size": 4, "image_size": 16, "pool_scales": [1, 2]},
        **{switch: yes(random) for switch in switches},
        **some(random, layer_scale_init_value=random.choice((0.0, 0.1)), drop_path_rate=random.choice((0.0, 0.2))),
        **some(random, auxiliary_channels=7, auxiliary_num_convs=2),
    }


def older_swin(random: Random) -> dict[str, Any]:
    count = random.randint(1, 3)
    return {
        **{"embed_dim": 12, "depths": [random.randint(1, 4) for _ in range(count)], "patch_size": 2, "image_size": 24},
        **{"num_heads": [random.randint(1, 3) for _ in range(count)], "window_size": random.choice((2, 3))},
        **some(random, mlp_ratio=random.choice((1.5, 3.0)), qkv_bias=yes(random), drop_path_rate=0.0, num_channels=1),
    }


def reduced(random: Random) -> dict[str, Any]:
    heads = [random.randint(1, 3) for _ in range(3)]
    return {
        **{"num_encoder_blocks": 3, "depths": [random.randint(1, 3) for _ in heads], "num_attention_heads": heads},
        **{"hidden_sizes": [4 * head for head in heads], "mlp_ratios": [random.randint(1, 3) for _ in heads]},
        **some(random, hidden_act=random.choice(ACTS), num_channels=1, drop_path_rate=0.1),
    }


def pvt(random: Random) -> dict[str, Any]:
    return {
        **{**reduced(random), "image_size": 32, "patch_sizes": [4, 2, 2], "strides": [4, 2, 2]},
        **{"sequence_reduction_ratios": [2, 2, 1], "qkv_bias": yes(random)},
    }


def pvt_v2(random: Random) -> dict[str, Any]:
    return {
        **{**reduced(random), "image_size": 64, "patch_sizes": [7, 3, 3], "strides": [4, 2, 2]},
        **{"sr_ratios": [2, 2, 1], "qkv_bias": yes(random), "linear_attention": yes(random)},
        **some(random, out_indices=[0, 2]),
    }


def glpn(random: Random) -> dict[str, Any]:
    return {
        **{**reduced(random), "patch_sizes": [7, 3, 3], "strides": [4, 2, 2], "sr_ratios": [2, 2, 1]},
        **some(random, decoder_hidden_size=random.choice((8, 12)), head_in_index=random.choice((-1, 0, 2))),
    }


def efficientnet(random: Random) -> dict[str, Any]:
    return {
        **{"width_coefficient": 0.25, "hidden_dim": 320, "depth_coefficient": random.choice((0.5, 1.1))},
        **{
            "in_channels": [32, 24, 16],
            "out_channels": [24, 16, 40],
            "strides": [1, 2, 2],
            "num_block_repeats": [1, 2, 2],
        },
        **{"expand_ratios": [1, 2, 3], "kernel_sizes": [3, 5, 3]},
        **some(random, depthwise_padding=[1], squeeze_expansion_ratio=0.5, pooling_type="max", num_channels=1),
        **some(random, hidden_act=random.choice(ACTS), drop_connect_rate=0.0, dropout_rate=0.0),
    }


def mobilevit(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_sizes": [8, 12, 16], "neck_hidden_sizes": [4, 4, 8, 8, 12, 12, 20], "num_attention_heads": 2},
        **deeplab(random),
        **some(random, mlp_ratio=random.choice((1.5, 3.0)), qkv_bias=yes(random), hidden_dropout_prob=0.0),
    }


def mobilevitv2(random: Random) -> dict[str, Any]:
    return {
        **{"width_multiplier": random.choice((0.25, 0.1)), "n_attn_blocks": [1, 2, 1], **deeplab(random)},
        **some(random, base_attn_unit_dims=[64, 96, 128], ffn_multiplier=3, attn_dropout=0.1),
    }


def deeplab(random: Random) -> dict[str, Any]:
    return {
        **{"aspp_out_channels": 6, "expand_ratio": random.choice((1.5, 4.0))},
        **some(
            random, output_stride=random.choice((8, 16)), conv_kernel_size=5, atrous_rates=[1, 2, 3], num_channels=1
        ),
        **some(random, hidden_act=random.choice(ACTS), patch_size=random.choice((1, 2)), classifier_dropout_prob=0.0),
    }


DINOV2 = {
    **{"model_type": "dinov2", "hidden_size": 12, "num_hidden_layers": 4, "num_attention_heads": 3, "image_size": 16},
    **{"patch_size": 4, "out_indices": [1, 2, 3, 4], "reshape_hidden_states": False, "mlp_ratio": 2},
}
BACKBONES: tuple[dict[str, Any], ...] = (
    {"model_type": "resnet", "depths": [1, 1, 2, 1], "hidden_sizes": [8, 8, 12, 12], "embedding_size": 6},
    {"model_type": "convnext", "depths": [1, 1, 2, 1], "hidden_sizes": [8, 8, 12, 12]},
    {
        **{"model_type": "swin", "embed_dim": 12, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 3, 3]},
        **{"window_size": 2, "patch_size": 2, "image_size": 32},
    },
)
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}


def depth_anything(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": DINOV2, "patch_size": 4, "reassemble_hidden_size": 12, "neck_hidden_sizes": [4, 5, 6, 8]},
        **{"fusion_hidden_size": 8, "depth_estimation_type": random.choice(("relative", "metric"))},
        **some(random, head_hidden_size=5, head_in_index=0),
    }


def dpt(random: Random) -> dict[str, Any]:
    return {
        **{**tower(random), "num_hidden_layers": 5, "image_size": 16, "patch_size": 4, "fusion_hidden_size": 8},
        **{"backbone_out_indices": [0, 1, 3, 4], "neck_hidden_sizes": [4, 5, 6, 8]},
        **some(random, readout_type=random.choice(("ignore", "add")), use_batch_norm_in_fusion_residual=yes(random)),
        **some(random, use_bias_in_fusion_residual=yes(random), use_auxiliary_head=False, qkv_bias=False),
    }


def upernet(random: Random) -> dict[str, Any]:
    return {
        **{"backbone_config": {**random.choice(BACKBONES), **STAGES}, "hidden_size": 6, "auxiliary_channels": 5},
        **some(random, pool_scales=[1, 2], use_auxiliary_head=False, auxiliary_num_convs=2),
        **some(random, auxiliary_concat_input=True),
    }


def like_detr(random: Random) -> dict[str, Any]:
    own = {"model_type": "resnet", "depths": [1, 2], "hidden_sizes": [8, 12], "embedding_size": 6}
    return {
        **{"backbone_config": {**own, "out_features": ["stage2"]}, "use_timm_backbone": False, "d_model": 24},
        **{"encoder_layers": random.randint(1, 3), "decoder_layers": random.randint(1, 3), "num_queries": 5},
        **{"encoder_attention_heads": 3, "decoder_attention_heads": 3, "encoder_ffn_dim": 11, "decoder_ffn_dim": 13},
        **some(random, auxiliary_loss=True, activation_function=random.choice(ACTS), dropout=0.0),
        **some(random, position_embedding_type=random.choice(("sine", "learned"))),
    }


def rt_detr_resnet(random: Random) -> dict[str, Any]:
    kind = random.choice(("basic", "bottleneck"))
    sizes = [8, 12, 16] if kind == "basic" else [random.choice((8, 12)) for _ in range(3)]
    return {
        **{"embedding_size": 6, "hidden_sizes": sizes, "layer_type": kind},
        **{"depths": [random.randint(1, 3) for _ in range(3)], "downsample_in_first_stage": True},
        **some(random, hidden_act=random.choice(ACTS), downsample_in_bottleneck=True, out_indices=[1, 3]),
    }


def rt_detr(random: Random) -> dict[str, Any]:
    own = {"model_type": "rt_detr_resnet", "depths": [1, 1, 2, 1], "hidden_sizes": [8, 12, 16, 20]}
    return {
        **{"backbone_config": {**own, "embedding_size": 8, "out_indices": [2, 3, 4]}, "encoder_hidden_dim": 16},
        **{"encoder_in_channels": [12, 16, 20], "encoder_attention_heads": 2, "decoder_in_channels": [16, 16, 16]},
        **{"d_model": random.choice((12, 16)), "decoder_attention_heads": 2, "decoder_layers": random.randint(1, 3)},
        **{"num_queries": 5, "encoder_ffn_dim": 9, "decoder_ffn_dim": 11},
        **some(random, encoder_layers=random.choice((0, 2)), num_feature_levels=4, decoder_n_points=2),
        **some(random, normalize_before=True, hidden_expansion=0.5, num_denoising=0),
        **some(random, freeze_backbone_batch_norms=False, activation_function="relu"),
    }


def sam_vision(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 12, "output_channels": 16, "num_hidden_layers": 5, "num_attention_heads": 3},
        **{"image_size": 32, "patch_size": 4, "num_pos_feats": 8, "window_size": random.choice((0, 3, 4))},
        **{"global_attn_indexes": [1, 4]},
        **some(random, use_abs_pos=yes(random), use_rel_pos=yes(random), qkv_bias=yes(random), mlp_ratio=1.5),
    }


def sam(random: Random) -> dict[str, Any]:
    decoder = {"hidden_size": 16, "mlp_dim": 10, "num_attention_heads": random.choice((2, 4))}
    decoder |= some(random, num_hidden_layers=1, attention_downsample_rate=1, iou_head_depth=4, num_multimask_outputs=2)
    prompt = {"hidden_size": 16, "image_size": 32, "patch_size": 4, "mask_input_channels": 8}
    return {
        **{"vision_config": sam_vision(random), "prompt_encoder_config": prompt, "mask_decoder_config": decoder},
    }


def video(random: Random) -> dict[str, Any]:
    return {**tower(random), "image_size": 16, "num_frames": 4, **some(random, qkv_bias=yes(random))}


def videomae(random: Random) -> dict[str, Any]:
    return {**video(random), "patch_size": 4, **some(random, use_mean_pooling=yes(random), tubelet_size=1)}


def vivit(random: Random) -> dict[str, Any]:
    return {**video(random), "tubelet_size": [2, 4, 4], **some(random, pooler_output_size=5)}


def timesformer(random: Random) -> dict[str, Any]:
    kinds = ("divided_space_time", "joint_space_time")
    return {**video(random), "patch_size": 4, **some(random, attention_type=random.choice(kinds))}


def vitdet(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 12, "num_hidden_layers": 4, "num_attention_heads": 3, "image_size": 32, "patch_size": 4},
        **{"pretrain_image_size": random.choice((16, 32)), "window_block_indices": [0, 2], "window_size": 3},
        **some(random, use_relative_position_embeddings=True, use_absolute_position_embeddings=False, mlp_ratio=2),
        **some(random, residual_block_indices=[1, 3], drop_path_rate=0.1, qkv_bias=False, out_indices=[2, 4]),
    }


def vitpose(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": [32, 24]},
        **{"patch_size": [8, 8], "mlp_ratio": random.randint(1, 4)},
        **some(random, qkv_bias=False, out_indices=[0, 2, 3], hidden_act=random.choice(ACTS)),
    }


def given(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The sizes of a video, or of a prompt."""
    if content["model_type"] in ("timesformer", "videomae", "vivit"):
        return [{"batch": batch, "image_size": (16, 16), "frames": 4} for batch in (1, 2)]
    if content["model_type"] == "sam":
        return [{"batch": batch, "image_size": (32, 32), "points": points} for batch, points in ((1, 1), (2, 3))]
    return []


DRAW = {
    "rt_detr": rt_detr,
    "rt_detr_resnet": rt_detr_resnet,
    "sam": sam,
    "sam_vision_model": sam_vision,
    "timesformer": timesformer,
    "videomae": videomae,
    "vitdet": vitdet,
    "vitpose_backbone": vitpose,
    "vivit": vivit,
    "conditional_detr": like_detr,
    "table-transformer": like_detr,
    "depth_anything": depth_anything,
    "dpt": dpt,
    "upernet": upernet,
    "efficientnet": efficientnet,
    "mobilevit": mobilevit,
    "mobilevitv2": mobilevitv2,
    "data2vec-vision": data2vec,
    "dinov3_convnext": dinov3_convnext,
    "donut-swin": older_swin,
    "glpn": glpn,
    "hgnet_v2": hgnet_v2,
    "maskformer-swin": older_swin,
    "poolformer": poolformer,
    "pvt": pvt,
    "pvt_v2": pvt_v2,
    "regnet": regnet,
    "vit_mae": vit_mae,
    "yolos": yolos,
}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("dinov3_convnext", "hgnet_v2", "poolformer", "regnet"), ((65, 70), (64, 64))),
    **dict.fromkeys(("pvt_v2",), ((64, 64), (65, 80))),
    **dict.fromkeys(("glpn",), ((64, 64), (64, 96))),
    **dict.fromkeys(("yolos",), ((16, 24), (20, 17))),
    **dict.fromkeys(("pvt",), ((32, 32), (32, 32))),
    **dict.fromkeys(("data2vec-vision",), ((16, 16), (16, 16))),
    **dict.fromkeys(("efficientnet", "mobilevit"), ((64, 64), (70, 65))),
    **dict.fromkeys(("conditional_detr", "table-transformer", "upernet"), ((64, 64), (70, 65))),
    **dict.fromkeys(("rt_detr",), ((64, 64), (96, 64))),
    **dict.fromkeys(("rt_detr_resnet",), ((64, 64), (70, 65))),
    **dict.fromkeys(("vitdet",), ((32, 32), (36, 24))),
    **dict.fromkeys(("vitpose_backbone",), ((32, 24), (32, 24))),
    **dict.fromkeys(("depth_anything",), ((16, 16), (20, 24))),
    **dict.fromkeys(("dpt",), ((16, 16), (20, 20))),
    **dict.fromkeys(("mobilevitv2",), ((64, 64), (128, 64))),
}
