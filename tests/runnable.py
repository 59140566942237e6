"""The options with which a family that has no presets is a whole model: some classes' own defaults are none."""

from __future__ import annotations

from typing import Any

from graphacct.hooks.manager import default

SIZES: dict[str, dict[str, Any]] = {
    # no part is said
    "diffusion-pipeline": {
        "unet": {"model_type": "UNet2DConditionModel", "cross_attention_dim": 768},
        "vae": {"model_type": "AutoencoderKL"},
        "text_encoder": {"model_type": "clip_text_model", "hidden_size": 768, "num_attention_heads": 12},
    },
    # no layer is said to have experts or none
    "deepseek_ocr2": {"text_config.mlp_layer_types": ["dense"] * 32},
    "deepseek_ocr2_text": {"mlp_layer_types": ["dense"] * 32},
    # 28 heads do not divide a width of 2,048
    "qwen3_omni_moe_text": {"head_dim": 128},
    "qwen3_omni_moe_thinker": {"text_config.head_dim": 128},
    # the head is 384 wide and its backbone 768
    "vitmatte": {"hidden_size": 768},
}
NEEDS_AN_IMAGE = ("idefics",)
WORKLOADS: dict[str, dict[str, Any]] = {"autoencoder-kl-wan": {"frames": 5}}  # its pieces are written out, one by one


def runnable(name: str) -> dict[str, Any]:
    """Options for `account` and `build`; none for a preset, which runs as it is."""
    known = default().architectures.get(name)
    if known is None or known.presets:
        return {}
    if name in WORKLOADS:
        return WORKLOADS[name]
    # the towers and the text of some classes' defaults have different widths: the text alone, where there is one
    alone = {word: int(name in NEEDS_AN_IMAGE) for word in ("images", "audios") if word in known.load().sizes}
    return {**alone, **({"set": SIZES[name]} if name in SIZES else {})}
