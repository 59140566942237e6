"""Small configurations of image encoders, drawn at random as files have them, and the sizes of images they are given.

Sizes divide as they have to; everything else that could change a number is drawn or left out. What is drawn is valid:
the transformers library builds every model.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import random_backbones as others
import random_classifiers as classifiers
import random_detectors as detectors
import random_finders as finders
from random_encoders import ACTS, convnext, resnet, some, tower, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "deit": tuple(
        f"DeiT{end}"
        for end in (
            *("Model", "ForImageClassification", "ForImageClassificationWithTeacher", "ForMaskedImageModeling"),
        )
    ),
    "ijepa": ("IJepaModel", "IJepaForImageClassification"),
    "beit": tuple(
        f"Beit{end}"
        for end in (
            *("Model", "ForImageClassification", "ForMaskedImageModeling"),
            *("ForSemanticSegmentation", "Backbone"),
        )
    ),
    "detr": ("DetrModel", "DetrForObjectDetection", "DetrForSegmentation"),
    "mobilenet_v1": ("MobileNetV1Model", "MobileNetV1ForImageClassification"),
    "mobilenet_v2": ("MobileNetV2Model", "MobileNetV2ForImageClassification", "MobileNetV2ForSemanticSegmentation"),
    "segformer": ("SegformerModel", "SegformerForImageClassification", "SegformerForSemanticSegmentation"),
    "swin": tuple(f"Swin{end}" for end in ("Model", "ForImageClassification", "ForMaskedImageModeling", "Backbone")),
    "swinv2": tuple(
        f"Swinv2{end}" for end in ("Model", "ForImageClassification", "ForMaskedImageModeling", "Backbone")
    ),
    "convnext": ("ConvNextModel", "ConvNextForImageClassification", "ConvNextBackbone"),
    "convnextv2": ("ConvNextV2Model", "ConvNextV2ForImageClassification", "ConvNextV2Backbone"),
    "resnet": ("ResNetModel", "ResNetForImageClassification", "ResNetBackbone"),
    "dinov2": ("Dinov2Model", "Dinov2ForImageClassification", "Dinov2Backbone"),
    "dinov2_with_registers": tuple(
        f"Dinov2WithRegisters{end}" for end in ("Model", "ForImageClassification", "Backbone")
    ),
    "dinov3_vit": ("DINOv3ViTModel", "DINOv3ViTBackbone"),
    "vit_msn": ("ViTMSNModel", "ViTMSNForImageClassification"),
    **others.CLASSES,
    **classifiers.CLASSES,
    **detectors.CLASSES,
    **finders.CLASSES,
}
"""The first is what is measured where a file names none."""


def drawn(family: str, random: Random, name: str = "") -> dict[str, Any]:
    """The content of a config.json, of the class `name` or of any."""
    content: dict[str, Any] = {"model_type": family, **DRAW[family](random)}
    content |= random.choice(({}, {"dtype": "bfloat16"}, {"torch_dtype": "float32"}, {"dtype": None}))
    if name or random.random() < 0.9:
        content["architectures"] = [name or random.choice(CLASSES[family])]
    names = {str(index): f"class {index}" for index in range(random.choice((1, 3, 5)))}
    content |= random.choice(({}, {"num_labels": 4}, {"id2label": names}))
    return classifiers.settled(detectors.settled(content))


def patched(random: Random) -> dict[str, Any]:
    patch = random.choice((2, 4))
    return {
        **{**tower(random), "patch_size": patch, "image_size": patch * random.randint(1, 3) + random.randint(0, 1)},
        **some(random, qkv_bias=yes(random), num_channels=1, head_dim=3, pooler_output_size=5, encoder_stride=2),
    }


def handed_on(random: Random, stages: int) -> dict[str, Any]:
    """Which stages a backbone hands on."""
    places = sorted(random.sample(range(stages + 1), random.randint(1, stages + 1)))
    names = ["stem", *(f"stage{place}" for place in range(1, stages + 1))]
    choice = [{"out_indices": places}, {"out_features": [names[place] for place in places]}, {}]
    choice.append({"out_indices": [place - stages - 1 for place in places]})
    return {**random.choice(choice), "apply_layernorm": yes(random), "reshape_hidden_states": yes(random)}


def dinov2(random: Random) -> dict[str, Any]:
    content = tower(random)
    del content["intermediate_size"]
    patch = random.choice((2, 4))
    return {
        **{**content, "patch_size": patch, "image_size": patch * random.randint(1, 3) + random.randint(0, 1)},
        **some(random, qkv_bias=yes(random), num_channels=1, mlp_ratio=random.randint(1, 5), use_mask_token=True),
        **some(random, use_swiglu_ffn=yes(random), drop_path_rate=0.1),
        **handed_on(random, content["num_hidden_layers"]),
    }


def with_registers(random: Random) -> dict[str, Any]:
    return {**dinov2(random), **some(random, num_register_tokens=random.randint(0, 3))}


def dinov3(random: Random) -> dict[str, Any]:
    content = tower(random)
    return {
        **{**content, "hidden_size": 8 * content["num_attention_heads"], "patch_size": random.choice((2, 3))},
        **some(random, query_bias=yes(random), key_bias=yes(random), value_bias=yes(random), proj_bias=yes(random)),
        **some(random, mlp_bias=yes(random), use_gated_mlp=yes(random), num_register_tokens=2, num_channels=1),
        **some(random, drop_path_rate=0.1, pos_embed_shift=0.1, pos_embed_jitter=1.1, pos_embed_rescale=None),
        **handed_on(random, content["num_hidden_layers"]),
    }


def staged(draw: Callable[[Random], dict[str, Any]]) -> Callable[[Random], dict[str, Any]]:
    """The configuration of a convolutional family, with the stages that its backbone hands on."""

    def drawn(random: Random) -> dict[str, Any]:
        content = draw(random)
        rest = handed_on(random, len(content["depths"]))
        rest = {key: value for key, value in rest.items() if key.startswith("out_")}
        return {**content, **rest, **some(random, drop_path_rate=0.2)}

    return drawn


def beit(random: Random) -> dict[str, Any]:
    content = {**tower(random), "num_hidden_layers": random.randint(4, 5)}
    places = sorted(random.sample(range(1, content["num_hidden_layers"] + 1), 4))
    switches = ("use_mask_token", "use_absolute_position_embeddings", "use_relative_position_bias")
    switches += ("use_shared_relative_position_bias", "use_mean_pooling", "use_auxiliary_head")
    switches += ("auxiliary_concat_input", "add_fpn", "reshape_hidden_states")
    return {
        **{**content, "patch_size": 4, "image_size": random.choice((16, 26)), "vocab_size": 30},
        **{switch: yes(random) for switch in switches},
        **some(random, layer_scale_init_value=random.choice((0.0, 0.1)), drop_path_rate=random.choice((0.0, 0.2))),
        **some(random, auxiliary_channels=7, auxiliary_num_convs=random.randint(0, 2), pool_scales=[1, 2]),
        random.choice(("out_indices", "segmentation_indices")): places,
    }


def segformer(random: Random) -> dict[str, Any]:
    count = random.randint(1, 3)
    heads = [random.randint(1, 3) for _ in range(count)]
    return {
        **{"num_encoder_blocks": count, "num_attention_heads": heads, "hidden_sizes": [4 * head for head in heads]},
        **{"depths": [random.randint(1, 3) for _ in heads], "sr_ratios": [random.choice((1, 2)) for _ in heads]},
        **{"patch_sizes": [3 for _ in heads], "strides": [2 for _ in heads]},
        **{"mlp_ratios": [random.randint(1, 3) for _ in heads]},
        **some(random, hidden_act=random.choice(ACTS), num_channels=1, decoder_hidden_size=6, drop_path_rate=0.0),
    }


def swin(random: Random) -> dict[str, Any]:
    count = random.randint(1, 3)
    heads = [random.randint(1, 3) for _ in range(count)]
    content = {
        **{"embed_dim": 12, "depths": [random.randint(1, 5) for _ in heads], "num_heads": heads},
        **{"window_size": random.choice((2, 3)), "patch_size": 2, "image_size": 24},
        **some(random, mlp_ratio=random.choice((1.5, 3.0)), qkv_bias=yes(random), hidden_act=random.choice(ACTS)),
        **some(random, num_channels=1, drop_path_rate=0.0, encoder_stride=3, use_absolute_embeddings=yes(random)),
    }
    rest = handed_on(random, count)
    return {**content, **{key: value for key, value in rest.items() if key.startswith("out_")}}


def detr(random: Random) -> dict[str, Any]:
    backbone = {"model_type": "resnet", **resnet(random), **some(random, num_labels=7)}
    backbone["out_features"] = [f"stage{len(backbone['depths'])}"]
    return {
        **{"backbone_config": backbone, "use_timm_backbone": False, "d_model": 24, "num_queries": 5},
        **{
            f"{side}_{key}": count
            for side in ("encoder", "decoder")
            for key, count in (
                ("layers", random.randint(1, 3)),
                ("attention_heads", random.choice((1, 3))),
                ("ffn_dim", 11),
            )
        },
        **some(random, activation_function=random.choice(ACTS), auxiliary_loss=True, dropout=0.0),
        **some(random, position_embedding_type=random.choice(("sine", "learned"))),
    }


def swinv2(random: Random) -> dict[str, Any]:
    content = {**swin(random), "window_size": random.choice((3, 4))}
    content.pop("use_absolute_embeddings", None)
    return {**content, **some(random, pretrained_window_sizes=[0, 0, 0, 0])}


def mobilenet(random: Random) -> dict[str, Any]:
    return {
        **{"depth_multiplier": random.choice((0.25, 0.35, 1.3)), "image_size": 40},
        **some(random, tf_padding=yes(random), num_channels=1, min_depth=random.choice((4, 8))),
        **some(random, hidden_act=random.choice(ACTS), classifier_dropout_prob=0.2),
    }


def mobilenet_v2(random: Random) -> dict[str, Any]:
    return {
        **mobilenet(random),
        **some(random, depth_divisible_by=random.choice((4, 8)), expand_ratio=random.choice((2.0, 3.5))),
        **some(random, output_stride=random.choice((8, 16)), first_layer_is_expansion=False, finegrained_output=False),
    }


DRAW = {
    "mobilenet_v1": mobilenet,
    "mobilenet_v2": mobilenet_v2,
    "swinv2": swinv2,
    "detr": detr,
    "segformer": segformer,
    "swin": swin,
    "beit": beit,
    "convnext": staged(convnext),
    "convnextv2": staged(convnext),
    "resnet": staged(resnet),
    "dinov2": dinov2,
    "dinov2_with_registers": with_registers,
    "dinov3_vit": dinov3,
    "deit": patched,
    "ijepa": patched,
    "vit_msn": patched,
    **others.DRAW,
    **classifiers.DRAW,
    **detectors.DRAW,
    **finders.DRAW,
}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("dinov2", "dinov2_with_registers", "dinov3_vit"), ((8, 8), (13, 9))),
    **dict.fromkeys(("segformer",), ((33, 40), (64, 64))),
    **dict.fromkeys(("mobilenet_v1", "mobilenet_v2"), ((64, 64), (70, 65))),
    **dict.fromkeys(("detr",), ((64, 64), (70, 65))),
    **dict.fromkeys(("beit",), ((16, 16), (21, 24))),
    **dict.fromkeys(("convnext", "convnextv2", "resnet"), ((70, 65), (64, 64))),
    **others.ANY_SIZE,
    **classifiers.ANY_SIZE,
    **detectors.ANY_SIZE,
    **finders.ANY_SIZE,
}
"""The images of families that take any size; the others take the one of their file."""


def workloads(content: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model of the file is run on."""
    if sizes := ANY_SIZE.get(content["model_type"]):
        return [{"batch": batch, "image_size": size} for batch, size in zip((2, 3), sizes, strict=True)]
    for kind in (others, detectors, classifiers, finders):
        if found := kind.given(content):
            return found
    size = content.get("image_size", 224)
    return [{"batch": batch, "image_size": (size, size)} for batch in (1, 3)]
