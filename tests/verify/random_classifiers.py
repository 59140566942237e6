"""Small configurations of models that classify images, drawn at random as files have them."""

from __future__ import annotations

from random import Random
from typing import Any

from random_backbones import depth_anything, vitdet
from random_encoders import ACTS, some, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "bit": ("BitModel", "BitForImageClassification", "BitBackbone"),
    "cvt": ("CvtModel", "CvtForImageClassification"),
    "focalnet": tuple(
        f"FocalNet{end}" for end in ("Model", "ForImageClassification", "ForMaskedImageModeling", "Backbone")
    ),
    "hiera": ("HieraModel", "HieraForImageClassification", "HieraBackbone"),
    "levit": tuple(f"Levit{end}" for end in ("Model", "ForImageClassification", "ForImageClassificationWithTeacher")),
    "pixio": ("PixioModel", "PixioBackbone"),
    "vitmatte": ("VitMatteForImageMatting",),
    "vjepa2": ("VJEPA2Model", "VJEPA2ForVideoClassification"),
    "prompt_depth_anything": ("PromptDepthAnythingForDepthEstimation",),
    "swiftformer": ("SwiftFormerModel", "SwiftFormerForImageClassification"),
    "swin2sr": ("Swin2SRModel", "Swin2SRForImageSuperResolution"),
    "textnet": ("TextNetModel", "TextNetForImageClassification", "TextNetBackbone"),
    "vitpose": ("VitPoseForPoseEstimation",),
}


def outputs(random: Random, stages: int) -> dict[str, Any]:
    """Which stages a backbone hands on."""
    places = sorted(random.sample(range(stages + 1), random.randint(1, stages + 1)))
    names = ["stem", *(f"stage{place}" for place in range(1, stages + 1))]
    return random.choice(({}, {"out_indices": places}, {"out_features": [names[place] for place in places]}))


