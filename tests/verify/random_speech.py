"""More small models that read or make sounds: those that are no text model beside an encoder of sound.

Drawn at random as in `random_sounds.py`, whose cases these are too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import attrs
import torch
from random_sounds import AUDIO, Case, act, alone, beside_text, class_of, text


def yes(random: Random) -> bool:
    return random.random() < 0.5


def spoken(
    random: Random, content: Mapping[str, Any], name: str, shape: tuple[int, ...], size: tuple[str, int], **rest: Any
) -> Case:
    """A model of sounds `name`, of this shape without the batch, and of a text that a decoder makes; `size` is a word
    of the workload and its value."""
    batch, seq_len = random.randint(1, 2), random.choice((5, 9))

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.full((batch, seq_len), 5, dtype=torch.long)
        return {name: torch.randn((batch, *shape)), "decoder_input_ids": ids, "use_cache": False}

    return Case(content, {"batch": batch, size[0]: size[1], "seq_len": seq_len}, inputs, **{"cached": 7, **rest})


def speech_to_text(random: Random) -> Case:
    stem = "Speech2Text"
    layers, bins, channels = random.randint(1, 3), random.choice((8, 10)), random.randint(1, 2)
    frames = random.choice((40, 61, 80))
    content = {
        **{"model_type": "speech_to_text", "vocab_size": 50, "d_model": 24, "activation_function": act(random)},
        **{"architectures": [random.choice((f"{stem}ForConditionalGeneration", f"{stem}Model"))]},
        **{"encoder_layers": random.randint(1, 3), "encoder_attention_heads": random.choice((2, 3))},
        **{"decoder_layers": random.randint(1, 3), "decoder_attention_heads": random.choice((2, 4))},
        **{"encoder_ffn_dim": 20, "decoder_ffn_dim": 28, "num_conv_layers": layers, "conv_channels": 12},
        **{"conv_kernel_sizes": [random.choice((3, 5)) for _ in range(layers)], "input_channels": channels},
        **{"input_feat_per_channel": bins, "max_source_positions": 90, "max_target_positions": 40},
        **{"tie_word_embeddings": yes(random), "scale_embedding": yes(random)},
    }
    return spoken(random, content, "input_features", (frames, bins * channels), ("frames", frames))


def moonshine(random: Random) -> Case:
    stem, heads = "Moonshine", random.choice((2, 3))
    samples = random.choice((1600, 2100, 4000))
    content = {
        **{"model_type": "moonshine", "vocab_size": 50, "hidden_size": 48, "intermediate_size": 20},
        **{"architectures": [random.choice((f"{stem}ForConditionalGeneration", f"{stem}Model"))]},
        **{"encoder_num_hidden_layers": random.randint(1, 3), "encoder_num_attention_heads": heads},
        **{"decoder_num_hidden_layers": random.randint(1, 3), "decoder_num_attention_heads": random.choice((2, 4))},
        **{"encoder_hidden_act": act(random), "decoder_hidden_act": act(random), "max_position_embeddings": 60},
        **{"attention_bias": yes(random), "tie_word_embeddings": yes(random), "pad_token_id": 0},
        **random.choice(({}, {"pad_head_dim_to_multiple_of": 10}, {"partial_rotary_factor": 0.5})),
    }
    return spoken(random, content, "input_values", (samples,), ("samples", samples))


def speecht5(random: Random) -> Case:
    kind = random.choice(("SpeechToText", "TextToSpeech", "SpeechToSpeech", "Model"))
    name = "SpeechT5Model" if kind == "Model" else f"SpeechT5For{kind}"
    heads = random.choice((2, 3))
    content = {
        **{"model_type": "speecht5", "architectures": [name], "vocab_size": 50, "hidden_size": 24},
        **{"encoder_layers": random.randint(1, 3), "encoder_attention_heads": heads, "encoder_ffn_dim": 20},
        **{"decoder_layers": random.randint(1, 3), "decoder_attention_heads": 4, "decoder_ffn_dim": 28},
        **{"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "hidden_act": act(random), "conv_bias": yes(random)},
        **{"feat_extract_norm": random.choice(("group", "layer")), "conv_dim": [8, 10, 12], "conv_stride": [5, 2, 2]},
        **{"conv_kernel": [10, 3, 2], "num_conv_pos_embeddings": random.choice((8, 7)), "pad_token_id": 1},
        **{"num_conv_pos_embedding_groups": 4, "mask_time_prob": random.choice((0.0, 0.05)), "num_mel_bins": 10},
        **{"speech_decoder_prenet_layers": random.randint(1, 3), "speech_decoder_prenet_units": 14},
        **{"speaker_embedding_dim": 9, "speech_decoder_postnet_layers": random.randint(1, 3)},
        **{"speech_decoder_postnet_units": 16, "speech_decoder_postnet_kernel": random.choice((3, 5))},
        **{"reduction_factor": random.choice((1, 2)), "max_speech_positions": 60, "max_text_positions": 40},
        **{"encoder_max_relative_position": 8, "tie_word_embeddings": yes(random), "scale_embedding": yes(random)},
    }
    batch, seq_len, samples, words = random.randint(1, 2), random.choice((5, 9)), 800, random.choice((6, 11))

    def inputs(model: Any) -> dict[str, Any]:
        read = torch.randn((batch, samples))
        if kind == "TextToSpeech":
            read = torch.full((batch, words), 5, dtype=torch.long)
        elif kind == "Model":
            read = torch.randn((batch, words, 24))
        made = torch.randn((batch, seq_len, 24 if kind == "Model" else 10))
        first = "input_ids" if kind == "TextToSpeech" else "input_values"
        if kind == "SpeechToText":
            return {first: read, "decoder_input_ids": torch.full((batch, seq_len), 5), "use_cache": False}
        return {first: read, "decoder_input_values": made, "use_cache": False}

    sizes = {"samples": samples} if kind.startswith("Speech") else {"encoder_seq_len": words}
    return Case(content, {"batch": batch, "seq_len": seq_len, **sizes}, inputs, 7 if kind == "SpeechToText" else None)


def codec(random: Random, content: Mapping[str, Any], channels: int, samples: int, attends: bool = False) -> Case:
    """A model of samples that makes samples."""
    batch = random.randint(1, 2)

    def inputs(model: Any) -> dict[str, Any]:
        return {"input_values": torch.randn((batch, channels, samples))}

    return Case(content, {"batch": batch, "samples": samples}, inputs, attends=attends)


def encodec(random: Random) -> Case:
    channels = random.randint(1, 2)
    content = {
        **{"model_type": "encodec", "architectures": ["EncodecModel"], "audio_channels": channels},
        **{"target_bandwidths": random.choice(([1.5, 3.0], [3.0])), "sampling_rate": 4000, "hidden_size": 12},
        **{"normalize": yes(random), "num_filters": 4, "num_residual_layers": random.randint(1, 2)},
        **{"upsampling_ratios": random.choice(([4, 2], [2, 5])), "kernel_size": random.choice((5, 7))},
        **{"norm_type": random.choice(("weight_norm", "time_group_norm")), "last_kernel_size": 7},
        **{"residual_kernel_size": 3, "use_causal_conv": yes(random), "compress": random.choice((1, 2))},
        **{"num_lstm_layers": random.randint(1, 2), "codebook_size": 16, "use_conv_shortcut": yes(random)},
        **random.choice(({}, {"chunk_length_s": 0.1, "overlap": random.choice((0.01, 0.25))})),
    }
    return codec(random, content, channels, random.choice((400, 777, 1001)))


def dac(random: Random) -> Case:
    content = {
        **{"model_type": "dac", "architectures": ["DacModel"], "encoder_hidden_size": 4, "codebook_dim": 3},
        **{"downsampling_ratios": random.choice(([2, 4], [3, 2, 5])), "decoder_hidden_size": random.choice((32, 40))},
        **{"n_codebooks": random.randint(1, 4), "codebook_size": 16, "sampling_rate": 4000},
    }
    return codec(random, content, 1, random.choice((400, 777, 1001)))


def mimi_keys(random: Random) -> dict[str, Any]:
    width = random.choice((16, 24))
    return {
        **{"sampling_rate": 4000, "audio_channels": random.randint(1, 2), "hidden_size": width, "num_filters": 4},
        **{"num_residual_layers": random.randint(1, 2), "upsampling_ratios": random.choice(([4, 2], [2, 5]))},
        **{"kernel_size": 5, "last_kernel_size": 3, "residual_kernel_size": 3, "use_causal_conv": yes(random)},
        **{"codebook_size": 16, "codebook_dim": 16, "vector_quantization_hidden_dimension": 16, "num_quantizers": 4},
        **{"num_semantic_quantizers": random.randint(1, 2), "upsample_groups": random.choice((1, width))},
        **{"use_conv_shortcut": yes(random), "num_hidden_layers": random.randint(1, 3), "intermediate_size": 20},
        **{"num_attention_heads": 2, "num_key_value_heads": random.randint(1, 2), "hidden_act": act(random)},
        **{"sliding_window": random.choice((5, 500)), "attention_bias": yes(random), "compress": random.choice((1, 2))},
        **random.choice(({}, {"head_dim": 6}, {"frame_rate": 100.0})),
    }


def mimi(random: Random) -> Case:
    content = {"model_type": "mimi", "architectures": ["MimiModel"], **mimi_keys(random)}
    return codec(random, content, content["audio_channels"], random.choice((400, 777, 1001)), attends=True)


def mimi_encoder(random: Random) -> Case:
    content = {"model_type": "mimi_encoder", "architectures": ["MimiEncoderModel"], **mimi_keys(random)}
    return codec(random, content, content["audio_channels"], random.choice((400, 777, 1001)), attends=True)


def mimi_decoder(random: Random) -> Case:
    content = {"model_type": "mimi_decoder", "architectures": ["MimiDecoderModel"], **mimi_keys(random)}
    batch, frames = random.randint(1, 2), random.choice((7, 20))

    def inputs(model: Any) -> dict[str, Any]:
        return {"latents": torch.randn((batch, content["hidden_size"], frames))}

    return Case(content, {"batch": batch, "frames": frames}, inputs)


def musicgen(random: Random) -> Case:
    width, books = random.choice((24, 32)), random.randint(1, 3)
    text = {
        **{"model_type": "t5", "vocab_size": 40, "d_model": 24, "d_kv": 8, "d_ff": 20, "num_heads": 3},
        **{"num_layers": 2, "feed_forward_proj": random.choice(("relu", "gated-gelu"))},
    }
    codec = dict(encodec(random).content) | {"chunk_length_s": None}
    decoder = {
        **{"model_type": "musicgen_decoder", "vocab_size": 30, "max_position_embeddings": 40, "ffn_dim": 20},
        **{"num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4, "activation_function": act(random)},
        **{"hidden_size": width, "num_codebooks": books, "scale_embedding": yes(random), "pad_token_id": 30},
        **{"bos_token_id": 30, "decoder_start_token_id": 30},
    }
    content = {
        **{"model_type": "musicgen", "architectures": ["MusicgenForConditionalGeneration"], "text_encoder": text},
        **{"audio_encoder": codec, "decoder": decoder},
    }
    batch, words, seq_len = random.randint(1, 2), random.choice((6, 11)), random.choice((5, 9))

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.full((batch * books, seq_len), 5)
        return {"input_ids": torch.full((batch, words), 5), "decoder_input_ids": ids, "use_cache": False}

    return Case(content, {"batch": batch, "encoder_seq_len": words, "seq_len": seq_len}, inputs)


def clap_audio(random: Random) -> dict[str, Any]:
    depths = random.choice(([1, 2], [2, 2, 1]))
    return {
        **{"model_type": "clap_audio_model", "window_size": 4, "num_mel_bins": 16, "spec_size": 64, "mlp_ratio": 2.0},
        **{
            "patch_size": random.choice((4, [4, 4])),
            "patch_stride": [4, 4],
            "depths": depths,
            "hidden_act": act(random),
        },
        **{"num_attention_heads": [2, 4, 4][: len(depths)], "patch_embeds_hidden_size": 8, "qkv_bias": yes(random)},
        **{"hidden_size": 8 * 2 ** (len(depths) - 1), "enable_fusion": yes(random), "fusion_type": "aff_2d"},
        **{"enable_patch_layer_norm": yes(random), "aff_block_r": random.choice((2, 4))},
    }


def clap_text(random: Random) -> dict[str, Any]:
    return {
        **{"model_type": "clap_text_model", "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "intermediate_size": 20, "hidden_act": act(random), "pad_token_id": 1},
        **{"max_position_embeddings": 30, "type_vocab_size": random.randint(1, 2)},
    }


def heard_by_clap(fused: bool, batch: int, frames: int) -> dict[str, Any]:
    """Spectra, all of longer sounds if the model fuses parts of them."""
    found = {"input_features": torch.randn((batch, 4 if fused else 1, frames, 16))}
    return found | ({"is_longer": torch.ones((batch,), dtype=torch.bool)} if fused else {})


def clap(random: Random) -> Case:
    content = {
        **{"model_type": "clap", "architectures": ["ClapModel"], "text_config": clap_text(random)},
        **{"audio_config": clap_audio(random), "projection_dim": 12, "projection_hidden_act": act(random)},
    }
    batch, seq_len, frames = random.randint(2, 3), random.choice((5, 9)), random.choice((200, 256))

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.full((batch, seq_len), 5)
        return {"input_ids": ids, **heard_by_clap(content["audio_config"]["enable_fusion"], batch, frames)}

    return Case(content, {"batch": batch, "seq_len": seq_len, "frames": frames}, inputs)


def clap_audio_model(random: Random) -> Case:
    name = random.choice(("ClapAudioModel", "ClapAudioModelWithProjection"))
    content = {**clap_audio(random), "architectures": [name], "projection_dim": 12}
    batch, frames = random.randint(2, 3), random.choice((200, 256))

    def inputs(model: Any) -> dict[str, Any]:
        return heard_by_clap(content["enable_fusion"], batch, frames)

    return Case(content, {"batch": batch, "frames": frames}, inputs, fuses=False)


def clap_text_model(random: Random) -> Case:
    name = random.choice(("ClapTextModel", "ClapTextModelWithProjection"))
    content = {**clap_text(random), "architectures": [name], "projection_dim": 12}
    batch, seq_len = random.randint(1, 3), random.choice((5, 9))

    def inputs(model: Any) -> dict[str, Any]:
        return {"input_ids": torch.full((batch, seq_len), 5)}

    return Case(content, {"batch": batch, "seq_len": seq_len}, inputs)


def moonshine_streaming(random: Random) -> Case:
    stem, frames = "MoonshineStreaming", random.choice((40, 61))
    heard = {
        **{"model_type": "moonshine_streaming_encoder", "hidden_size": random.choice((24, 32))},
        **{"intermediate_size": 20, "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4},
        **{"num_key_value_heads": random.choice((2, 4)), "attention_bias": yes(random), "sample_rate": 4000},
        **{"sliding_windows": [[16, 4]] * 3, "frame_ms": 5.0, "hidden_act": act(random)},
    }
    content = {
        **{"model_type": "moonshine_streaming", "vocab_size": 50, "hidden_size": 32, "intermediate_size": 20},
        **{"architectures": [random.choice((f"{stem}ForConditionalGeneration", f"{stem}Model"))]},
        **{"encoder_config": heard, "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4},
        **{"num_key_value_heads": 4, "hidden_act": act(random), "max_position_embeddings": 60, "pad_token_id": 0},
        **{"attention_bias": yes(random), "tie_word_embeddings": yes(random)},
        **random.choice(({}, {"pad_head_dim_to_multiple_of": 10})),
    }
    return spoken(random, content, "input_values", (frames * 20,), ("samples", frames * 20))


def fun_asr_audio(random: Random) -> dict[str, Any]:
    layers = random.randint(1, 5)
    return {
        **{"model_type": "fun_asr_nano_encoder", "num_mel_bins": 8, "hidden_size": random.choice((16, 24))},
        **{"num_attention_heads": 2, "intermediate_size": 20, "num_hidden_layers": layers, "hidden_act": act(random)},
        **{"max_position_embeddings": 40, "num_stacked_frames": random.choice((2, 3))},
        **{"num_timestamp_prediction_layers": random.randint(0, layers), "fsmn_kernel_size": random.choice((3, 4, 11))},
    }


def fun_asr_nano_encoder(random: Random) -> Case:
    content = {**fun_asr_audio(random), "architectures": ["FunAsrNanoEncoder"]}
    batch, frames, width = random.randint(1, 3), random.choice((12, 30)), 8 * content["num_stacked_frames"]

    def inputs(model: Any) -> dict[str, Any]:
        mask = torch.ones((batch, frames), dtype=torch.long)
        return {"input_features": torch.randn((batch, frames, width)), "input_features_mask": mask}

    return Case(content, {"batch": batch, "frames": frames}, inputs)


def fun_asr_nano(random: Random) -> Case:
    audio, frames = fun_asr_audio(random), random.choice((12, 17))
    adaptor = {
        **{"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 8, "hidden_act": act(random)},
        **{"num_hidden_layers": random.randint(0, 2), "projector_hidden_act": act(random)},
        "projector_hidden_size": 28,
    }
    content = {
        **{"model_type": "fun_asr_nano", "architectures": class_of(random, "FunAsrNano"), "audio_config": audio},
        **{"adaptor_config": adaptor, "text_config": text(random, "qwen3"), "audio_token_id": AUDIO},
        "tie_word_embeddings": yes(random),
    }
    shape = (8 * audio["num_stacked_frames"], frames)
    return beside_text(random, content, shape, frames, by_bins=False)


def phi4_multimodal(random: Random) -> Case:
    crop = random.choice((16, 12))
    vision = {
        **{"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3, "num_attention_heads": 2},
        **{"image_size": crop, "patch_size": 4, "crop_size": crop, "feature_layer": random.choice((-2, -1))},
        **{"image_token_id": 8, "model_type": "phi4_multimodal_vision"},
    }
    audio = {
        **{"hidden_size": 16, "intermediate_size": 20, "num_blocks": random.randint(1, 2), "num_attention_heads": 2},
        **{"ext_pw_out_channel": 16, "depthwise_separable_out_channel": 16, "kernel_size": random.choice((1, 3))},
        **{"depthwise_multiplier": random.randint(1, 2), "input_size": 20, "time_reduction": random.choice((4, 8))},
        **{"bias_max_distance": 1000, "bias_symmetric": yes(random), "nemo_conv_channels": 6, "audio_token_id": AUDIO},
        **{"model_type": "phi4_multimodal_audio", "nemo_activation": act(random), "activation": act(random)},
    }
    content = {
        **{"model_type": "phi4_multimodal", "vocab_size": 50, "hidden_size": 32, "intermediate_size": 24},
        **{"architectures": [random.choice(("Phi4MultimodalForCausalLM", "Phi4MultimodalModel"))]},
        **{"num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"tie_word_embeddings": yes(random), "vision_config": vision, "audio_config": audio, "pad_token_id": 0},
        **{"bos_token_id": 1, "eos_token_id": 2, "original_max_position_embeddings": 4096},
    }
    batch, images, audios = random.randint(1, 2), random.randint(0, 1), random.randint(0, 1)
    rows, columns = random.choice(((1, 1), (2, 1), (1, 3)))
    frames = random.choice((61, 80, 4100 if audio["time_reduction"] == 8 else 2100))
    batch = batch if frames < 2000 else 1  # the class cuts one long sound at a time
    side, positions = (crop // 4 + 1) // 2, -(-frames // audio["time_reduction"])
    squares = images * (rows * side * (columns * side + 1) + 1 + side * (side + 1))
    seq_len = squares + audios * positions + random.randint(1, 9)

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.zeros((batch, seq_len), dtype=torch.long)
        ids[:, :squares] = 8
        ids[:, squares : squares + audios * positions] = AUDIO
        found: dict[str, Any] = {"input_ids": ids, "use_cache": False}
        if images:
            count = rows * columns + 1
            found["image_pixel_values"] = torch.randn((batch, count, 3, crop, crop))
            found["image_sizes"] = torch.tensor([[rows * crop, columns * crop]] * batch)
            found["image_attention_mask"] = torch.ones((batch, count, crop // 4, crop // 4))
        if audios:
            found["audio_input_features"] = torch.randn((batch, frames, 20))
            found["audio_embed_sizes"] = torch.tensor([positions] * batch)
            found["audio_attention_mask"] = torch.ones((batch, frames), dtype=torch.bool)
        return found

    workload = {"batch": batch, "images": images, "audios": audios, "frames": frames, "seq_len": seq_len}
    return Case(content, {**workload, "image_size": [rows * crop, columns * crop]}, inputs, cached=5)


def sew_d(random: Random) -> Case:
    content = {
        **{"model_type": "sew-d", "architectures": [random.choice(("SEWDModel", "SEWDForCTC"))], "vocab_size": 12},
        **{"hidden_size": 24, "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 3},
        **{"intermediate_size": 20, "squeeze_factor": random.choice((2, 3)), "hidden_act": act(random)},
        **{"max_position_embeddings": 40, "position_buckets": random.choice((8, -1)), "share_att_key": yes(random)},
        **{"relative_attention": yes(random), "pos_att_type": random.choice((["p2c", "c2p"], ["c2p"], ["p2c"]))},
        **{"norm_rel_ebd": random.choice(("layer_norm", "none")), "conv_bias": yes(random), "mask_time_prob": 0.0},
        **{"feat_extract_norm": random.choice(("group", "layer")), "conv_dim": [8, random.choice((12, 24))]},
        **{"conv_stride": [5, 4], "conv_kernel": [10, 3], "num_conv_pos_embeddings": 8},
        "num_conv_pos_embedding_groups": 4,
    }
    batch, samples = random.randint(1, 2), random.choice((900, 1400))

    def inputs(model: Any) -> dict[str, Any]:
        return {"input_values": torch.randn((batch, samples))}

    return Case(content, {"batch": batch, "samples": samples}, inputs)


def pop2piano(random: Random) -> Case:
    frames = random.choice((12, 30))
    content = {
        **{"model_type": "pop2piano", "architectures": ["Pop2PianoForConditionalGeneration"], "vocab_size": 50},
        **{"composer_vocab_size": 5, "d_model": 24, "d_kv": 8, "d_ff": 20, "num_layers": random.randint(1, 3)},
        **{"num_decoder_layers": random.choice((None, 2)), "num_heads": 3, "dense_act_fn": act(random)},
        **{"feed_forward_proj": random.choice(("relu", "gated-gelu")), "tie_word_embeddings": yes(random)},
    }
    case = spoken(random, content, "input_features", (frames, 24), ("frames", frames))
    return attrs.evolve(case, cached=None)  # the encoder is asked for rows here, not for features


def univnet(random: Random) -> Case:
    width = random.choice((6, 8))
    content = {
        **{"model_type": "univnet", "architectures": ["UnivNetModel"], "model_in_channels": width, "num_mel_bins": 10},
        **{"model_hidden_channels": random.choice((4, 6)), "resblock_kernel_sizes": random.choice(([3, 3], [3, 5]))},
        **{"resblock_stride_sizes": random.choice(([2, 4], [3, 2])), "resblock_dilation_sizes": [[1, 3], [1, 3]]},
        **{"kernel_predictor_num_blocks": random.randint(0, 2), "kernel_predictor_hidden_channels": width},
        "kernel_predictor_conv_size": random.choice((3, 5)),
    }
    batch, frames = random.randint(1, 2), random.choice((7, 20))

    def inputs(model: Any) -> dict[str, Any]:
        return {"input_features": torch.randn((batch, frames, 10))}

    return Case(content, {"batch": batch, "frames": frames}, inputs, attends=False)


def realtime_audio(random: Random) -> dict[str, Any]:
    return {
        **{"model_type": "voxtral_realtime_encoder", "hidden_size": 16, "intermediate_size": 20, "num_mel_bins": 8},
        **{"num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4, "hidden_act": act(random)},
        **{"max_position_embeddings": 50, "sliding_window": random.choice((5, 750)), "head_dim": random.choice((4, 6))},
    }


def voxtral_realtime_encoder(random: Random) -> Case:
    content = {**realtime_audio(random), "architectures": ["VoxtralRealtimeEncoder"]}
    return alone(random, content, (8, random.choice((40, 61))))


def voxtral_realtime(random: Random) -> Case:
    factor, seq_len, batch = random.choice((2, 4)), random.choice((5, 9)), random.randint(1, 2)
    words = {
        **{"model_type": "voxtral_realtime_text", "vocab_size": 50, "hidden_size": 24, "intermediate_size": 20},
        **{"num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"head_dim": random.choice((6, 8)), "hidden_act": act(random), "max_position_embeddings": 50},
        **{"sliding_window": random.choice((4, 100)), "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
    }
    content = {
        **{"model_type": "voxtral_realtime", "architectures": class_of(random, "VoxtralRealtime")},
        **{"audio_config": realtime_audio(random), "text_config": words, "downsample_factor": factor},
        **{"projector_hidden_act": act(random), "tie_word_embeddings": yes(random)},
    }
    frames = 2 * factor * seq_len

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.full((batch, seq_len), 5)
        return {"input_ids": ids, "input_features": torch.randn((batch, 8, frames)), "use_cache": False}

    return Case(content, {"batch": batch, "frames": frames}, inputs)


CASES: Mapping[str, Callable[[Random], Case]] = {
    function.__name__: function
    for function in (
        moonshine,
        speech_to_text,
        speecht5,
        encodec,
        dac,
        mimi,
        mimi_encoder,
        mimi_decoder,
        moonshine_streaming,
        fun_asr_nano_encoder,
        fun_asr_nano,
        phi4_multimodal,
        sew_d,
        pop2piano,
        univnet,
        voxtral_realtime_encoder,
        voxtral_realtime,
        musicgen,
        clap,
        clap_audio_model,
        clap_text_model,
    )
}
