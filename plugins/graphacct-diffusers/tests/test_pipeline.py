"""A whole pipeline's folder: all its parts, one step of denoising, and the decoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, GraphacctError, ReadError

GOLDENS = Path(__file__).parent / "goldens"
CLIP = {
    "model_type": "clip_text_model",
    "architectures": ["CLIPTextModel"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 60,
    "projection_dim": 16,
}
T5 = {
    "model_type": "t5",
    "architectures": ["T5EncoderModel"],
    "d_model": 20,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 2,
}
QWEN = {
    "model_type": "qwen2_5_vl",
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    "vision_config": {"hidden_size": 16, "depth": 1, "num_heads": 2, "intermediate_size": 24, "out_hidden_size": 32},
}
TEXTS = {
    "Qwen2_5_VLForConditionalGeneration": QWEN,
    "UMT5EncoderModel": {**T5, "model_type": "umt5", "architectures": ["UMT5EncoderModel"]},
    "CLIPTextModel": CLIP,
    "CLIPTextModelWithProjection": {**CLIP, "architectures": ["CLIPTextModelWithProjection"]},
    "T5EncoderModel": T5,
}
PARTS: dict[str, dict[str, str]] = {
    "StableDiffusionPipeline": {"unet": "unet", "vae": "autoencoder", "text_encoder": "CLIPTextModel"},
    "StableDiffusionXLPipeline": {
        "unet": "unet_sdxl",
        "vae": "autoencoder_tiny",
        "text_encoder": "CLIPTextModel",
        "text_encoder_2": "CLIPTextModelWithProjection",
    },
    "StableDiffusion3Pipeline": {
        "transformer": "sd3",
        "vae": "autoencoder",
        "text_encoder": "CLIPTextModelWithProjection",
        "text_encoder_2": "CLIPTextModelWithProjection",
        "text_encoder_3": "T5EncoderModel",
    },
    "FluxPipeline": {
        "transformer": "flux",
        "vae": "autoencoder",
        "text_encoder": "CLIPTextModel",
        "text_encoder_2": "T5EncoderModel",
    },
    "ChromaPipeline": {"transformer": "chroma", "vae": "autoencoder", "text_encoder": "T5EncoderModel"},
    "AuraFlowPipeline": {"transformer": "auraflow", "vae": "autoencoder", "text_encoder": "T5EncoderModel"},
    "QwenImagePipeline": {
        "transformer": "qwen_image",
        "vae": "autoencoder_qwen_image",
        "text_encoder": "Qwen2_5_VLForConditionalGeneration",
    },
    "WanPipeline": {
        "transformer": "wan",
        "transformer_2": "wan",
        "vae": "autoencoder_wan",
        "text_encoder": "UMT5EncoderModel",
    },
    "PixArtAlphaPipeline": {"transformer": "pixart", "vae": "autoencoder", "text_encoder": "T5EncoderModel"},
}
SIZES = {"image_size": 32}
TOKENS = {"unet": {}, "sd3": {"seq_len": 100}, "flux": {"seq_len": 9}, "pixart": {"seq_len": 9}}
TOKENS |= {"chroma": {"seq_len": 9}, "auraflow": {"seq_len": 9}, "qwen_image": {"seq_len": 9}, "wan": {"seq_len": 9}}
"""The tokens that the denoising model is given, where there are others than CLIP's 77."""
OF_T5 = {"sd3": 100 - 77, "flux": 9, "pixart": 9, "chroma": 9, "auraflow": 9, "wan": 9, "qwen_image": 9 + 34}


def keys_of(case: str) -> dict[str, Any]:
    """The config.json of a part, by its golden or its class."""
    if case in TEXTS:
        return TEXTS[case]
    found: dict[str, Any] = json.loads((GOLDENS / f"{case}.json").read_text(encoding="utf-8"))["config"]
    return found


def written(folder: Path, kind: str, parts: dict[str, str], **more: Any) -> Path:
    """The folder of a pipeline."""
    index: dict[str, Any] = {
        "_class_name": kind,
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "PNDMScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "image_encoder": [None, None],
        **more,
    }
    for name, case in parts.items():
        keys = keys_of(case)
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(keys))
        index[name] = ["transformers", case] if case in TEXTS else ["diffusers", keys["_class_name"]]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("kind", PARTS)