def levit(random: Random) -> dict[str, Any]:
    return {
        **{"hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 3, 4], "key_dim": [random.choice((4, 8)), 4, 8]},
        **{"depths": [random.randint(1, 3) for _ in range(3)], "image_size": 64},
        **some(random, mlp_ratio=[random.randint(0, 3) for _ in range(3)], attention_ratio=[1, 2, 3]),
        **some(random, drop_path_rate=0, num_channels=1),
    }


def cvt(random: Random) -> dict[str, Any]:
    return {
        **{"embed_dim": [8, 12, 24], "num_heads": [1, 2, 3], "depth": [random.randint(1, 2), 2, random.randint(3, 4)]},
        **some(random, cls_token=[False, False, yes(random)], qkv_bias=[yes(random) for _ in range(3)]),
        **some(random, mlp_ratio=[1.5, 2.0, 3.0], stride_q=[1, 1, 1], stride_kv=[1, 2, 1], kernel_qkv=[3, 3, 3]),
        **some(random, drop_path_rate=[0.0, 0.1, 0.2], patch_sizes=[5, 3, 3], num_channels=1),
    }


def focalnet(random: Random) -> dict[str, Any]:
    count = random.randint(1, 3)
    switches = ("use_conv_embed", "use_layerscale", "use_post_layernorm", "use_post_layernorm_in_modulation")
    return {
        **{"embed_dim": 8, "depths": [random.randint(1, 3) for _ in range(count)], "image_size": 32},
        **{"hidden_sizes": [8 * 2**place for place in range(count)], "patch_size": 4, "encoder_stride": 2},
        **{switch: yes(random) for switch in (*switches, "normalize_modulator")},
        **some(random, focal_levels=[random.randint(1, 3) for _ in range(count)], focal_windows=[3, 5, 3][:count]),
        **some(random, mlp_ratio=1.5, hidden_act=random.choice(ACTS), drop_path_rate=0.0, num_channels=1),
        **outputs(random, count),
    }


def hiera(random: Random) -> dict[str, Any]:
    count = random.randint(2, 3)
    return {
        **{"embed_dim": 8, "depths": [random.randint(1, 3) for _ in range(count)], "image_size": [32, 32]},
        **{"num_heads": [1, 2, 4][:count], "num_query_pool": random.randint(0, count - 1)},
        **{"masked_unit_size": [4, 4], "masked_unit_attention": [yes(random) for _ in range(count)]},
        **some(random, mlp_ratio=1.5, hidden_act=random.choice(ACTS), drop_path_rate=0.1, num_channels=1),
        **outputs(random, count),
    }


def bit(random: Random) -> dict[str, Any]:
    count = random.randint(1, 4)
    return {
        **{"embedding_size": 8, "hidden_sizes": [random.choice((16, 24, 40)) for _ in range(count)]},
        **{"depths": [random.randint(1, 3) for _ in range(count)], "num_groups": random.choice((2, 4))},
        **{"layer_type": random.choice(("preactivation", "bottleneck"))},
        **some(random, global_padding=random.choice(("SAME", "same", None)), embedding_dynamic_padding=yes(random)),
        **some(random, output_stride=random.choice((8, 16)), hidden_act=random.choice(ACTS), drop_path_rate=0.1),
        **some(random, num_channels=1),
        **outputs(random, count),
    }


def swiftformer(random: Random) -> dict[str, Any]:
    count = random.randint(2, 4)
    widths = [random.choice((8, 12)) for _ in range(count)]
    return {
        **{"embed_dims": widths, "depths": [random.randint(1, 3) for _ in widths], "image_size": 64},
        **{"downsamples": [yes(random) for _ in widths]},
        **some(random, mlp_ratio=3, hidden_act=random.choice(("gelu", "relu", "silu")), use_layer_scale=False),
        **some(random, drop_path_rate=0.1, down_patch_size=5, down_pad=2, num_channels=1, drop_mlp_rate=0.0),
    }


def textnet(random: Random) -> dict[str, Any]:
    kernels = [[random.choice(([3, 3], [1, 3], [3, 1])) for _ in range(random.randint(1, 3))] for _ in range(4)]
    strides = [[random.choice((1, 2)) if not place else 1 for place, _ in enumerate(stage)] for stage in kernels]
    stem = random.choice((8, 12))
    return {
        **{"hidden_sizes": [stem, *(random.choice((8, 12)) for _ in range(4))], "stem_out_channels": stem},
        **{"conv_layer_kernel_sizes": kernels, "conv_layer_strides": strides, "image_size": [64, 64]},
        **some(random, stem_kernel_size=5, stem_stride=1, stem_num_channels=1, stem_act_func="relu"),
        **outputs(random, 4),
    }


def vitpose(random: Random) -> dict[str, Any]:
    own = {
        **{"model_type": "vitpose_backbone", "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3},
        **{"image_size": [32, 24], "patch_size": [8, 8], "mlp_ratio": 2, "out_indices": [3]},
    }
    return {"backbone_config": own, **some(random, scale_factor=random.randint(2, 4), use_simple_decoder=False)}


def pixio(random: Random) -> dict[str, Any]:
    layers = random.randint(1, 4)
    return {
        **{"hidden_size": 12, "num_hidden_layers": layers, "num_attention_heads": 3, "image_size": 16, "patch_size": 4},
        **{"n_cls_tokens": random.randint(1, 3), "mlp_ratio": 2},
        **some(random, hidden_act=random.choice(ACTS), qkv_bias=yes(random), num_channels=1, drop_path_rate=0.1),
        **some(random, apply_layernorm=yes(random), reshape_hidden_states=yes(random)),
        **outputs(random, layers),
    }


def vitmatte(random: Random) -> dict[str, Any]:
    own = {**vitdet(random), "model_type": "vitdet", "out_indices": [4], "patch_size": 16, "image_size": 64}
    own = {**own, "pretrain_image_size": 64, "num_channels": 4}
    sizes = [random.choice((4, 6)) for _ in range(4)]
    return {
        "backbone_config": own,
        "hidden_size": 12,
        "convstream_hidden_sizes": sizes[1:],
        "fusion_hidden_sizes": sizes,
    }


def vjepa2(random: Random) -> dict[str, Any]:
    return {
        **{"patch_size": 4, "crop_size": 16, "frames_per_clip": 4, "hidden_size": 24, "num_attention_heads": 3},
        **{"num_hidden_layers": random.randint(1, 3), "num_pooler_layers": random.randint(0, 2)},
        **{"pred_hidden_size": 12, "pred_num_attention_heads": 2, "pred_num_hidden_layers": random.randint(1, 3)},
        **some(random, qkv_bias=yes(random), hidden_act=random.choice(ACTS), drop_path_rate=0.0, mlp_ratio=1.5),
        **some(random, pred_mlp_ratio=2.0, pred_num_mask_tokens=3, in_chans=1),
    }


def swin2sr(random: Random) -> dict[str, Any]:
    kind = random.choice(("pixelshuffle", "pixelshuffledirect", "nearest+conv", "pixelshuffle_aux", ""))
    count = random.randint(1, 2)
    return {
        **{"embed_dim": 12, "depths": [random.randint(1, 4) for _ in range(count)], "image_size": 16},
        **{"num_heads": [2, 3][:count], "window_size": random.choice((4, 16)), "upsampler": kind},
        **({"upscale": 4 if kind == "nearest+conv" else random.choice((2, 3, 4)) if kind else 1}),
        **some(random, mlp_ratio=1.5, resi_connection="3conv", qkv_bias=yes(random), drop_path_rate=0.2),
        **({} if kind in ("pixelshuffle_aux", "") else some(random, num_channels=1, num_channels_out=2)),
    }


def settled(content: dict[str, Any]) -> dict[str, Any]:
    """The content without what its class cannot run."""
    if content["model_type"] == "cvt" and "Classification" in str(content.get("architectures")):
        content.pop("cls_token", None)
    return content


def given(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The sizes of images where one alone cannot be trained with: its norms need two places."""
    if content["model_type"] == "vjepa2":
        sizes = ((4, (16, 16)), (2, (16, 8)))
        return [
            {"batch": 1 + place, "frames": frames, "image_size": size} for place, (frames, size) in enumerate(sizes)
        ]
    if content["model_type"] == "levit":
        return [{"batch": batch, "image_size": (64, 64)} for batch in (2, 3)]
    return []


DRAW = {
    "bit": bit,
    "cvt": cvt,
    "focalnet": focalnet,
    "hiera": hiera,
    "levit": levit,
    "pixio": pixio,
    "prompt_depth_anything": depth_anything,
    "vitmatte": vitmatte,
    "vjepa2": vjepa2,
    "swiftformer": swiftformer,
    "swin2sr": swin2sr,
    "textnet": textnet,
    "vitpose": vitpose,
}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("bit",), ((64, 64), (70, 65))),
    **dict.fromkeys(("prompt_depth_anything",), ((16, 16), (20, 24))),
    **dict.fromkeys(("swiftformer", "textnet"), ((64, 64), (70, 65))),
    **dict.fromkeys(("swin2sr",), ((16, 16), (32, 16))),
    **dict.fromkeys(("vitpose",), ((32, 24), (32, 24))),
    **dict.fromkeys(("pixio",), ((16, 16), (20, 13))),
    **dict.fromkeys(("vitmatte",), ((64, 64), (64, 48))),
    **dict.fromkeys(("cvt",), ((64, 64), (70, 65))),
    **dict.fromkeys(("hiera",), ((32, 32), (32, 32))),
    **dict.fromkeys(("focalnet",), ((32, 32), (32, 32))),
}
