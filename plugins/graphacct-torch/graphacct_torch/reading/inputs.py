"""Inputs of a class of the transformers library, made from the names of its arguments and from its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import nn

from graphacct import suggest
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading.given import made, with_inputs
from graphacct_torch.reading.sizes import AUDIO, FRAMES, LONGEST, SAMPLES, TEXT, VISION, Sizes

INT, FLOAT = torch.int64, torch.float32


def _ids(sizes: Sizes) -> torch.Tensor:
    encoder = sizes.get("is_encoder_decoder") and "decoder_input_ids" in sizes.names
    return made("input_ids", (sizes.batch, sizes.source if encoder else sizes.text), INT)


def _pixels(sizes: Sizes) -> torch.Tensor:
    if "spatial_shapes" in sizes.names or "grid_thw" in sizes.names:
        return _patches(sizes)
    images = (sizes.channels, *sizes.pixels)
    if sizes.get("model_type") in PAIRS:
        return made("pixel_values", (sizes.batch, 2, *images), FLOAT)
    frames = sizes.get("num_frames", parts=VISION)
    if isinstance(frames, int) and not isinstance(sizes.get("num_image_with_embedding"), int):
        return made("pixel_values", (sizes.batch, frames, *images), FLOAT)
    return made("pixel_values", (sizes.batch, *images), FLOAT)


def _patches(sizes: Sizes) -> torch.Tensor:
    """Patches in rows, SIDE by SIDE of each image: all images' after one another where `grid_thw` tells them apart."""
    patch = sizes.get("patch_size", default=14, parts=VISION)
    frames = sizes.get("temporal_patch_size", default=1, parts=VISION)
    width = sizes.channels * patch * patch
    if "spatial_shapes" in sizes.names:
        return made("pixel_values", (sizes.batch, SIDE * SIDE, width), FLOAT)
    return made("hidden_states", (sizes.batch * SIDE * SIDE, width * frames), FLOAT)


def _grid(sizes: Sizes) -> torch.Tensor:
    return torch.tensor([[1, SIDE, SIDE]] * sizes.batch)


def _videos(sizes: Sizes) -> torch.Tensor:
    frames = sizes.get("frames_per_clip", "num_frames", default=FRAMES, parts=VISION)
    size = sizes.get("crop_size", default=sizes.pixels[0], parts=VISION)
    return made("pixel_values_videos", (sizes.batch, frames, sizes.channels, size, size), FLOAT)


def _features(sizes: Sizes) -> torch.Tensor:
    """Whisper's features are bins of frames, as many as its positions need; others are frames of bins."""
    bins = sizes.get(*BINS, default=80, parts=AUDIO)
    positions = sizes.get("max_source_positions", parts=AUDIO)
    if isinstance(positions, int) and sizes.get("model_type") not in FRAMES_FIRST:
        return made("input_features", (sizes.batch, bins, 2 * positions), FLOAT)
    if sizes.get("model_type") in BINS_FIRST:
        return made("input_features", (sizes.batch, bins, FRAMES_OF_SOUND), FLOAT)
    return made("input_features", (sizes.batch, FRAMES_OF_SOUND, bins), FLOAT)


def _features_mask(sizes: Sizes) -> torch.Tensor:
    """One number for each frame."""
    features = _features(sizes)
    bins = sizes.get(*BINS, default=80, parts=AUDIO)
    return made("mask", (sizes.batch, features.shape[1] if features.shape[-1] == bins else features.shape[-1]), INT)


def _sound(sizes: Sizes) -> torch.Tensor:
    if sizes.get("model_type") == "audio-spectrogram-transformer":
        return made("input_values", (sizes.batch, sizes.get("max_length"), sizes.get("num_mel_bins")), FLOAT)
    channels = sizes.get("audio_channels", parts=AUDIO)
    if channels is None and sizes.get("model_type") in ONE_CHANNEL:
        channels = 1
    samples = (sizes.batch, SAMPLES) if channels is None else (sizes.batch, channels, SAMPLES)
    return made("input_values", samples, FLOAT)


def _past(sizes: Sizes) -> torch.Tensor:
    channels = sizes.get("num_input_channels")
    if channels is None:
        channels = sizes.get("input_size", default=1)
        channels = None if channels == 1 else channels
    shape = _history(sizes)
    return made("past_values", shape if channels is None else (*shape, channels), FLOAT)


def _history(sizes: Sizes) -> tuple[int, int]:
    """The batch and the steps of a time series that a forecast reads."""
    lags = max(sizes.get("lags_sequence", default=(0,)))
    return sizes.batch, sizes.get("context_length", default=LONGEST) + lags


def _text(name: str) -> Callable[[Sizes], Any]:
    return lambda sizes: made(name, (sizes.batch, sizes.text), INT)


