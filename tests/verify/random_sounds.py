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
    """

    content: Mapping[str, Any]
    workload: Mapping[str, Any]
    inputs: Callable[[Any], dict[str, Any]]
    cached: int | None = None


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


CASES: Mapping[str, Callable[[Random], Case]] = {
    function.__name__: function
    for function in (
        voxtral,
        audioflamingo3,
        audioflamingo3_encoder,
        musicflamingo,
        moss_transcribe_diarize,
        moss_transcribe_diarize_audio,
        glmasr,
        glmasr_encoder,
    )
}
