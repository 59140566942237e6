"""Vision for graphacct: batch normalisation, pooling, ResNet and ConvNeXt.

Everything is imported on first use: a graph from a file needs no architecture.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from graphacct import LazyArchitecture, LazyOperator, PresetFiles, Translation, hookimpl

HERE = os.path.dirname(__file__)


def _family(name: str, module: str = "", model_type: str = "", also: tuple[str, ...] = ()) -> LazyArchitecture:
    """Returns the family in `module`.py, called `name`; it reads the `model_type` of its name unless one is given, and
    the others in `also`."""
    module = module or name
    presets = PresetFiles(f"{HERE}/{module}.py")
    return LazyArchitecture(name, f"{__name__}.{module}", presets, (model_type or name, *also))


FAMILIES = (
    LazyArchitecture("resnet", "graphacct_vision.resnet", PresetFiles(f"{HERE}/resnet.py")),
    _family("hf-resnet", "hf_resnet", "resnet"),
    _family("beit"),
    _family("bit"),
    _family("clap"),
    _family("clap_audio_model", "clap_audio"),
    _family("convnext"),
    _family("convnextv2"),
    _family("cvt"),
    _family("d_fine"),
    _family("dab-detr", "dab_detr"),
    _family("deformable_detr"),
    _family("deimv2"),
    _family("detr"),
    _family("dinov2"),
    _family("dinov2_with_registers"),
    _family("dinov3_vit"),
    _family("mobilenet_v1"),
    _family("mobilenet_v2"),
    _family("segformer"),
    _family("deepseek_ocr2"),
    _family("deepseek_vl_hybrid"),
    _family("deepseek_vl_v2", also=("deepseekocr",)),
    _family("florence2"),
    LazyArchitecture(
        "got_ocr2", f"{__name__}.got_ocr2", PresetFiles(f"{HERE}/got_ocr2.py"), ("got_ocr2", "pp_chart2table")
    ),
    _family("unlimited_ocr"),
    _family("sam"),
    _family("sam2"),
    _family("sam2_hiera_det_model", "sam2_hiera_det"),
    _family("sam2_vision_model", "sam2_vision"),
    _family("sam2_video"),
    _family("sam3"),
    _family("sam3_tracker"),
    _family("sam3_video"),
    _family("sam3_vision_model", "sam3_vision"),
    _family("sam3_vit_model", "sam3_vit"),
    _family("sam_hq"),
    _family("sam_hq_vision_model", "sam_hq_vision"),
    _family("sam_vision_model", "sam_vision"),
    _family("superpoint"),
    _family("swiftformer"),
    _family("swin"),
    _family("swin2sr"),
    _family("swinv2"),
    _family("conditional_detr"),
    _family("data2vec-vision", "data2vec_vision"),
    _family("depth_anything"),
    _family("dinov3_convnext"),
    _family("donut-swin", "donut_swin"),
    _family("maskformer-swin", "maskformer_swin"),
    _family("dpt"),
    _family("efficientnet"),
    _family("focalnet"),
    _family("gemma3n_vision"),
    _family("glpn"),
    _family("grounding-dino", "grounding_dino"),
    _family("mm-grounding-dino", "mm_grounding_dino"),
    _family("hgnet_v2"),
    _family("hiera"),
    _family("levit"),
    _family("lw_detr_vit"),
    _family("mask2former"),
    _family("maskformer"),
    _family("mobilevit"),
    _family("mobilevitv2"),
    _family("pixio"),
    _family("poolformer"),
    _family("pp_lcnet"),
    _family("pp_lcnet_v3"),
    _family("pp_lcnet_v4"),
    _family("pp_ocrv5_mobile_det"),
    _family("prompt_depth_anything"),
    _family("pvt"),
    _family("pvt_v2"),
    _family("regnet"),
    _family("rt_detr"),
    _family("rt_detr_resnet"),
    _family("rt_detr_v2"),
    _family("textnet"),
    _family("tipsv2_vision_model", "tipsv2_vision"),
    _family("timesformer"),
    _family("timm_backbone"),
    _family("timm_wrapper"),
    _family("open_clip"),
    _family("videomae"),
    _family("vitdet"),
    _family("vitmatte"),
    _family("vitpose"),
    _family("vitpose_backbone"),
    _family("vivit"),
    _family("vjepa2"),
    _family("table-transformer", "table_transformer"),
    _family("upernet"),
    _family("vit_mae"),
    _family("yolos"),
)
"""ResNet as in torchvision, and the transformers library's models, which read a config.json."""