SIDE = 16
"""Patches of a side of an image that is given as patches."""
FRAMES_OF_SOUND = 1024
"""Frames of features whose number is free."""
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
FRAMES_FIRST = frozenset(("speech_to_text", "seamless_m4t", "seamless_m4t_v2"))
"""Families whose features are frames of bins, with a limit of positions all the same."""
BINS_FIRST = frozenset(("clvp", "glmasr", "glmasr_encoder"))
"""Families whose features are bins of frames, without a limit of positions."""
WITH_MASK = frozenset(("audioflamingo3_encoder", "musicflamingo_encoder"))
"""Families that take the mask of their features for given."""
PAIRS = frozenset(("efficientloftr", "lightglue", "superglue"))
"""Families that match the points of two images."""
ONE_CHANNEL = frozenset(
    (
        "dac",
        "pe_audio",
        "pe_audio_encoder",
        "vibevoice_acoustic_tokenizer",
        "vibevoice_acoustic_tokenizer_encoder",
        "vibevoice_semantic_tokenizer",
        "xcodec",
        "xcodec2",
        "higgs_audio_v2_tokenizer",
    )
)
"""Families whose sound has a dimension of channels."""
WITH_IMAGES = frozenset(("bridgetower", "idefics", "tvp", "vilt", "flava", "owlvit", "owlv2", "grounding-dino"))
"""Families of text and images whose class has no part for the text alone."""
MAKERS: Mapping[str, Callable[[Sizes], Any]] = {
    "input_ids": _ids,
    "decoder_input_ids": _text("decoder_input_ids"),
    "qformer_input_ids": _text("qformer_input_ids"),
    "attention_mask": _text("attention_mask"),
    "bbox": lambda sizes: made("bbox", (sizes.batch, sizes.text, 4), INT),
    "pixel_values": _pixels,
    "hidden_states": lambda sizes: _patches(sizes) if "grid_thw" in sizes.names else None,
    "grid_thw": _grid,
    "image_grid_thw": _grid,
    "spatial_shapes": lambda sizes: torch.full((sizes.batch, 2), SIDE),
    "pixel_attention_mask": lambda sizes: made("mask", (sizes.batch, SIDE * SIDE), INT),
    "merge_sizes": lambda sizes: torch.ones(sizes.batch, dtype=INT),
    "pixel_values_videos": _videos,
    "query_embeds": lambda sizes: made(
        "query_embeds", (sizes.batch, sizes.get("num_query_tokens", default=32), sizes.get("hidden_size")), FLOAT
    ),
    "input_features": _features,
    "input_features_mask": _features_mask,
    "input_values": _sound,
    "past_values": _past,
    "past_observed_mask": lambda sizes: torch.empty(_past(sizes).shape, device="meta"),
    "past_values_padding": lambda sizes: torch.zeros(_history(sizes)),
    "past_time_features": lambda sizes: torch.empty(
        (*_history(sizes), sizes.get("num_time_features", default=0) + 1), device="meta"
    ),
}
"""How each input is made, by the name of the argument; None if that depends on the class."""
BESIDE = ("bbox", "spatial_shapes")
"""Arguments that a class has only if it needs them."""


def inputs_of(module: nn.Module, sizes: Sizes, given: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Returns the inputs that a module of the library needs, by name, except those that the user gives himself.

    Text and what the class names as its main input come first; images and sounds beside a text only where the class
    compares them with it. No input has data but ids, which are zeros, and masks, which are ones.

    Raises CaptureError, which names an input that cannot be made, and how it is given.
    """
    formals = inspect.signature(module.forward).parameters
    sizes = attrs.evolve(sizes, names=frozenset(formals))
    found: dict[str, Any] = {}
    for name in _needed(module, formals, sizes):
        if name in given or name in found:
            continue
        value = MAKERS[name](sizes) if name in MAKERS else None
        if value is None:
            raise CaptureError(
                f"module {type(module).__name__!r} needs {name}, and graphacct does not know what that is made of: add "
                f"--input {name}=SHAPE:DTYPE, such as {sizes.batch}x{sizes.text}:int64"
            )
        found[name] = value
    if "use_cache" in formals or sizes.get("use_cache", parts=TEXT):
        found["use_cache"] = False
    return found


def _needed(module: nn.Module, formals: Mapping[str, inspect.Parameter], sizes: Sizes) -> list[str]:
    """Returns the names of the inputs that a class needs."""
    main = getattr(module, "main_input_name", "input_ids")
    positional = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [name for name, formal in formals.items() if formal.default is formal.empty and formal.kind in positional]
    wanted = [main, *BESIDE]
    if "input_ids" in formals:
        wanted.append("input_ids")
    if sizes.get("is_encoder_decoder"):
        wanted.append("decoder_input_ids")
    if sizes.get("model_type") in WITH_MASK:
        wanted.append("input_features_mask")
    if "spatial_shapes" in formals:
        wanted.append("pixel_attention_mask")
    if hasattr(module, "get_text_features") or sizes.get("model_type") in WITH_IMAGES:
        wanted += ["pixel_values", "input_features"]
    return [*names, *(name for name in wanted if name in formals)]


def library_inputs(module: nn.Module, sizes: Sizes, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the inputs of a module of the library: made ones, and those that the user gives."""
    given = frozenset(inputs) if isinstance(inputs, Mapping) else frozenset()
    if inputs is not None and not isinstance(inputs, Mapping):
        return with_inputs(module, (), {}, inputs)
    formals = inspect.signature(module.forward).parameters
    wrong = next((name for name in given if name not in formals), None)
    if wrong is not None:
        raise CaptureError(f"module {type(module).__name__!r} takes no {wrong}{suggest(wrong, formals)}")
    return with_inputs(module, (), inputs_of(module, sizes, given), inputs)
