"""Small configurations of families that read sounds beside a text, or make them, drawn at random as files have them.

Each case is the content of a config.json, a workload, and what makes the inputs of the library's class. Models run on
real tensors, because their classes read what masks and ids say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import attrs
import torch

AUDIO = 7
"""The id of the tokens that stand for sounds."""


@attrs.frozen
class Case:
    """A model to measure.

    Attributes:
        content: The content of its config.json.
        workload: The sizes of a pass, as graphacct's words.
        inputs: Makes the inputs of a pass of the model.
        cached: Earlier tokens of a decoding step; None if the class has no cache.
        attends: Whether the model has attention, which is measured written out.
        fuses: Whether its attention is known in one operator too.
        trains: Whether the class can be trained as it is run.
    """

    content: Mapping[str, Any]
    workload: Mapping[str, Any]
    inputs: Callable[[Any], dict[str, Any]]
    cached: int | None = None
    attends: bool = True
    fuses: bool = True
    trains: bool = True

    @property
    def eager(self) -> dict[str, str]:
        """The workload's word for attention that is written out."""
        return {"attention": "eager"} if self.attends else {}


def text(random: Random, *kinds: str) -> dict[str, Any]:
    """A text model of one of these families."""
    return {
        "model_type": random.choice(kinds),
        **{"vocab_size": random.choice((50, 60)), "hidden_size": 32, "intermediate_size": 48, "head_dim": 8},
        **{"num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"max_position_embeddings": 200, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None},
    }


def beside_text(
    random: Random,
    content: Mapping[str, Any],
    shape: tuple[int, int],
    tokens: int,
    *,
    mask: str = "input_features_mask",
    by_bins: bool = True,
    name: str = "input_features",
) -> Case:
    """A model of text and sounds: `shape` are the bins and the frames of a sound, `tokens` those that stand for it."""
    batch, audios = random.randint(1, 2), random.randint(1, 2)
    seq_len = audios * tokens + random.randint(1, 9)
    bins, frames = shape
    sounds = batch * audios

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.zeros((batch, seq_len), dtype=torch.long)
        ids[:, : audios * tokens] = AUDIO
        features = torch.randn((sounds, bins, frames) if by_bins else (sounds, frames, bins))
        masks = {mask: torch.ones((sounds, frames), dtype=torch.long)} if mask else {}
        return {"input_ids": ids, name: features, "use_cache": False, **masks}

    workload = {"batch": batch, "audios": audios, "frames": frames, "seq_len": seq_len}
    return Case(content, workload, inputs, cached=random.choice((3, 20)))


def alone(random: Random, content: Mapping[str, Any], shape: tuple[int, int], mask: str = "") -> Case:
    """An encoder of sounds."""
    batch = random.randint(1, 3)
    bins, frames = shape

    def inputs(model: Any) -> dict[str, Any]:
        masks = {mask: torch.ones((batch, frames), dtype=torch.long)} if mask else {}
        return {"input_features": torch.randn((batch, bins, frames)), **masks}

    return Case(content, {"batch": batch, "frames": frames}, inputs)


def encoder(random: Random, **rest: Any) -> dict[str, Any]:
    """An encoder like Whisper's."""
    return {
        **{"num_mel_bins": random.choice((8, 10)), "hidden_size": 16, "num_hidden_layers": random.randint(1, 3)},
        **{"num_attention_heads": 2, "intermediate_size": random.choice((32, 64)), **rest},
        "max_source_positions": random.choice((16, 20, 24)),
        "activation_function": random.choice(("gelu", "relu", "gelu_new")),
    }


def class_of(random: Random, stem: str) -> list[str]:
    return [random.choice((f"{stem}ForConditionalGeneration", f"{stem}ForConditionalGeneration", f"{stem}Model"))]


def act(random: Random) -> str:
    return random.choice(("gelu", "relu", "silu"))


def voxtral(random: Random) -> Case:
    audio = encoder(random, model_type="voxtral_encoder")
    content = {
        **{"model_type": "voxtral", "architectures": class_of(random, "Voxtral"), "audio_token_id": AUDIO},
        **{"audio_config": audio, "text_config": text(random, "llama", "mistral", "qwen2")},
        **{"projector_hidden_act": act(random), "tie_word_embeddings": random.random() < 0.5},
    }
    positions = audio["max_source_positions"]
    tokens = positions * 16 // audio["intermediate_size"]
    return beside_text(random, content, (audio["num_mel_bins"], 2 * positions), tokens, mask="")


def audioflamingo3(random: Random) -> Case:
    audio = encoder(random, model_type="audioflamingo3_encoder")
    content = {
        **{"model_type": "audioflamingo3", "architectures": class_of(random, "AudioFlamingo3")},
        **{"audio_config": audio, "text_config": text(random, "qwen2"), "audio_token_id": AUDIO},
        **{"projector_hidden_act": act(random), "projector_bias": random.random() < 0.5},
    }
    positions = audio["max_source_positions"]
    return beside_text(random, content, (audio["num_mel_bins"], 2 * positions), positions // 2)


def musicflamingo(random: Random) -> Case:
    case = audioflamingo3(random)
    share = random.choice((0.2, 0.4))
    own = {
        **{"model_type": "musicflamingo", "architectures": class_of(random, "MusicFlamingo")},
        "rope_parameters": {"rope_type": "default", "rope_theta": 1200.0, "partial_rotary_factor": share},
    }
    return attrs.evolve(case, content={**case.content, **own})


def audioflamingo3_encoder(random: Random) -> Case:
    audio = encoder(random, model_type="audioflamingo3_encoder", architectures=["AudioFlamingo3Encoder"])
    return alone(random, audio, (audio["num_mel_bins"], 2 * audio["max_source_positions"]), "input_features_mask")


def moss_transcribe_diarize_audio(random: Random) -> Case:
    kind = "moss_transcribe_diarize_audio"
    audio = encoder(random, model_type=kind, architectures=["MossTranscribeDiarizeAudioModel"])
    return alone(random, audio, (audio["num_mel_bins"], 2 * audio["max_source_positions"]))


def moss_transcribe_diarize(random: Random) -> Case:
    audio, merged = encoder(random, model_type="moss_transcribe_diarize_audio"), random.choice((2, 4))
    content = {
        **{"model_type": "moss_transcribe_diarize", "architectures": class_of(random, "MossTranscribeDiarize")},
        **{"audio_config": audio, "text_config": text(random, "qwen3"), "audio_token_id": AUDIO},
        **{"projector_hidden_act": act(random), "projector_bias": random.random() < 0.5, "audio_merge_size": merged},
        "tie_word_embeddings": random.random() < 0.5,
    }
    positions = audio["max_source_positions"]
    return beside_text(random, content, (audio["num_mel_bins"], 2 * positions), positions // merged)


def glmasr_audio(random: Random) -> dict[str, Any]:
    return {
        **{"model_type": "glmasr_encoder", "num_mel_bins": 8, "hidden_size": 16, "num_attention_heads": 4},
        **{"num_key_value_heads": random.choice((4, 2)), "intermediate_size": 64, "max_position_embeddings": 50},
        **{"num_hidden_layers": random.randint(1, 3), "hidden_act": act(random)},
        **random.choice(({}, {"head_dim": 8}, {"partial_rotary_factor": 1.0})),
    }


def glmasr_encoder(random: Random) -> Case:
    content = {**glmasr_audio(random), "architectures": ["GlmAsrEncoder"]}
    return alone(random, content, (8, random.choice((40, 46))))


def glmasr(random: Random) -> Case:
    frames = random.choice((40, 48))
    content = {
        **{"model_type": "glmasr", "architectures": class_of(random, "GlmAsr"), "audio_token_id": AUDIO},
        **{"audio_config": glmasr_audio(random), "text_config": text(random, "llama")},
        **{"projector_hidden_act": act(random), "tie_word_embeddings": random.random() < 0.5},
    }
    return beside_text(random, content, (8, frames), frames // 8)


def plane_rows(frames: int, chunk: int = 100) -> int:
    """The rows that convolutions over the plane of chunks make of a sound."""
    left = frames % chunk
    for _ in range(3):
        left = (left + 1) // 2
    return left + frames // chunk * 13


def chunks(random: Random, **rest: Any) -> dict[str, Any]:
    """An encoder of chunks."""
    return {
        **{"num_mel_bins": random.choice((8, 11)), "d_model": 16, "encoder_layers": random.randint(1, 3)},
        **{"encoder_attention_heads": 2, "encoder_ffn_dim": 24, "n_window": 50, "output_dim": 32},
        **{"activation_function": random.choice(("gelu", "relu")), **rest},
    }


def plane(random: Random) -> dict[str, Any]:
    return {"n_window_infer": random.choice((100, 200, 400)), "downsample_hidden_size": 6}


def qwen3_asr(random: Random) -> Case:
    frames = random.choice((40, 100, 230, 300))
    audio = chunks(random, model_type="qwen3_asr_encoder", **plane(random))
    content = {
        **{"model_type": "qwen3_asr", "architectures": class_of(random, "Qwen3ASR"), "audio_token_id": AUDIO},
        **{"audio_config": audio, "text_config": text(random, "qwen3"), "tie_word_embeddings": random.random() < 0.5},
    }
    tokens, bins, whole = plane_rows(frames), audio["num_mel_bins"], -(-frames // 100) * 100
    batch, audios = random.randint(1, 2), random.randint(1, 2)
    seq_len = audios * tokens + random.randint(1, 9)

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.zeros((batch, seq_len), dtype=torch.long)
        ids[:, : audios * tokens] = AUDIO
        mask = torch.zeros((batch * audios, whole), dtype=torch.long)
        mask[:, :frames] = 1
        features = torch.randn((batch * audios, bins, whole))
        return {"input_ids": ids, "input_features": features, "input_features_mask": mask, "use_cache": False}

    workload = {"batch": batch, "audios": audios, "frames": frames, "seq_len": seq_len}
    return Case(content, workload, inputs, cached=5)


def thinker(random: Random, kind: str, stem: str, parts: tuple[Any, Any, Any], ids: tuple[str, str], each: int) -> Case:
    """A model of text, images of 4 by 6 patches, and sounds of `each` tokens."""
    audio, vision, words = parts
    content = {
        **{"model_type": kind, "architectures": [f"{stem}{random.choice(('ForConditionalGeneration', 'Model'))}"]},
        **{"audio_config": audio, "vision_config": vision, "text_config": words, ids[0]: AUDIO, ids[1]: 8},
        **{ids[1].replace("image", "video"): 9, "tie_word_embeddings": random.random() < 0.5},
    }
    batch, audios, images = random.randint(1, 2), random.randint(0, 2), random.randint(0, 2)
    sounds, squares, frames = audios * each, images * 6, audio.pop("frames")
    seq_len = sounds + squares + random.randint(1, 9)

    def inputs(model: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"input_ids": torch.zeros((batch, seq_len), dtype=torch.long), "use_cache": False}
        found["input_ids"][:, :sounds] = AUDIO
        found["input_ids"][:, sounds : sounds + squares] = 8
        if audios:
            found["input_features"] = torch.randn((batch * audios, audio["num_mel_bins"], frames))
            found["feature_attention_mask"] = torch.ones((batch * audios, frames), dtype=torch.long)
        if images:
            found["pixel_values"] = torch.randn((batch * images * 24, 3 * 2 * 16))
            found["image_grid_thw"] = torch.tensor([[1, 4, 6]] * (batch * images))
        return found

    workload = {"batch": batch, "audios": audios, "images": images, "image_size": [16, 24], "frames": frames}
    return Case(content, {**workload, "seq_len": seq_len}, inputs, cached=5)


def seen(**rest: Any) -> dict[str, Any]:
    return {
        **{"depth": 3, "hidden_size": 16, "intermediate_size": 20, "num_heads": 2, "patch_size": 4, **rest},
        **{"out_hidden_size": 32, "spatial_merge_size": 2, "in_channels": 3, "temporal_patch_size": 2},
    }


SECTIONS = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}}


def qwen2_5_omni_thinker(random: Random) -> Case:
    frames = random.choice((40, 100, 230))
    audio = chunks(random, n_window=random.choice((20, 50)), max_source_positions=60, frames=frames)
    words = {**text(random, "qwen2_5_omni_text"), **SECTIONS}
    del words["head_dim"]
    vision = seen(window_size=16, fullatt_block_indexes=[1])
    ids = ("audio_token_index", "image_token_index")
    stem = "Qwen2_5OmniThinker"
    return thinker(random, "qwen2_5_omni_thinker", stem, (audio, vision, words), ids, (frames // 2) // 2)


def qwen3_omni_moe_thinker(random: Random) -> Case:
    frames = random.choice((40, 100, 230))
    audio = chunks(random, max_source_positions=60, frames=frames, **plane(random))
    words = {**text(random, "qwen3_omni_moe_text"), **SECTIONS, "num_experts": 4, "num_experts_per_tok": 2}
    words["moe_intermediate_size"] = 12
    vision = seen(num_position_embeddings=16, deepstack_visual_indexes=[0, 1][: words["num_hidden_layers"]])
    ids = ("audio_token_id", "image_token_id")
    stem = "Qwen3OmniMoeThinker"
    return thinker(random, "qwen3_omni_moe_thinker", stem, (audio, vision, words), ids, plane_rows(frames))


def granite(random: Random, kind: str, stem: str, layers: int, beside: list[int] | None) -> Case:
    """A conformer, and a Q-Former that asks windows of six positions."""
    audio = {
        **{"model_type": f"{kind}_encoder", "input_dim": random.choice((8, 10)), "num_layers": layers, "num_heads": 2},
        **{"hidden_dim": 16, "feedforward_mult": 2, "output_dim": 7, "context_size": random.choice((10, 12))},
        **{"max_pos_emb": 20, "conv_kernel_size": random.choice((3, 4)), "conv_expansion_factor": 2},
        **random.choice(({}, {"dim_head": 6})),
        **({} if beside is None else {"cat_hidden_layers": beside}),
    }
    former = {
        **{"model_type": "blip_2_qformer", "hidden_size": 24, "num_hidden_layers": random.randint(1, 3)},
        **{"num_attention_heads": 2, "intermediate_size": 20, "encoder_hidden_size": 16 * (1 + len(beside or ()))},
        "cross_attention_frequency": random.choice((1, 2)),
    }
    content = {
        **{"model_type": kind, "architectures": class_of(random, stem), "audio_token_index": AUDIO},
        **{"encoder_config": audio, "projector_config": former, "text_config": text(random, "granite")},
        **{"tie_word_embeddings": random.random() < 0.5, "window_size": 6, "downsample_rate": random.choice((2, 3))},
        "has_lora_adapter": False,
    }
    frames = random.choice((20, 33, 40))
    tokens = -(-frames // 6) * 6 // content["downsample_rate"]
    case = beside_text(random, content, (audio["input_dim"], frames), tokens, mask="", by_bins=False)
    return case


def granite_speech(random: Random) -> Case:
    return granite(random, "granite_speech", "GraniteSpeech", random.choice((1, 2, 5)), None)


def granite_speech_plus(random: Random) -> Case:
    layers = random.choice((2, 5))
    return granite(
        random, "granite_speech_plus", "GraniteSpeechPlus", layers, random.choice(([0, 1], [layers - 1], None))
    )


def cohere_asr(random: Random) -> Case:
    audio = {
        **{"model_type": "parakeet_encoder", "hidden_size": 16, "num_hidden_layers": random.randint(1, 2)},
        **{"num_attention_heads": 2, "intermediate_size": 20, "subsampling_conv_channels": 6, "num_mel_bins": 16},
        **{"conv_kernel_size": 3, "subsampling_factor": 4, "attention_bias": random.random() < 0.5},
        "convolution_bias": random.random() < 0.5,
    }
    content = {
        **{"model_type": "cohere_asr", "architectures": class_of(random, "CohereAsr"), "encoder_config": audio},
        **{"vocab_size": 50, "hidden_size": 24, "num_hidden_layers": random.randint(1, 3), "num_attention_heads": 4},
        **{"intermediate_size": 20, "hidden_act": act(random), "max_position_embeddings": 32, "pad_token_id": 0},
        **{"attention_bias": random.random() < 0.5, "tie_word_embeddings": random.random() < 0.5},
        **random.choice(({}, {"head_dim": 5})),
    }
    batch, frames, seq_len = random.randint(1, 2), random.choice((40, 61, 80)), random.choice((5, 9))

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.zeros((batch, seq_len), dtype=torch.long)
        return {"input_features": torch.randn((batch, frames, 16)), "decoder_input_ids": ids, "use_cache": False}

    return Case(content, {"batch": batch, "frames": frames, "seq_len": seq_len}, inputs, cached=7)


def vibevoice_asr(random: Random) -> Case:
    ratios = random.choice(([2, 3], [2, 2]))
    audio = {
        **{"model_type": "vibevoice_acoustic_tokenizer_encoder", "hidden_size": 6, "num_filters": 4},
        **{"kernel_size": random.choice((5, 7)), "downsampling_ratios": ratios, "ffn_expansion": 2},
        **{"depths": random.choice(([1, 1, 2], [2, 1, 1])), "hidden_act": random.choice(("gelu", "relu"))},
    }
    hop, tokens, audios = ratios[0] * ratios[1], random.choice((5, 8)), random.randint(1, 2)
    content = {
        **{"model_type": "vibevoice_asr", "architectures": class_of(random, "VibeVoiceAsr"), "audio_token_id": AUDIO},
        **{"acoustic_tokenizer_encoder_config": audio, "text_config": text(random, "qwen2")},
        **{"semantic_tokenizer_encoder_config": {**audio, "hidden_size": 10}},
        "acoustic_tokenizer_chunk_size": 1000 * hop,
    }
    seq_len, samples = audios * tokens + random.randint(1, 9), tokens * hop

    def inputs(model: Any) -> dict[str, Any]:
        ids = torch.zeros((2, seq_len), dtype=torch.long)
        ids[:, : audios * tokens] = AUDIO
        return {"input_ids": ids, "input_values": torch.randn((2 * audios, 1, samples)), "use_cache": False}

    return Case(content, {"batch": 2, "audios": audios, "samples": samples, "seq_len": seq_len}, inputs, cached=5)


CASES: Mapping[str, Callable[[Random], Case]] = {
    function.__name__: function
    for function in (
        cohere_asr,
        vibevoice_asr,
        voxtral,
        audioflamingo3,
        audioflamingo3_encoder,
        musicflamingo,
        moss_transcribe_diarize,
        moss_transcribe_diarize_audio,
        glmasr,
        glmasr_encoder,
        granite_speech,
        granite_speech_plus,
        qwen3_asr,
        qwen2_5_omni_thinker,
        qwen3_omni_moe_thinker,
    )
}
