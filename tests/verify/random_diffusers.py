"""Small configurations of diffusers' transformers and autoencoders, drawn at random, and the sizes they are given."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

Drawn = tuple[dict[str, Any], dict[str, Any]]
"""The keys of a part's config.json, and a workload."""


def yes(random: Random) -> bool:
    return random.random() < 0.5


def heads(random: Random) -> dict[str, int]:
    return {"num_attention_heads": random.randint(1, 3), "attention_head_dim": random.choice((16, 24))}


def width(keys: dict[str, Any]) -> int:
    return int(keys["num_attention_heads"] * keys["attention_head_dim"])


def sizes(random: Random, sides: tuple[int, ...], dtypes: tuple[str, ...] = ("float32", "bfloat16")) -> dict[str, Any]:
    return {
        "image_size": (random.choice(sides), sides[0]),
        "batch": random.choice((1, 2)),
        "dtype": random.choice(dtypes),
    }


def words(random: Random) -> dict[str, int]:
    return {"seq_len": random.choice((5, 8))}


def chroma(random: Random) -> Drawn:
    keys = heads(random)
    return {
        **keys,
        **{"axes_dims_rope": [4, 6, keys["attention_head_dim"] - 10], "joint_attention_dim": 12},
        **{"num_layers": random.randint(0, 3), "num_single_layers": random.randint(0, 3)},
        **{"in_channels": random.choice((8, 16)), "out_channels": random.choice((None, 12))},
        **{"approximator_num_channels": random.choice((8, 16)), "approximator_hidden_dim": random.choice((10, 24))},
        **{"approximator_layers": random.randint(0, 3), "patch_size": random.choice((1, 2))},
    }, {**sizes(random, (48, 64)), **words(random)}


def auraflow(random: Random) -> Drawn:
    keys = heads(random)
    return {
        **keys,
        **{"num_mmdit_layers": random.randint(0, 3), "num_single_dit_layers": random.randint(0, 3)},
        **{"joint_attention_dim": random.choice((12, 20)), "caption_projection_dim": width(keys), "sample_size": 8},
        **{"in_channels": random.choice((4, 8)), "pos_embed_max_size": random.choice((64, 100))},
    }, {**sizes(random, (48, 64), ("float32", "bfloat16", "float16")), **words(random)}


def sana(random: Random) -> Drawn:
    keys = heads(random)
    return {
        **{**keys, "num_layers": random.randint(0, 3), "cross_attention_dim": width(keys), "sample_size": 4},
        **{"num_cross_attention_heads": 2, "cross_attention_head_dim": random.choice((8, 12))},
        **{"caption_channels": 12, "in_channels": random.choice((4, 8)), "out_channels": random.choice((4, None))},
        **{"mlp_ratio": random.choice((2.5, 3)), "dropout": random.choice((0.0, 0.1)), "attention_bias": yes(random)},
        **{"norm_elementwise_affine": yes(random), "guidance_embeds": yes(random)},
        **{"qk_norm": random.choice((None, "rms_norm_across_heads")), "patch_size": random.choice((1, 2))},
        **{"interpolation_scale": random.choice((None, 1.0))},
    }, {**sizes(random, (128, 192), ("float32", "bfloat16", "float16")), **words(random)}


def ltx_video(random: Random) -> Drawn:
    keys = heads(random)
    return {
        **{**keys, "num_layers": random.randint(0, 3), "cross_attention_dim": width(keys), "caption_channels": 12},
        **{"in_channels": random.choice((4, 8)), "out_channels": random.choice((4, 8))},
        **{"norm_elementwise_affine": yes(random), "attention_bias": yes(random), "attention_out_bias": yes(random)},
        **{"activation_fn": random.choice(("gelu-approximate", "geglu"))},
    }, {**sizes(random, (64, 96)), **words(random), "frames": random.choice((1, 9, 17))}


