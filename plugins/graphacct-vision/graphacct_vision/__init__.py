"""Vision for graphacct: batch normalisation, pooling, ResNet and ConvNeXt.

Everything is imported on first use: a graph from a file needs no architecture.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from graphacct import LazyArchitecture, LazyOperator, PresetFiles, Translation, hookimpl

HERE = os.path.dirname(__file__)


def _family(path: str, name: str = "", model_type: str = "", also: tuple[str, ...] = ()) -> LazyArchitecture:
    """Returns the family in a file: `detectors.detr` is `detectors/detr.py`, called `detr` unless `name` is given. It
    reads the `model_type` of its name unless one is given, and the others in `also`."""
    name = name or path.rpartition(".")[2]
    presets = PresetFiles(f"{HERE}/{path.replace('.', '/')}.py")
    return LazyArchitecture(name, f"{__name__}.{path}", presets, (model_type or name, *also))


FAMILIES = (
    LazyArchitecture("resnet", "graphacct_vision.convnets.resnet", PresetFiles(f"{HERE}/convnets/resnet.py")),
    _family("convnets.hf_resnet", "hf-resnet", "resnet"),
    _family("vits.beit"),
    _family("convnets.bit"),
    _family("multimodal.clap"),
    _family("multimodal.clap_audio", "clap_audio_model"),
    _family("convnets.convnext"),
    _family("convnets.convnextv2"),
    _family("vits.cvt"),
    _family("detectors.d_fine"),
    _family("detectors.dab_detr", "dab-detr"),
    _family("detectors.deformable_detr"),
    _family("detectors.deimv2"),
    _family("detectors.detr"),
    _family("vits.dinov2"),
    _family("vits.dinov2_with_registers"),
    _family("vits.dinov3_vit"),
    _family("convnets.mobilenet_v1"),
    _family("convnets.mobilenet_v2"),
    _family("dense.segformer"),
    _family("multimodal.deepseek_ocr2"),
    _family("multimodal.deepseek_vl_hybrid"),
    _family("multimodal.deepseek_vl_v2", also=("deepseekocr",)),
    _family("multimodal.florence2"),
    _family("multimodal.got_ocr2", also=("pp_chart2table",)),
    _family("multimodal.unlimited_ocr"),
    _family("sam.sam"),
    _family("sam.sam2"),
    _family("sam.sam2_hiera_det", "sam2_hiera_det_model"),
    _family("sam.sam2_vision", "sam2_vision_model"),
    _family("sam.sam2_video"),
    _family("sam.sam3"),
    _family("sam.sam3_tracker"),
    _family("sam.sam3_video"),
    _family("sam.sam3_vision", "sam3_vision_model"),
    _family("sam.sam3_vit", "sam3_vit_model"),
    _family("sam.sam_hq"),
    _family("sam.sam_hq_vision", "sam_hq_vision_model"),
    _family("sam.sam_vision", "sam_vision_model"),
    _family("dense.superpoint"),
    _family("vits.swiftformer"),
    _family("vits.swin"),
    _family("dense.swin2sr"),
    _family("vits.swinv2"),
    _family("detectors.conditional_detr"),
    _family("vits.data2vec_vision", "data2vec-vision"),
    _family("dense.depth_anything"),
    _family("convnets.dinov3_convnext"),
    _family("vits.donut_swin", "donut-swin"),
    _family("vits.maskformer_swin", "maskformer-swin"),
    _family("dense.dpt"),
    _family("convnets.efficientnet"),
    _family("convnets.focalnet"),
    _family("timm.gemma3n_vision"),
    _family("dense.glpn"),
    _family("detectors.grounding_dino", "grounding-dino"),
    _family("detectors.mm_grounding_dino", "mm-grounding-dino"),
    _family("convnets.hgnet_v2"),
    _family("vits.hiera"),
    _family("vits.levit"),
    _family("vits.lw_detr_vit"),
    _family("dense.mask2former"),
    _family("dense.maskformer"),
    _family("vits.mobilevit"),
    _family("vits.mobilevitv2"),
    _family("vits.pixio"),
    _family("convnets.poolformer"),
    _family("convnets.pp_lcnet"),
    _family("convnets.pp_lcnet_v3"),
    _family("convnets.pp_lcnet_v4"),
    _family("dense.pp_ocrv5_mobile_det"),
    _family("dense.prompt_depth_anything"),
    _family("vits.pvt"),
    _family("vits.pvt_v2"),
    _family("convnets.regnet"),
    _family("detectors.rt_detr"),
    _family("convnets.rt_detr_resnet"),
    _family("detectors.rt_detr_v2"),
    _family("convnets.textnet"),
    _family("vits.tipsv2_vision", "tipsv2_vision_model"),
    _family("videos.timesformer"),
    _family("timm.timm_backbone"),
    _family("timm.timm_wrapper"),
    _family("multimodal.open_clip"),
    _family("videos.videomae"),
    _family("vits.vitdet"),
    _family("dense.vitmatte"),
    _family("dense.vitpose"),
    _family("vits.vitpose_backbone"),
    _family("videos.vivit"),
    _family("videos.vjepa2"),
    _family("detectors.table_transformer", "table-transformer"),
    _family("dense.upernet"),
    _family("vits.vit_mae"),
    _family("detectors.yolos"),
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
        LazyOperator(name, f"{__name__}.operators.{module}", known_as=OTHER_NAMES.get(name, ()))
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
