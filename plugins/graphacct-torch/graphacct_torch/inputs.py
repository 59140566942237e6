"""Inputs of a class of the transformers library, made from the names of its arguments and from its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import nn

from graphacct import suggest
from graphacct_torch.documented import documented
from graphacct_torch.errors import CaptureError
from graphacct_torch.given import made, with_inputs
from graphacct_torch.sizes import AUDIO, FRAMES, LONGEST, SAMPLES, TEXT, VISION, Sizes

INT, FLOAT = torch.int64, torch.float32


def _ids(sizes: Sizes) -> torch.Tensor:
    encoder = sizes.get("is_encoder_decoder") and "decoder_input_ids" in sizes.names
    length = sizes.source if encoder else sizes.text
    if sizes.get("model_type") in WITH_CODES:
        return made("input_ids", (sizes.batch, length, sizes.get("num_codebooks") + 1), INT)
    return made("input_ids", (sizes.batch, length), INT)


def _decoder_ids(sizes: Sizes) -> torch.Tensor:
    """A decoder of sound reads the codes of all codebooks at each step: beside one another, or as sequences."""
    books = sizes.get("num_codebooks", parts=("decoder",))
    if sizes.get("model_type") in CODES_IN_BATCH:
        return made("decoder_input_ids", (sizes.batch * books, sizes.text), INT)
    if sizes.get("model_type") == "dia":
        return made("decoder_input_ids", (sizes.batch, sizes.text, sizes.get("num_channels", parts=TEXT)), INT)
    return made("decoder_input_ids", (sizes.batch, sizes.text), INT)


def _pixels(sizes: Sizes) -> torch.Tensor:
    if sizes.names & {"spatial_shapes", "grid_thw", "pixel_position_ids"}:
        return _patches(sizes)
    images = (sizes.channels, *sizes.pixels)
    if "target_sizes" in sizes.names:  # each image a strip of patches
        patch = sizes.get("patch_size", default=14, parts=VISION)
        return made("pixel_values", (1, sizes.channels, patch, sizes.batch * SIDE * SIDE * patch), FLOAT)
    if sizes.get("model_type") in IMAGES_OF_TEXT:
        return made("pixel_values", (sizes.batch, 1, *images), FLOAT)
    if sizes.get("model_type") in VIDEOS_OF_TEXT:
        return made("pixel_values", (sizes.batch, 4, *images), FLOAT)
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
    layer = sizes.first(nn.Linear, nn.Conv2d)
    if isinstance(layer, nn.Linear) and layer.in_features % width == 0:
        width, frames = layer.in_features, 1
    if sizes.names & {"spatial_shapes", "pixel_position_ids"}:
        return made("pixel_values", (sizes.batch, _side(sizes) ** 2, width), FLOAT)
    if isinstance(layer, nn.Conv2d) and layer.kernel_size == (patch, patch) and frames == 1:
        return made("pixel_values", (sizes.batch * SIDE * SIDE, sizes.channels, patch, patch), FLOAT)
    return made("hidden_states", (sizes.batch * SIDE * SIDE, width * frames), FLOAT)


def _side(sizes: Sizes) -> int:
    """Patches of a side of an image: whole windows, of a model that pools them."""
    return SIDE - SIDE % sizes.get("pooling_kernel_size", default=1, parts=VISION)


def _patch_positions(sizes: Sizes) -> torch.Tensor:
    """The column and row of each patch of an image of SIDE by SIDE."""
    side = torch.arange(_side(sizes))
    places = torch.cartesian_prod(side, side).flip(1)
    return places.expand(sizes.batch, -1, -1).contiguous()


def _grid(sizes: Sizes) -> torch.Tensor:
    return torch.tensor([[1, SIDE, SIDE]] * sizes.batch)


def _videos(sizes: Sizes) -> torch.Tensor:
    frames = sizes.get("frames_per_clip", "num_frames", default=FRAMES, parts=VISION)
    size = sizes.get("crop_size", default=sizes.pixels[0], parts=VISION)
    return made("pixel_values_videos", (sizes.batch, frames, sizes.channels, size, size), FLOAT)


def _features(sizes: Sizes) -> torch.Tensor:
    return made("input_features", _spectrum(sizes)[0], FLOAT)


def _features_mask(sizes: Sizes) -> torch.Tensor:
    """One number for each frame."""
    shape, axis = _spectrum(sizes)
    return made("mask", (sizes.batch, shape[axis]), INT)


def _spectrum(sizes: Sizes) -> tuple[tuple[int, ...], int]:
    """Returns the shape of features of sound, and which of its dimensions is the frames.

    Whisper's features are bins of frames, as many as its positions need; what a convolution over time takes first is
    bins of frames as well, and others are frames of bins.
    """
    family = str(sizes.get("model_type"))
    bins = sizes.get(*BINS, default=DEFAULT_BINS.get(family, 80), parts=AUDIO)
    if family in LIKE_IMAGES:
        return (sizes.batch, 1, sizes.get("spec_size", parts=AUDIO) ** 2 // bins, bins), 2
    layer = sizes.first(nn.Linear, nn.LayerNorm, nn.Conv1d, parts=("audio", "speech", "semantic"))
    if isinstance(layer, nn.LayerNorm):
        bins = layer.normalized_shape[0]
    elif isinstance(layer, nn.Linear) and family in STACKED:
        bins = layer.in_features
    positions = sizes.get("max_source_positions", parts=AUDIO)
    if isinstance(positions, int) and family not in FRAMES_FIRST and not isinstance(layer, nn.LayerNorm):
        return (sizes.batch, bins, 2 * positions), 2
    frames = SAMPLES // SAMPLES_OF_A_FRAME if "input_values" in sizes.names else FRAMES_OF_SOUND
    if family in BINS_FIRST or (isinstance(layer, nn.Conv1d) and layer.in_channels == bins):
        frames -= frames % (2 * sizes.get("n_window", default=1, parts=AUDIO))
        return (sizes.batch, bins, frames), 2
    return (sizes.batch, frames, bins), 1


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


def _places_of_images(sizes: Sizes) -> torch.Tensor:
    """A text that begins with an image, which is as many tokens as the model makes of one."""
    count = sizes.get("latent_query_num")
    return (torch.arange(sizes.text) < count).to(INT).expand(sizes.batch, -1).contiguous()


def _text(name: str) -> Callable[[Sizes], Any]:
    return lambda sizes: made(name, (sizes.batch, sizes.text), INT)


SIDE = 16
"""Patches of a side of an image that is given as patches."""
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
DEFAULT_BINS: Mapping[str, int] = {"gemma4_audio": 128}
"""The bins of families that no key states."""
STACKED = frozenset(("granite_speech5_ctc", "granite_speech5_encoder", "fun_asr_nano_encoder"))
"""Families that take several frames beside one another, as many as their first layer takes."""
FRAMES_FIRST = frozenset(("speech_to_text", "seamless_m4t", "seamless_m4t_v2"))
"""Families whose features are frames of bins, with a limit of positions all the same."""
BINS_FIRST = frozenset(("clvp", "glmasr", "glmasr_encoder", "qwen3_asr_encoder"))
"""Families whose features are bins of frames, without a limit of positions."""
WITH_MASK = frozenset(("audioflamingo3_encoder", "musicflamingo_encoder"))
"""Families that take the mask of their features for given."""
PAIRS = frozenset(("efficientloftr", "lightglue", "superglue"))
"""Families that match the points of two images."""
ONE_CHANNEL = frozenset(
    (
        "dac",
        "pe_audio",
        "pe_audio_video",
        "pe_audio_video_encoder",
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
TOGETHER: Mapping[str, tuple[str, ...]] = {
    "decision_transformer": ("actions", "rewards", "returns_to_go", "timesteps"),
    "lxmert": ("visual_feats", "visual_pos"),
    "pix2struct": ("decoder_input_ids", "attention_mask"),
    "idefics": ("image_attention_mask",),
    "kosmos-2": ("image_embeds_position_mask",),
    "minicpm_ocr_vision": ("target_sizes",),
    "minicpmv4_6_vision": ("target_sizes",),
    "minicpmv4_7_vision": ("target_sizes",),
    "voxtral_realtime": ("input_features",),
    "pe_audio_video": ("input_values",),
    "pi0": ("input_ids", "pixel_values", "pixel_attention_mask"),
    "blip_2_qformer": ("encoder_hidden_states",),
}
"""Inputs that a class runs without by its signature, and not by its code."""
WITH_CODES = frozenset(("kyutai_speech_to_text",))
"""Families that read the codes of all codebooks beside each token of text."""
CODES_IN_BATCH = frozenset(("musicgen", "musicgen_melody"))
"""Families whose codebooks are sequences of their own."""
IMAGES_OF_TEXT = frozenset(("idefics", "pi0"))
"""Families with several images for each text."""
VIDEOS_OF_TEXT = frozenset(("instructblipvideo",))
"""Families with a video of four images for each text."""
LIKE_IMAGES = frozenset(("clap", "clap_audio_model"))
"""Families whose features are an image of one channel."""
WITH_IMAGES = frozenset(("bridgetower", "idefics", "tvp", "vilt", "flava", "owlvit", "owlv2", "grounding-dino"))
"""Families of text and images whose class has no part for the text alone."""
MAKERS: Mapping[str, Callable[[Sizes], Any]] = {
    "input_ids": _ids,
    "decoder_input_ids": _decoder_ids,
    "qformer_input_ids": _text("qformer_input_ids"),
    "attention_mask": lambda sizes: made(
        "mask", (sizes.batch, SIDE * SIDE if "flattened_patches" in sizes.names else sizes.text), INT
    ),
    "image_attention_mask": lambda sizes: made("mask", (sizes.batch, sizes.text, 1), INT),
    "bbox": lambda sizes: made("bbox", (sizes.batch, sizes.text, 4), INT),
    "pixel_values": _pixels,
    "hidden_states": lambda sizes: (
        _patches(sizes)
        if "grid_thw" in sizes.names
        else _sound(sizes)
        if sizes.get("model_type") in ONE_CHANNEL
        else None
    ),
    "grid_thw": _grid,
    "image_grid_thw": _grid,
    "pixel_position_ids": _patch_positions,
    "spatial_shapes": lambda sizes: torch.full((sizes.batch, 2), SIDE),
    "pixel_attention_mask": lambda sizes: made(
        "mask", (sizes.batch, SIDE * SIDE if "spatial_shapes" in sizes.names else 1), INT
    ),
    "action_embeds": lambda sizes: made(
        "action_embeds",
        (sizes.batch, sizes.get("chunk_size") + 1, sizes.get("hidden_size", parts=("dit_config",))),
        FLOAT,
    ),
    "context_hidden_states": lambda sizes: made(
        "context_hidden_states",
        (sizes.batch, sizes.text, sizes.get("hidden_size") * len(sizes.get("target_layer_ids"))),
        FLOAT,
    ),
    "merge_sizes": lambda sizes: torch.ones(sizes.batch, dtype=INT),
    "pixel_values_videos": _videos,
    "query_embeds": lambda sizes: made(
        "query_embeds", (sizes.batch, sizes.get("num_query_tokens", default=32), sizes.get("hidden_size")), FLOAT
    ),
    "input_features": _features,
    "input_features_mask": _features_mask,
    "audio_mel": _features,
    "audio_mel_mask": lambda sizes: _features_mask(sizes).bool(),
    "flattened_patches": lambda sizes: made(
        "flattened_patches",
        (sizes.batch, SIDE * SIDE, sizes.get("patch_embed_hidden_size", default=768, parts=VISION) + 2),
        FLOAT,
    ),
    "encoder_hidden_states": lambda sizes: made(
        "encoder_hidden_states", (sizes.batch, sizes.text, sizes.get("encoder_hidden_size", "hidden_size")), FLOAT
    ),
    "freq": lambda sizes: torch.zeros(sizes.batch, 1, dtype=INT),
    "target_sizes": lambda sizes: torch.full((sizes.batch, 2), SIDE),
    "image_embeds_position_mask": _places_of_images,
    "input_values": _sound,
    "past_values": _past,
    "past_observed_mask": lambda sizes: torch.empty(_past(sizes).shape, device="meta"),
    "past_values_padding": lambda sizes: torch.zeros(_history(sizes)),
    "past_time_features": lambda sizes: torch.empty(
        (*_history(sizes), sizes.get("num_time_features", default=0) + sizes.get("num_dynamic_real_features", default=0)), device="meta"
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
    sizes = attrs.evolve(sizes, names=frozenset(formals), module=module)
    found: dict[str, Any] = {}
    for name in _needed(module, formals, sizes):
        if name in given or name in found:
            continue
        value = MAKERS[name](sizes) if name in MAKERS else None
        if value is None:
            value = documented(module, name, sizes)
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
    mains = main if isinstance(main, (list, tuple)) else (main,)
    wanted = [*mains, *BESIDE, *TOGETHER.get(str(sizes.get("model_type")), ())]
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
