"""Small models that speak, and text models with codes of sounds, with random sizes, and what their classes are called
with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from random import Random
from typing import Any

import torch
from random_sounds import Case, act
from random_speech import mimi_keys, yes


def saying(model: Any, frames: int, batch: int, tokens: int) -> None:
    """Makes a model's predictor of durations run, and say that all tokens together last so many frames."""
    lengths = torch.ones((batch, 1, tokens))
    lengths[..., 0] = frames - tokens + 1
    model.duration_predictor.register_forward_hook(lambda module, given, out: torch.log(lengths - 0.5) + 0.0 * out)


def vits(random: Random) -> Case:
    rates = random.choice(([4, 2], [2, 3, 2]))
    bins, width = random.choice((5, 10)), random.choice((12, 16))
    blocks = random.choice((1, 2))
    content = {
        **{"model_type": "vits", "architectures": ["VitsModel"], "vocab_size": 20, "hidden_size": width},
        **{
            "num_hidden_layers": random.randint(1, 3),
            "num_attention_heads": 2,
            "window_size": random.choice((2, 4, 9)),
        },
        **{"use_bias": yes(random), "ffn_dim": 20, "layerdrop": 0.0, "ffn_kernel_size": random.choice((1, 2, 3))},
        **{"flow_size": random.choice((6, 8)), "spectrogram_bins": 9, "hidden_act": act(random)},
        **{"use_stochastic_duration_prediction": yes(random), "num_speakers": random.choice((1, 3))},
        **{"speaker_embedding_size": random.choice((0, 5)), "upsample_initial_channel": 16, "upsample_rates": rates},
        **{"upsample_kernel_sizes": [2 * rate + random.choice((0, 1)) for rate in rates]},
        **{"resblock_kernel_sizes": [3, 5][:blocks], "resblock_dilation_sizes": [[1, 3], [1, 2, 1]][:blocks]},
        **{"depth_separable_num_layers": random.randint(1, 3), "duration_predictor_flow_bins": bins},
        **{"duration_predictor_kernel_size": random.choice((3, 5)), "wavenet_kernel_size": random.choice((3, 5))},
        **{"duration_predictor_num_flows": random.randint(0, 3), "duration_predictor_filter_channels": 14},
        **{"prior_encoder_num_flows": random.randint(0, 3), "prior_encoder_num_wavenet_layers": random.randint(1, 3)},
        **{"posterior_encoder_num_wavenet_layers": random.randint(1, 4), "wavenet_dilation_rate": random.randint(1, 2)},
    }
    batch, tokens, frames = random.randint(1, 2), random.choice((3, 8)), random.choice((11, 20))

    def inputs(model: Any) -> dict[str, Any]:
        saying(model, frames, batch, tokens)
        return {"input_ids": torch.full((batch, tokens), 5)}

    samples = frames * prod(rates) - random.choice((0, 3))
    return Case(content, {"batch": batch, "seq_len": tokens, "samples": samples}, inputs, attends=False)


def spoken_text(random: Random) -> dict[str, Any]:
    """FastSpeech 2 without dropout; each of its keys of both sides."""
    sides = {}
    for side in ("encoder", "decoder"):
        rates = ("dropout_rate", "positional_dropout_rate", "attention_dropout_rate")
        sides |= {
            **{f"{side}_num_attention_heads": random.choice((1, 2)), f"{side}_layers": random.randint(1, 3)},
            **{f"{side}_linear_units": random.choice((12, 20)), f"{side}_kernel_size": random.choice((3, 7))},
            **{f"{side}_normalize_before": yes(random), f"{side}_concat_after": yes(random)},
            **{f"{side}_{rate}": 0.0 for rate in rates},
        }
    for name in ("pitch", "energy", "duration"):
        sides |= {
            **{f"{name}_predictor_layers": random.randint(1, 3), f"{name}_predictor_channels": random.choice((8, 14))},
            f"{name}_predictor_kernel_size": random.choice((1, 3, 5)),
        }
    return {
        **{"model_type": "fastspeech2_conformer", "vocab_size": 20, "hidden_size": random.choice((12, 16)), **sides},
        **{"num_mel_bins": 10, "speech_decoder_postnet_layers": random.randint(0, 3), "pitch_embed_kernel_size": 3},
        **{"speech_decoder_postnet_units": 9, "speech_decoder_postnet_kernel": random.choice((3, 5))},
        **{"positionwise_conv_kernel_size": random.choice((1, 3)), "use_macaron_style_in_conformer": yes(random)},
        **{"stop_gradient_from_energy_predictor": yes(random), "stop_gradient_from_pitch_predictor": yes(random)},
        **{"num_speakers": random.choice((None, 3)), "num_languages": random.choice((None, 1, 2))},
        **{"speaker_embed_dim": random.choice((None, 5)), "convolution_bias": yes(random)},
    }


def lasting(model: Any, frames: int, batch: int, tokens: int) -> None:
    """Makes a model's predictor of durations run, and say that all tokens together last so many frames."""
    lengths = torch.ones((batch, tokens), dtype=torch.long)
    lengths[:, 0] = frames - tokens + 1
    model.duration_predictor.register_forward_hook(lambda module, given, out: out if module.training else lengths)