def cogvideox(random: Random) -> Drawn:
    turned = yes(random)
    each = random.choice((None, 2)) if turned else None
    return {
        **{"num_attention_heads": random.randint(1, 3), "attention_head_dim": 16, "num_layers": random.randint(0, 3)},
        **{"text_embed_dim": 12, "max_text_seq_length": 6},
        **{"time_embed_dim": random.choice((8, 10)), "in_channels": 4, "out_channels": random.choice((4, 8))},
        **{"sample_width": 4, "sample_height": 4, "sample_frames": 5, "dropout": random.choice((0.0, 0.1))},
        **{"norm_elementwise_affine": yes(random), "attention_bias": yes(random), "patch_bias": yes(random)},
        **{"use_rotary_positional_embeddings": turned, "patch_size_t": each},
    }, {**sizes(random, (32, 48)), "frames": 5 if each else random.choice((1, 5, 9))}


def hunyuan_video(random: Random) -> Drawn:
    return {
        **{"num_attention_heads": random.randint(1, 3), "attention_head_dim": 16, "rope_axes_dim": [4, 6, 6]},
        **{"num_layers": random.randint(1, 2), "num_single_layers": random.randint(1, 2)},
        **{"num_refiner_layers": random.randint(1, 2), "text_embed_dim": 12, "pooled_projection_dim": 10},
        **{"in_channels": 4, "out_channels": random.choice((4, 8)), "guidance_embeds": yes(random)},
        **{"mlp_ratio": random.choice((4.0, 2.5)), "image_condition_type": random.choice((None, "latent_concat"))},
    }, {**sizes(random, (32, 48)), **words(random), "frames": random.choice((1, 5, 9))}


def autoencoder_dc(random: Random) -> Drawn:
    kinds = ("ResBlock", "EfficientViTBlock")
    widths = [8, 16, 16]
    return {
        **{"latent_channels": random.choice((4, 8)), "attention_head_dim": random.choice((4, 8))},
        **{"encoder_block_types": ["ResBlock", random.choice(kinds), kinds[1]]},
        **{"decoder_block_types": ["ResBlock", "ResBlock", random.choice(kinds)]},
        **{"encoder_block_out_channels": widths, "decoder_block_out_channels": widths},
        **{"encoder_layers_per_block": [random.randint(0, 2), 1, random.randint(0, 2)]},
        **{"decoder_layers_per_block": [random.randint(0, 2), 1, 2], "decoder_qkv_multiscales": [[], [], [5]]},
        **{"encoder_qkv_multiscales": [[], [], random.choice(([], [3], [3, 5]))]},
        **{"upsample_block_type": random.choice(("pixel_shuffle", "interpolate"))},
        **{"downsample_block_type": random.choice(("pixel_unshuffle", "Conv"))},
        **{"decoder_norm_types": random.choice(("rms_norm", ["batch_norm", "rms_norm", "rms_norm"]))},
        **{"decoder_act_fns": random.choice(("silu", ["relu", "silu", "silu"]))},
        **{"encoder_out_shortcut": yes(random), "decoder_in_shortcut": yes(random)},
    }, sizes(random, (8, 16, 24))


def autoencoder_wan(random: Random) -> Drawn:
    times, halved = random.choice((([1, 2, 2], [True, True]), ([1, 1, 2, 2], [False, True, True])))
    squares = {"patch_size": 2, "in_channels": 12, "out_channels": 12} if yes(random) else {}
    return {
        **{"base_dim": random.choice((4, 6)), "z_dim": random.choice((2, 4)), "dim_mult": times, **squares},
        **{"num_res_blocks": random.choice((1, 2)), "temperal_downsample": halved, "is_residual": yes(random)},
        **{"decoder_base_dim": random.choice((None, 8))},
    }, {**sizes(random, (16, 32)), "frames": random.choice((1, 5, 9))}


DRAW: dict[str, Callable[[Random], Drawn]] = {
    "ChromaTransformer2DModel": chroma,
    "AuraFlowTransformer2DModel": auraflow,
    "SanaTransformer2DModel": sana,
    "LTXVideoTransformer3DModel": ltx_video,
    "CogVideoXTransformer3DModel": cogvideox,
    "HunyuanVideoTransformer3DModel": hunyuan_video,
    "AutoencoderDC": autoencoder_dc,
    "AutoencoderKLWan": autoencoder_wan,
}
