"""Files of a pipeline: parts and folders, sizes of pictures, and files with mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from draws import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import graphacct
from graphacct.errors import ConfigError, GraphacctError, ReadError

GOLDENS = Path(__file__).parent / "goldens"
SMALL: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))["config"] for file in sorted(GOLDENS.glob("*.json"))
}
INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.18.0",
    "requires_safety_checker": True,
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def pipeline(folder: Path) -> Path:
    """A folder of a pipeline with two parts."""
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    for part, case in (("unet", "unet"), ("vae", "autoencoder")):
        (folder / part).mkdir()
        (folder / part / "config.json").write_text(json.dumps(SMALL[case]))
    return folder


def test_a_part_of_a_folder(tmp_path: Path) -> None:
    """A part is read from its folder, its file, a file of any name, and a mapping."""
    folder = pipeline(tmp_path)
    report = graphacct.account(folder / "unet")
    assert report.model == "unet"
    other = tmp_path / "of_another_name.json"
    other.write_text(json.dumps(SMALL["unet"]))
    for model in (folder / "unet" / "config.json", other, {**SMALL["unet"], "model_type": "any"}):
        assert graphacct.account(model).total == report.total
    assert graphacct.account(folder / "vae").total["params"] == 856_711


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"_class_name": "PNDMScheduler"}, "is a 'PNDMScheduler' of a diffusers pipeline, which is no model"),
        ({"_class_name": "UNet3DConditionModel"}, "of the class 'UNet3DConditionModel', which is not read"),
        ({"_class_name": 3}, "whose _class_name is 3: name its class there; known: UNet2DConditionModel"),
        ({"_class_name": "FluxPipeline"}, "of the class 'FluxPipeline', and names no model"),
    ],
)
def test_what_is_no_part_that_is_read(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    """A scheduler, another class, a class that is no name, an empty pipeline."""
    (tmp_path / "config.json").write_text(json.dumps({"_diffusers_version": "0.42.1", **keys}))
    with pytest.raises(ReadError, match=message):
        graphacct.account(tmp_path)


@pytest.mark.parametrize(
    ("case", "keys", "message"),
    [
        ("unet", {"attention_type": "gated"}, "attention_type is 'gated', which is not modelled: it is default"),
        ("unet", {"dual_cross_attention": True}, "dual_cross_attention is always false in this family, not True"),
        (
            "unet",
            {"down_block_types": ["KDownBlock2D", "DownBlock2D"]},
            "has 'KDownBlock2D', a block that is not modelled",
        ),
        ("unet", {"block_out_channels": [32]}, "down_block_types has 2 blocks, and block_out_channels 1"),
        ("unet", {"norm_num_groups": 7}, "has 32 channels, which do not divide into 7 groups"),
        ("unet", {"norm_num_groups": None}, "norm_num_groups is null: give a number"),
        ("unet", {"transformer_layers_per_block": [[1, 2], 1]}, "needs reverse_transformer_layers_per_block"),
        ("unet_simple", {"cross_attention_norm": "rms"}, "cross_attention_norm cannot be 'rms'"),
        ("sd3", {"caption_projection_dim": 64}, "caption_projection_dim is 64, and attention has 32 channels"),
        ("flux", {"axes_dims_rope": [4, 4, 4]}, "axes_dims_rope add up to 12, and attention_head_dim is 16"),
        ("wan", {"pos_embed_seq_len": 514}, "pos_embed_seq_len is 514, which is not modelled"),
        ("wan", {"image_dim": 32}, "image_dim and added_kv_proj_dim are of a model of images"),
        ("qwen_image", {"zero_cond_t": True}, "zero_cond_t is always false in this family, not True"),
        ("qwen_image", {"axes_dims_rope": [4, 4, 4]}, "axes_dims_rope add up to 12, and attention_head_dim is 16"),
        ("autoencoder_tiny", {"upsample_fn": "bilinear"}, "upsample_fn is 'bilinear', which is not modelled"),
        ("autoencoder_tiny", {"num_encoder_blocks": [1, 2]}, "num_encoder_blocks has 2 entries, and encoder_block_out"),
        ("autoencoder_tiny", {"decoder_block_out_channels": [8, 16, 8]}, "all its blocks have the same width"),
        (
            "autoencoder_tiny",
            {"block_out_channels": [9, 9, 9]},
            "block_out_channels are not decoder_block_out_channels",
        ),
        ("chroma", {"axes_dims_rope": [4, 4, 4]}, "axes_dims_rope add up to 12, and attention_head_dim is 16"),
        ("auraflow", {"caption_projection_dim": 64}, "caption_projection_dim is 64, and attention has 32 channels"),
        ("auraflow", {"pos_embed_max_size": 9}, "gives 4 patches along a side, beyond the 3 of pos_embed_max_size 9"),
        ("sana", {"qk_norm": "rms_norm"}, "qk_norm cannot be 'rms_norm'"),
        ("sana", {"mlp_ratio": -1}, "mlp_ratio is a number between 0 and 1000, not -1"),
        ("sana", {"cross_attention_dim": 8}, "cross_attention_dim 8 is not the width 32"),
        (
            "autoencoder_dc",
            {"encoder_block_types": "MBConv"},
            "block_types has 'MBConv', which is not modelled",
        ),
        (
            "autoencoder_dc",
            {"encoder_layers_per_block": [1]},
            "layers_per_block has 1 entries, and there are 3",
        ),
        ("autoencoder_dc", {"decoder_qkv_multiscales": [[2], [], []]}, "is a list of odd sizes of convolutions"),
        ("vq_model", {"norm_type": "spatial"}, "norm_type is 'spatial', which is not modelled: it is group"),
        ("autoencoder_wan", {"temperal_downsample": [True, False]}, "temperal_downsample halves the frames 1 times"),
        ("autoencoder_wan", {"attn_scales": [0.5]}, r"attn_scales is \[0.5\], which is not modelled"),
        ("autoencoder_qwen_image", {"is_residual": True}, "is_residual is True, which is not modelled: it is false"),
        ("ltx_video", {"patch_size": 2}, "patch_size is 2, which is not modelled: it is 1"),
        ("ltx_video", {"cross_attention_dim": 8}, "cross_attention_dim 8 is not the width 32"),
        ("hunyuan_video", {"image_condition_type": "token_replace"}, "is 'token_replace', which is not modelled"),
        ("hunyuan_video", {"rope_axes_dim": [4, 4, 4]}, "rope_axes_dim add up to 12, and attention_head_dim is 16"),
        ("cogvideox", {"ofs_embed_dim": 8}, "ofs_embed_dim is 8, which is not modelled"),
        ("cogvideox", {"use_learned_positional_embeddings": True}, "needs use_rotary_positional_embeddings"),
        ("dit", {"norm_type": "ada_norm"}, "norm_type is 'ada_norm', which is not modelled"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(case: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphacctError, match=message):
        graphacct.account({**SMALL[case], **keys, "model_type": "any"})


def small(case: str, **workload: Any) -> graphacct.Report:
    return graphacct.account({**SMALL[case], "model_type": "any"}, **workload)


def test_sizes_are_those_of_pictures() -> None:
    """image_size is the picture's in pixels, 8 for each latent unless the file's channels are colours, or the user says
    otherwise; the header has both."""
    found = small("unet", image_size=(128, 64)).workload
    assert (found["image_size"], found["latents"], found["seq_len"]) == ((128, 64), (16, 8), 77)
    assert small("unet").workload["latents"] == (8, 8)  # the file's own sample_size
    assert "latents" not in small("unet_simple").workload  # 3 channels
    report = graphacct.account({**SMALL["unet"], "model_type": "any"}, set={"vae_scale_factor": 4}, image_size=64)
    assert report.workload["latents"] == (16, 16)
    video = small("wan", image_size=(32, 64), frames=9).workload
    assert video["latents"] == (3, 4, 8)


@pytest.mark.parametrize(
    ("case", "workload", "message"),
    [
        ("unet", {"image_size": 60}, r"image_size 60 is no multiple of 8, the pixels of a latent .*: give 56 or 64"),
        ("dit", {"image_size": 40}, "image_size gives 5 latents along a side, which patch_size 2 does not divide"),
        ("dit", {"image_size": (64, 32)}, "is no square"),
        ("sd3", {"image_size": 512}, "image_size gives 32 patches along a side, beyond pos_embed_max_size 12"),
        ("wan", {"frames": 8}, "frames 8 is not 1 more than a multiple of 4 .*: give 5 or 9"),
        ("wan_image", {"seq_len": 8}, "seq_len 8: a model told an image takes 512 tokens of text"),
        ("autoencoder_wan", {"frames": 4}, "frames 4 is not 1 more than a multiple of 4: give 5"),
        ("autoencoder_wan", {"image_size": 18}, "image_size 18 is no multiple of 4, the pixels of a latent"),
        ("ltx_video", {"frames": 8}, "frames 8 is not 1 more than a multiple of 8 .*: give 1 or 9"),
        ("cogvideox", {"seq_len": 8}, "seq_len 8: places are added to 6 tokens of text"),
        ("cogvideox_rotary", {"frames": 9}, "frames give 3 latents, which patch_size_t 2 does not divide: give 13"),
        ("autoencoder", {"seq_len": 8}, "has no seq_len: its workload is batch, image_size"),
        ("flux", {"attention": "eager"}, "attention is fused, not 'eager'"),
    ],
)
def test_sizes_that_do_not_fit(case: str, workload: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(case, **workload)


def test_odd_latents_grow_to_the_maps_that_went_down() -> None:
    """A side of 9 latents goes down to 5, and up to 9 again."""
    report = small("unet", image_size=72)
    assert report.workload["latents"] == (9, 9)
    assert small("unet", image_size=80).total["matmul_flops"] > report.total["matmul_flops"]


@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_ends_in_an_error_that_names_it(data: st.DataObject, tmp_path: Path) -> None:
    """Whatever stands in place of a value, the file is read or refused in words."""
    config = dict(SMALL[data.draw(st.sampled_from(sorted(SMALL)))])
    key = data.draw(st.sampled_from(sorted(config)))
    odd = st.one_of(st.none(), st.booleans(), st.integers(-2, 9), st.floats(), st.text(max_size=4), st.just([]))
    config[key] = data.draw(
        st.one_of(odd, st.lists(odd, max_size=3), st.dictionaries(st.text(max_size=2), odd, max_size=2))
    )
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    said = ""
    try:
        graphacct.account(file)
    except GraphacctError as error:
        said = str(error)
    assert len(said) < 900
    assert "failed:" not in said