OPERATORS = {
    "normalization": "batch_norm instance_norm local_response_norm",
    "pooling": "max_pool avg_pool adaptive_avg_pool adaptive_max_pool max_unpool fractional_max_pool",
    "upsampling": (
        "upsample_nearest upsample_linear upsample_bicubic upsample_linear_antialiased upsample_bicubic_antialiased"
    ),
    "sampling": "grid_sampler affine_grid",
    "shuffling": "pixel_shuffle pixel_unshuffle channel_shuffle",
    "patches": "im2col col2im",
    "padding": "reflection_pad replication_pad",
}
"""The names of the operators in each module."""
OTHER_NAMES = {
    "batch_norm": ("batch_normalization", "native_batch_norm", "cudnn_batch_norm", "batch_norm1d", "batch_norm2d"),
    "max_pool": ("max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pooling2d"),
    "avg_pool": ("avg_pool1d", "avg_pool2d", "avg_pool3d", "average_pool", "average_pooling2d"),
    "adaptive_avg_pool": ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "global_average_pool"),
    "adaptive_max_pool": ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "global_max_pool"),
    "max_unpool": ("max_unpool1d", "max_unpool2d", "max_unpool3d"),
    "instance_norm": ("instance_normalization", "instance_norm1d", "instance_norm2d", "instance_norm3d"),
    "local_response_norm": ("lrn", "local_response_normalization"),
    "upsample_nearest": ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_nearest_exact"),
    "upsample_linear": ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bilinear"),
    "upsample_bicubic": ("upsample_bicubic2d",),
    "upsample_linear_antialiased": ("_upsample_bilinear2d_aa",),
    "upsample_bicubic_antialiased": ("_upsample_bicubic2d_aa",),
    "fractional_max_pool": ("fractional_max_pool2d", "fractional_max_pool3d"),
    "affine_grid": ("affine_grid_generator",),
    "grid_sampler": ("grid_sample", "grid_sampler_2d", "grid_sampler_3d"),
    "pixel_shuffle": ("depth_to_space",),
    "pixel_unshuffle": ("space_to_depth",),
    "reflection_pad": ("reflection_pad1d", "reflection_pad2d", "reflection_pad3d"),
    "replication_pad": ("replication_pad1d", "replication_pad2d", "replication_pad3d"),
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


def _is_timm(content: Mapping[str, Any]) -> bool:
    return "architecture" in content and "pretrained_cfg" in content


def _is_open_clip(content: Mapping[str, Any]) -> bool:
    inner = content.get("model_cfg", content)
    return isinstance(inner, Mapping) and {"embed_dim", "vision_cfg"} <= inner.keys() and "model_type" not in content


def _open_clip(content: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = content.get("model_cfg", content)
    rest = {key: value for key, value in content.items() if key not in ("model_cfg", "preprocess_cfg", *inner)}
    return {**inner, **rest, "model_type": "open_clip"}


def _timm(content: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = content["pretrained_cfg"]
    labels = {"num_classes": inner["num_classes"]} if isinstance(inner, Mapping) and "num_classes" in inner else {}
    return {"model_type": "timm_wrapper", "architectures": ["timm"], **labels, **content}


@hookimpl
def graphacct_register_translations() -> Iterable[Translation]:
    return (
        Translation("timm-json", "timm's config.json, which names an architecture.", _is_timm, _timm),
        Translation(
            "open-clip-json",
            "An open_clip_config.json, which describes two towers.",
            _is_open_clip,
            _open_clip,
        ),
    )
