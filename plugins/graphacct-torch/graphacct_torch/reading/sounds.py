"""Inputs of sound: samples, and features of frames."""

from __future__ import annotations

import torch
from torch import nn

from graphacct_torch.reading.families import (
    BINS_FIRST,
    DEFAULT_BINS,
    FRAMES_FIRST,
    LIKE_IMAGES,
    MASK_OF_BOOLS,
    ONE_CHANNEL,
    SOUNDS_OF_TEXT,
    STACKED,
    WHOLE_CHUNKS,
    WIDE_FEATURES,
)
from graphacct_torch.reading.given import made
from graphacct_torch.reading.sizes import AUDIO, SAMPLES, Sizes

INT, FLOAT = torch.int64, torch.float32
FRAMES_OF_SOUND = 1024
"""Frames of features whose number is free."""
SAMPLES_OF_A_FRAME = 320
"""Samples of sound for each frame of features beside it."""
BINS = (
    "feature_projection_input_dim",
    "num_mel_bins",
    "mel_bins",
    "n_mels",
    "input_feat_size",
    "input_feat_per_channel",
    "feature_size",
    "input_dim",
)
"""Keys for the features of a frame."""


def features(sizes: Sizes) -> torch.Tensor:
    return made("input_features", _spectrum(sizes)[0], FLOAT)


def features_mask(sizes: Sizes) -> torch.Tensor:
    """One number for each frame."""
    shape, axis = _spectrum(sizes)
    mask = made("mask", (shape[0], shape[axis]), INT)
    if sizes.frames and sizes.get("model_type") in WHOLE_CHUNKS and not mask.is_meta:
        mask[:, sizes.frames :] = 0
    return mask.bool() if sizes.get("model_type") in MASK_OF_BOOLS else mask


def _spectrum(sizes: Sizes) -> tuple[tuple[int, ...], int]:
    """Returns the shape of features of sound, and which of its dimensions is the frames.

    Whisper's features are bins of frames, as many as its positions need; what a convolution over time takes first is
    bins of frames as well, and others are frames of bins.
    """
    family = str(sizes.get("model_type"))
    count = sizes.batch * (sizes.audios or 1)
    bins = sizes.get(*BINS, default=DEFAULT_BINS.get(family, 80), parts=AUDIO)
    if family in WIDE_FEATURES:
        return (count, sizes.frames or FRAMES_OF_SOUND, sizes.get("d_model")), 1
    if family in LIKE_IMAGES:
        return (count, 1, sizes.get("spec_size", parts=AUDIO) ** 2 // bins, bins), 2
    layer = sizes.first(nn.Linear, nn.LayerNorm, nn.Conv1d, parts=("audio", "speech", "semantic"))
    if isinstance(layer, nn.LayerNorm):
        bins = layer.normalized_shape[0]
    elif isinstance(layer, nn.Linear) and family in STACKED:
        bins = layer.in_features
    elif family not in STACKED:
        bins *= sizes.get("num_stacked_frames", default=1, parts=AUDIO)
    positions = sizes.get("max_source_positions", parts=AUDIO)
    if isinstance(positions, int) and family not in FRAMES_FIRST and not isinstance(layer, nn.LayerNorm):
        return (count, bins, frames_of_text(sizes)), 2
    frames = SAMPLES // SAMPLES_OF_A_FRAME if "input_values" in sizes.names else sizes.frames or FRAMES_OF_SOUND
    over_time = isinstance(layer, nn.Conv1d) and layer.in_channels == bins and family not in FRAMES_FIRST
    if family in BINS_FIRST or over_time:
        whole = 2 * sizes.get("n_window", default=1, parts=AUDIO)
        frames = -(-frames // whole) * whole if sizes.frames and family in WHOLE_CHUNKS else frames - frames % whole
        return (count, bins, frames), 2
    return (count, frames, bins), 1


def frames_of_text(sizes: Sizes) -> int:
    """Frames of each sound: as many as are given, or as an encoder like Whisper's has positions for."""
    return int(sizes.frames or 2 * sizes.get("max_source_positions", default=FRAMES_OF_SOUND // 2, parts=AUDIO))


def sound(sizes: Sizes) -> torch.Tensor:
    if sizes.get("model_type") == "audio-spectrogram-transformer":
        frames = sizes.frames or sizes.get("max_length")
        return made("input_values", (sizes.batch, frames, sizes.get("num_mel_bins")), FLOAT)
    channels = sizes.get("audio_channels", parts=AUDIO)
    if channels is None and sizes.get("model_type") in ONE_CHANNEL | SOUNDS_OF_TEXT:
        channels = 1
    count, sounds = sizes.samples or SAMPLES, sizes.batch * (sizes.audios or 1)
    samples = (sounds, count) if channels is None else (sounds, channels, count)
    return made("input_values", samples, FLOAT)
