"""Diffusion models for graphacct: U-Nets, transformers and autoencoders, as diffusers' config.json files describe them.

Everything is imported on first use. A file names its class in `_class_name`, which is read as a `model_type`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphacct import LazyArchitecture, PresetFiles, Translation, hookimpl

HERE = os.path.dirname(__file__)


def _family(name: str, *classes: str) -> LazyArchitecture:
    """Returns the family of a module, which reads the files of some classes."""
    module = name.replace("-", "_")
    return LazyArchitecture(name, f"{__name__}.{module}", PresetFiles(f"{HERE}/{module}.py"), classes)


FAMILIES = (
    _family("unet-2d-condition", "UNet2DConditionModel"),
    _family("unet-2d", "UNet2DModel"),
    _family("autoencoder-kl", "AutoencoderKL"),
    _family("autoencoder-tiny", "AutoencoderTiny"),
    _family("dit", "DiTTransformer2DModel"),
    _family("pixart", "PixArtTransformer2DModel"),
    _family("sd3", "SD3Transformer2DModel"),
    _family("flux", "FluxTransformer2DModel"),
    _family("qwen-image", "QwenImageTransformer2DModel"),
    _family("wan", "WanTransformer3DModel"),
    _family("chroma", "ChromaTransformer2DModel"),
    _family("auraflow", "AuraFlowTransformer2DModel"),
    _family("sana", "SanaTransformer2DModel"),
    _family("autoencoder-dc", "AutoencoderDC"),
    _family("vq-model", "VQModel"),
    _family("autoencoder-kl-wan", "AutoencoderKLWan"),
    _family("autoencoder-kl-qwen-image", "AutoencoderKLQwenImage"),
    _family("ltx-video", "LTXVideoTransformer3DModel"),
    _family("cogvideox", "CogVideoXTransformer3DModel"),
    _family("hunyuan-video", "HunyuanVideoTransformer3DModel"),
    _family("controlnet", "ControlNetModel"),
    _family("diffusion-pipeline", "diffusion_pipeline"),
)
"""Each with the classes of diffusers that it reads."""


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES


def _is_part(content: Mapping[str, Any]) -> bool:
    return "_class_name" in content or "_diffusers_version" in content


def _part(content: Mapping[str, Any]) -> Mapping[str, Any]:
    from graphacct_diffusers.model_index import FAMILY, part

    return part(content, [kind for family in FAMILIES for kind in family.model_types if kind != FAMILY])


def _beside(content: Mapping[str, Any]) -> Sequence[str]:
    from graphacct_diffusers.model_index import beside

    return beside(content)


@hookimpl
def graphacct_register_translations() -> Iterable[Translation]:
    doc = "A part of a diffusers pipeline, or all of its parts, by its _class_name."
    return (Translation("diffusers", doc, _is_part, _part, beside=_beside),)