def fastspeech2_conformer(random: Random) -> Case:
    content = {"architectures": ["FastSpeech2ConformerModel"], **spoken_text(random)}
    batch, tokens, frames = random.randint(1, 2), random.choice((3, 8)), random.choice((11, 20))

    def inputs(model: Any) -> dict[str, Any]:
        lasting(model, frames, batch, tokens)
        lengths = torch.ones((batch, tokens), dtype=torch.long)
        lengths[:, 0] = frames - tokens + 1
        curves = {f"{name}_labels": torch.randn((batch, tokens, 1)) for name in ("pitch", "energy")}
        labels = {"spectrogram_labels": torch.randn((batch, frames, 10)), "duration_labels": lengths, **curves}
        return {"input_ids": torch.full((batch, tokens), 5), **labels}

    return Case(content, {"batch": batch, "seq_len": tokens, "frames": frames}, inputs, attends=False)


def fastspeech2_conformer_with_hifigan(random: Random) -> Case:
    rates, factor = random.choice(([4, 2], [2, 3, 2])), random.choice((1, 2))
    vocoder = {
        **{"model_type": "fastspeech2_conformer_hifigan", "model_in_dim": 10, "upsample_initial_channel": 16},
        **{"upsample_rates": rates, "upsample_kernel_sizes": [2 * rate for rate in rates]},
        **{"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]], "normalize_before": yes(random)},
    }
    content = {
        **{"model_type": "fastspeech2_conformer_with_hifigan", "architectures": ["FastSpeech2ConformerWithHifiGan"]},
        **{"model_config": {**spoken_text(random), "reduction_factor": factor}, "vocoder_config": vocoder},
    }
    batch, tokens, frames = random.randint(1, 2), random.choice((3, 8)), random.choice((11, 20))

    def inputs(model: Any) -> dict[str, Any]:
        lasting(model.model, frames, batch, tokens)
        return {"input_ids": torch.full((batch, tokens), 5)}

    workload = {"batch": batch, "seq_len": tokens, "samples": frames * factor * prod(rates)}
    return Case(content, workload, inputs, attends=False, trains=False)


def speecht5_hifigan(random: Random) -> Case:
    rates = random.choice(([4, 2], [2, 3, 2]))
    content = {
        **{"model_type": "speecht5_hifigan", "architectures": ["SpeechT5HifiGan"], "model_in_dim": 10},
        **{"upsample_initial_channel": 16, "upsample_rates": rates, "normalize_before": yes(random)},
        **{"upsample_kernel_sizes": [2 * rate + random.choice((0, 1)) for rate in rates]},
        **{"resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3], [1, 2, 1]]},
    }
    batch, frames = random.randint(1, 2), random.choice((7, 20))

    def inputs(model: Any) -> dict[str, Any]:
        return {"spectrogram": torch.randn((batch, frames, 10))}

    return Case(content, {"batch": batch, "frames": frames}, inputs, attends=False)


def translated(random: Random, kind: str, stem: str) -> Case:
    """SeamlessM4T from text to text."""
    content = {
        **{"model_type": kind, "architectures": [f"{stem}ForTextToText"], "vocab_size": 50, "t2u_vocab_size": 20},
        **{"hidden_size": random.choice((16, 32)), "max_position_embeddings": 40, "activation_function": act(random)},
        **{"encoder_layers": random.randint(1, 3), "decoder_layers": random.randint(1, 3), "encoder_ffn_dim": 20},
        **{"encoder_attention_heads": random.choice((2, 4)), "decoder_attention_heads": 4, "decoder_ffn_dim": 28},
        **{"tie_word_embeddings": yes(random), "scale_embedding": yes(random), "pad_token_id": 0, "eos_token_id": 3},
        **{"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0},
    }
    batch, words, seq_len = random.randint(1, 2), random.choice((6, 11)), random.choice((5, 9))

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.full((batch, seq_len), 5)
        return {"input_ids": torch.full((batch, words), 5), "decoder_input_ids": ids, "use_cache": False}

    return Case(content, {"batch": batch, "encoder_seq_len": words, "seq_len": seq_len}, inputs, cached=7)


def seamless_m4t(random: Random) -> Case:
    return translated(random, "seamless_m4t", "SeamlessM4T")


def seamless_m4t_v2(random: Random) -> Case:
    return translated(random, "seamless_m4t_v2", "SeamlessM4Tv2")


def speaking(random: Random, content: Mapping[str, Any], books: int = 0, cached: int | None = None) -> Case:
    """A decoder of texts, or of a text and codes of as many books."""
    batch, seq_len = random.randint(1, 2), random.choice((5, 9))
    shape = (batch, seq_len, 1 + books) if books else (batch, seq_len)

    def inputs(model: Any) -> dict[str, Any]:
        return {"input_ids": torch.full(shape, 5), "use_cache": False}

    return Case(content, {"batch": batch, "seq_len": seq_len}, inputs, cached=cached)


def like_moshi(random: Random) -> dict[str, Any]:
    return {
        **{"vocab_size": 50, "hidden_size": random.choice((16, 32)), "num_hidden_layers": random.randint(1, 3)},
        **{"num_attention_heads": random.choice((2, 4)), "num_key_value_heads": random.choice((None, 1, 2))},
        **{"ffn_dim": random.choice((20, 28)), "hidden_act": act(random), "head_dim": random.choice((None, 8))},
        **{"sliding_window": random.choice((3, 40)), "num_codebooks": random.choice((3, 4))},
        **{"bos_token_id": 1, "pad_token_id": 3},
    }


def moshi(random: Random) -> Case:
    name = random.choice(("MoshiForCausalLM", "MoshiModel"))
    return speaking(random, {"model_type": "moshi", "architectures": [name], **like_moshi(random)}, cached=7)


def kyutai_speech_to_text(random: Random) -> Case:
    content = {
        **{"model_type": "kyutai_speech_to_text", "codebook_vocab_size": 17, "audio_pad_token_id": 60},
        **{"architectures": ["KyutaiSpeechToTextForConditionalGeneration"], "audio_bos_token_id": 16},
        **{"codec_config": {"model_type": "mimi", **mimi_keys(random)}, **like_moshi(random)},
    }
    return speaking(random, content, content["num_codebooks"])


def csm(random: Random) -> Case:
    width = random.choice((16, 32))
    depth = {
        **{"num_codebooks": 4, "backbone_hidden_size": width, "vocab_size": 20, "hidden_size": random.choice((8, 16))},
        **{"intermediate_size": 12, "num_hidden_layers": random.randint(1, 2), "num_attention_heads": 2},
        **{"num_key_value_heads": random.randint(1, 2), "max_position_embeddings": 5, "mlp_bias": yes(random)},
        **{"head_dim": random.choice((None, 6)), "attention_bias": yes(random)},
    }
    content = {
        **{"model_type": "csm", "architectures": ["CsmForConditionalGeneration"], "vocab_size": 20},
        **{"text_vocab_size": 60, "num_codebooks": 4, "hidden_size": width, "num_hidden_layers": random.randint(1, 3)},
        **{"num_attention_heads": random.choice((2, 4)), "num_key_value_heads": random.randint(1, 2)},
        **{"intermediate_size": 20, "hidden_act": act(random), "head_dim": random.choice((None, 8))},
        **{"attention_bias": yes(random), "mlp_bias": yes(random), "tie_codebooks_embeddings": yes(random)},
        **{"codec_config": {"model_type": "mimi", **mimi_keys(random)}, "depth_decoder_config": depth},
        **{"codebook_pad_token_id": 19, "audio_token_id": 7, "audio_eos_token_id": 8, "pad_token_id": 3},
        "bos_token_id": 1,
    }
    return speaking(random, content, cached=7)


def dia(random: Random) -> Case:
    width, channels = random.choice((16, 24)), random.choice((3, 4))
    heard = {
        **{"num_hidden_layers": random.randint(1, 3), "hidden_size": width, "num_attention_heads": 4, "vocab_size": 30},
        **{"num_key_value_heads": random.choice((1, 2, 4)), "head_dim": random.choice((4, 8))},
        **{"intermediate_size": 20, "hidden_act": act(random), "max_position_embeddings": 50},
    }
    made = {
        **{**heard, "num_hidden_layers": random.randint(1, 3), "hidden_size": 32, "head_dim": 6, "vocab_size": 40},
        **{"cross_num_attention_heads": random.choice((2, 4)), "cross_num_key_value_heads": random.randint(1, 2)},
        **{"cross_head_dim": random.choice((6, 8)), "cross_hidden_size": width, "num_channels": channels},
        **{"pad_token_id": 37, "bos_token_id": 38, "eos_token_id": 36},
    }
    content = {
        **{"model_type": "dia", "architectures": [random.choice(("DiaForConditionalGeneration", "DiaModel"))]},
        **{"encoder_config": heard, "decoder_config": made, "delay_pattern": list(range(channels))},
        **{"pad_token_id": 37, "bos_token_id": 38, "eos_token_id": 36},
    }
    batch, words, seq_len = random.randint(1, 2), random.choice((6, 11)), random.choice((5, 9))

    def inputs(model: Any) -> dict[str, Any]:
        codes = torch.full((batch, seq_len, channels), 5)
        return {"input_ids": torch.full((batch, words), 5), "decoder_input_ids": codes, "use_cache": False}

    return Case(content, {"batch": batch, "encoder_seq_len": words, "seq_len": seq_len}, inputs)


CASES: Mapping[str, Callable[[Random], Case]] = {
    function.__name__: function
    for function in (
        vits,
        fastspeech2_conformer,
        fastspeech2_conformer_with_hifigan,
        speecht5_hifigan,
        seamless_m4t,
        seamless_m4t_v2,
        moshi,
        kyutai_speech_to_text,
        csm,
        dia,
    )
}