def test_a_pipeline_is_the_sum_of_its_parts(kind: str, tmp_path: Path) -> None:
    """Each part is a scope with the parameters and the FLOPs of its own report; of the autoencoder's the decoder alone
    runs, and all of it is in memory."""
    parts = PARTS[kind]
    folder = written(tmp_path, kind, parts)
    step = parts.get("transformer", "unet")
    words, film = TOKENS[step], {"frames": 5} if step == "wan" else {}
    quick = {"quantities": ("params", "flops"), "dtype": "float32"}
    report = graphacct.account(folder, **quick, **SIZES, **words, **film)
    assert report.workload["steps"] == 1
    each = 32 // report.workload.get("latents", (32, 32))[-1]
    rows = {row.path: row.values for row in report.by_scope}
    assert {path for path in rows if "." not in path} == set(parts)
    for name, case in parts.items():
        sizes: dict[str, Any] = {**SIZES, **film}
        if case in TEXTS:
            sizes = {} if case.startswith("CLIP") else {"seq_len": OF_T5[step]}
            sizes |= {"images": 0} if case.startswith("Qwen") else {}
        elif name != "vae":
            sizes |= {**words, "set": {"vae_scale_factor": each}}
        own = graphacct.account(folder / name, **quick, **sizes)
        assert rows[name]["params"] == own.total["params"]
        if name == "vae":
            alone = {row.path: row.values for row in own.by_scope}
            assert rows["vae.decoder"]["flops"] == alone["decoder"]["flops"]
            assert rows["vae.encoder"] == {"params": alone["encoder"]["params"], "flops": 0}
        else:
            assert rows[name]["flops"] == (0 if name == "transformer_2" else own.total["flops"])


def test_what_is_not_counted_is_said(tmp_path: Path) -> None:
    """The model that looks at pictures afterwards is left out, with a note; a part's key is set by its path."""
    checker = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    folder = written(tmp_path, "StableDiffusionPipeline", PARTS["StableDiffusionPipeline"], safety_checker=checker)
    report = graphacct.account(folder, quantities=("params",))
    assert report.model == tmp_path.name
    assert report.annotated.graph.config_keys.notes() == ("left out: the safety_checker",)
    less = graphacct.account(folder, set={"unet.layers_per_block": 1}, quantities=("params",))
    assert less.total["params"] < report.total["params"]


def test_the_number_of_tokens_is_clips(tmp_path: Path) -> None:
    folder = written(tmp_path, "StableDiffusionPipeline", PARTS["StableDiffusionPipeline"])
    with pytest.raises(ConfigError, match="seq_len 9: text_encoder pads every text to its 77 positions"):
        graphacct.account(folder, seq_len=9)
    with pytest.raises(ConfigError, match="diffusion-pipeline has no phase 'train': it has forward"):
        graphacct.account(folder, phase="train")


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("KandinskyPipeline", {}, "of the class 'KandinskyPipeline', whose parts are reported one by one"),
        ("StableDiffusionPipeline", {"prior": ["diffusers", "X"]}, "whose 'prior' no 'StableDiffusionPipeline' has"),
        (
            "StableDiffusionPipeline",
            {"vae": ["diffusers", "X"]},
            "whose vae is of the class 'X', which is not read in a",
        ),
        ("StableDiffusionPipeline", {"unet": None}, "a pipeline has a vae, and a unet or a transformer"),
        ("StableDiffusionPipeline", {"unet": ["diffusers", 3]}, r"has \['diffusers', 3\] as unet, which is a library"),
        (
            "StableDiffusionPipeline",
            {"text_encoder_2": ["transformers", "X"]},
            "whose text_encoder_2/config.json is not",
        ),
    ],
)
def test_a_pipeline_that_is_not_put_together_names_its_parts(
    kind: str, more: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """The message has the command for each part."""
    folder = written(tmp_path, kind, PARTS["StableDiffusionPipeline"])
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, **more}))
    with pytest.raises(GraphacctError, match=message) as raised:
        graphacct.account(folder / "model_index.json")
    if "whose" in message:
        assert "\ngraphacct report FOLDER/unet (UNet2DConditionModel), graphacct" in str(raised.value)


def test_an_index_alone(tmp_path: Path) -> None:
    """Without a folder there are no parts."""
    folder = written(tmp_path, "FluxPipeline", PARTS["FluxPipeline"])
    index = json.loads((folder / "model_index.json").read_text())
    with pytest.raises(ReadError, match=r"whose transformer/config\.json is not there\ngraphacct report FOLDER/transf"):
        graphacct.account({**index, "model_type": "any"})
