"""How each input of a class of the transformers library is made, by the name of the argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from graphacct_torch.reading import films
from graphacct_torch.reading.families import (
    BINS_FIRST,
    BOXES_IN_FLOATS,
    CODES_IN_BATCH,
    COUNTED_SOUNDS,
    CUT_IMAGES,
    DEFAULT_BINS,
    FRAMES_FIRST,
    IMAGES_BY_TEXT,
    IMAGES_OF_TEXT,
    IMAGES_OF_TOKENS,
    LIKE_IMAGES,
    MASK_OF_BOOLS,
    ONE_CHANNEL,
    PAIRS,
    PATCHES_AS_IMAGES,
    SOUNDS_OF_TEXT,
    STACKED,
    TWO_TEXTS,
    VIDEOS_OF_TEXT,
    WHOLE_CHUNKS,
    WIDE_FEATURES,
    WITH_CODES,
)
from graphacct_torch.reading.given import made
from graphacct_torch.reading.sizes import AUDIO, FRAMES, LONGEST, SAMPLES, TEXT, VISION, Sizes

INT, FLOAT = torch.int64, torch.float32
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


def _ids(sizes: Sizes) -> torch.Tensor:
    pair = sizes.get("is_encoder_decoder") or sizes.get("model_type") in TWO_TEXTS
    encoder = pair and "decoder_input_ids" in sizes.names
    length = sizes.source if encoder else sizes.text
    if sizes.get("model_type") in WITH_CODES:
        return made("input_ids", (sizes.batch, length, sizes.get("num_codebooks") + 1), INT)
    if type(sizes.module).__name__.endswith("ForMultipleChoice"):  # answers to each question
        return made("input_ids", (sizes.batch, sizes.choices or 2, length), INT)
    ids = made("input_ids", (sizes.batch, length), INT)
    if sizes.images and sizes.get("downsample_rate") and sizes.get("model_type") in CUT_IMAGES and not ids.is_meta:
        ids[:, : sizes.images * _tokens_of_picture(sizes)] = sizes.get("image_token_id", default=0)
    if sizes.audios and sizes.get("model_type") in COUNTED_SOUNDS and not ids.is_meta:
        ids[:, : sizes.audios * (_frames_of_text(sizes) // 4)] = sizes.get("audio_token_id", default=0)
    if sizes.images and not films.given(sizes) and "image_grid_thw" in sizes.names and not ids.is_meta:
        rows, columns = _rows_and_columns(sizes)
        squares = sizes.get("spatial_merge_size", default=1, parts=VISION) ** 2
        ids[:, : sizes.images * rows * columns // squares] = sizes.get("image_token_id", default=0)
    if films.given(sizes) and "video_grid_thw" in sizes.names and not ids.is_meta:
        ids[:, : films.tokens(sizes)] = sizes.get("video_token_id", default=0)
    return ids


def _decoder_ids(sizes: Sizes) -> torch.Tensor:
    """A decoder of sound reads the codes of all codebooks at each step: beside one another, or as sequences."""
    books = sizes.get("num_codebooks", parts=("decoder",))
    if sizes.get("model_type") in CODES_IN_BATCH:
        return made("decoder_input_ids", (sizes.batch * books, sizes.text), INT)
    if sizes.get("model_type") == "dia":
        return made("decoder_input_ids", (sizes.batch, sizes.text, sizes.get("num_channels", parts=TEXT)), INT)
    return made("decoder_input_ids", (sizes.batch, sizes.text), INT)


def _pixels(sizes: Sizes) -> torch.Tensor:
    if sizes.names & {"spatial_shapes", "grid_thw", "pixel_position_ids", "image_position_ids"}:
        return _patches(sizes)
    if "prompt_pixel_values" in sizes.names:
        return _upper_half(sizes)
    if "target_sizes" in sizes.names:  # each image a strip of patches
        patch = sizes.get("patch_size", default=14, parts=VISION)
        rows, columns = _rows_and_columns(sizes)
        count = sizes.batch * (sizes.images or 1) * rows * columns
        return made("pixel_values", (1, sizes.channels, patch, count * patch), FLOAT)
    images = (sizes.channels, *sizes.pixels)
    if sizes.images is not None and "image_grid_thw" in sizes.names:
        return _grid_of_text(sizes)
    if sizes.images is not None and sizes.get("model_type") in CUT_IMAGES:
        tile = sizes.get("image_size", parts=VISION)
        count = sizes.batch * sizes.images * _squares(sizes)
        return made("pixel_values", (count, sizes.channels, tile, tile), FLOAT)
    if sizes.images is not None and "aspect_ratio_ids" in sizes.names:
        return made("pixel_values", (sizes.batch, *_tiles_of_images(sizes), *images), FLOAT)
    if sizes.get("model_type") in VIDEOS_OF_TEXT:
        return made("pixel_values", (sizes.batch * (sizes.images or 1), sizes.frames or 4, *images), FLOAT)
    if sizes.images is not None and "input_ids" in sizes.names:
        return made("pixel_values", (*_images_of_text(sizes), *images), FLOAT)
    if sizes.get("model_type") in IMAGES_OF_TOKENS:
        side = sizes.get("patch_size") * sizes.get("spatial_merge_size")
        return made("pixel_values", (sizes.batch * SIDE * SIDE, side, side, sizes.channels), FLOAT)
    if sizes.get("model_type") in IMAGES_OF_TEXT:
        return made("pixel_values", (sizes.batch, 1, *images), FLOAT)
    if sizes.get("model_type") in PAIRS:
        return made("pixel_values", (sizes.batch, 2, *images), FLOAT)
    frames = sizes.get("num_frames", parts=VISION)
    if isinstance(frames, int) and not isinstance(sizes.get("num_image_with_embedding"), int):
        return made("pixel_values", (sizes.batch, frames, *images), FLOAT)
    return made("pixel_values", (sizes.batch, *images), FLOAT)


def _tokens_of_picture(sizes: Sizes) -> int:
    """The tokens of a picture that is cut into squares, of which windowed queries leave a share."""
    from transformers.image_processing_utils import select_best_resolution
    from transformers.models.granite4_vision.modeling_granite4_vision import unpad_image

    tile = sizes.get("image_size", parts=VISION)
    height, width = select_best_resolution(_picture(sizes), sizes.get("image_grid_pinpoints"))
    left, window = map(int, sizes.get("downsample_rate").split("/"))
    side = tile // sizes.get("patch_size", parts=VISION) * left // window
    places = torch.empty((1, height // tile * side, width // tile * side), device="meta")
    _, rows, columns = unpad_image(places, _picture(sizes)).shape
    return int(side * side + rows * (columns + 1))


def _tiles_of_images(sizes: Sizes) -> tuple[int, int]:
    """The images of a text, and the tiles that each is padded to."""
    return sizes.images or 1, sizes.tiles or sizes.get("max_num_tiles", default=1, parts=VISION)


def _squares(sizes: Sizes) -> int:
    """The squares that each picture of a text is cut into, the whole picture in one of them included."""
    if "batch_num_images" in sizes.names and sizes.images != 1:
        return 1
    from transformers.image_processing_utils import select_best_resolution

    tile = sizes.get("image_size", parts=VISION)
    height, width = select_best_resolution(_picture(sizes), sizes.get("image_grid_pinpoints"))
    return (height // tile) * (width // tile) + 1


def _picture(sizes: Sizes) -> tuple[int, int]:
    """The size of a picture: as given; or that of the first resolution that has as many squares as are given."""
    tile = sizes.get("image_size", parts=VISION)
    if sizes.get("model_type") in CUT_IMAGES and sizes.tiles is not None and sizes.pixels == (tile, tile):
        listed = sizes.get("image_grid_pinpoints")
        found = ((h, w) for h, w in listed if (h // tile) * (w // tile) + 1 == sizes.tiles)
        return next(found, sizes.pixels)
    return sizes.pixels


def _images_of_text(sizes: Sizes) -> tuple[int, ...]:
    """The images of all sequences, as many dimensions as the class has of them."""
    assert sizes.images is not None
    if sizes.get("model_type") in IMAGES_BY_TEXT:
        return sizes.batch, sizes.images * (sizes.tiles or 1)
    return (sizes.batch * sizes.images * (sizes.tiles or 1),)


def _patches(sizes: Sizes) -> torch.Tensor:
    """Patches in rows, SIDE by SIDE of each image: all images' after one another where `grid_thw` tells them apart."""
    patch = sizes.get("patch_size", default=14, parts=VISION)
    frames = sizes.get("temporal_patch_size", default=1, parts=VISION)
    width = sizes.channels * patch * patch
    layer = sizes.first(nn.Linear)
    if isinstance(layer, nn.Linear) and layer.in_features % width == 0:
        width, frames = layer.in_features, 1
    if sizes.names & {"spatial_shapes", "pixel_position_ids", "image_position_ids"}:
        rows, columns = _whole_sides(sizes)
        return made("pixel_values", (sizes.batch * (sizes.images or 1), rows * columns, width), FLOAT)
    if sizes.get("model_type") in PATCHES_AS_IMAGES:
        return made("pixel_values", (sizes.batch * SIDE * SIDE, sizes.channels, patch, patch), FLOAT)
    return made("hidden_states", (sizes.batch * SIDE * SIDE, width * frames), FLOAT)


def _whole_sides(sizes: Sizes) -> tuple[int, int]:
    """Patches of the sides of an image: whole windows, of a model that pools them."""
    pool = sizes.get("pooling_kernel_size", default=1, parts=VISION)
    rows, columns = _rows_and_columns(sizes)
    return rows - rows % pool, columns - columns % pool


def _patch_positions(sizes: Sizes) -> torch.Tensor:
    """The column and row of each patch of an image."""
    rows, columns = (torch.arange(side) for side in _whole_sides(sizes))
    places = torch.cartesian_prod(rows, columns).flip(1)
    return places.expand(sizes.batch * (sizes.images or 1), -1, -1).contiguous()


def _grid(sizes: Sizes) -> torch.Tensor:
    if sizes.images is not None and "image_grid_thw" in sizes.names:
        return torch.tensor([[1, *_rows_and_columns(sizes)]] * (sizes.batch * sizes.images))
    return torch.tensor([[1, SIDE, SIDE]] * sizes.batch)


def _rows_and_columns(sizes: Sizes) -> tuple[int, int]:
    """Patches of the images of a text, on both sides."""
    patch = sizes.get("patch_size", default=14, parts=VISION)
    height, width = sizes.image or (SIDE * patch, SIDE * patch)
    return height // patch, width // patch


def _patches_seen(sizes: Sizes) -> torch.Tensor:
    """A mask of all patches of each image, or of one thing."""
    if "spatial_shapes" not in sizes.names:
        return made("mask", (sizes.batch, 1), INT)
    rows, columns = _rows_and_columns(sizes)
    return torch.ones((sizes.batch * (sizes.images or 1), rows * columns), dtype=INT)


def _grid_of_text(sizes: Sizes) -> torch.Tensor:
    """The patches of all images of all texts, in rows."""
    assert sizes.images is not None
    patch = sizes.get("patch_size", default=14, parts=VISION)
    frames = sizes.get("temporal_patch_size", "patch_temporal", default=1, parts=VISION)
    rows, columns = _rows_and_columns(sizes)
    channels = sizes.get("in_channels", "num_channels", default=3, parts=VISION)
    count = sizes.batch * sizes.images * rows * columns
    if sizes.get("model_type") in PATCHES_AS_IMAGES:
        return made("pixel_values", (count, channels, patch, patch), FLOAT)
    return made("pixel_values", (count, channels * frames * patch * patch), FLOAT)


def _modalities(sizes: Sizes) -> torch.Tensor:
    """Which tokens stand for images (1) or films (2) and which do not (0)."""
    rows, columns = _rows_and_columns(sizes)
    squares = sizes.get("spatial_merge_size", default=1, parts=VISION) ** 2
    ids = torch.zeros((sizes.batch, sizes.text), dtype=INT)
    if films.given(sizes):
        ids[:, : films.tokens(sizes)] = 2
        return ids
    ids[:, : (sizes.images or 0) * rows * columns // squares] = 1
    return ids


def _merge_sizes(sizes: Sizes) -> torch.Tensor:
    """The side of the squares of patches that become one token, for each image: each patch is one."""
    return torch.ones(sizes.batch * (sizes.images or 1), dtype=INT)


def _videos(sizes: Sizes) -> torch.Tensor:
    if films.given(sizes):
        return films.pixels(sizes)
    frames = sizes.frames or sizes.get("frames_per_clip", "num_frames", default=FRAMES, parts=VISION)
    size = sizes.get("crop_size", default=sizes.pixels[0], parts=VISION)
    count = sizes.batch * (sizes.images or 1)
    return made("pixel_values_videos", (count, frames, sizes.channels, size, size), FLOAT)


def _features(sizes: Sizes) -> torch.Tensor:
    return made("input_features", _spectrum(sizes)[0], FLOAT)


def _features_mask(sizes: Sizes) -> torch.Tensor:
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
        return (count, bins, _frames_of_text(sizes)), 2
    frames = SAMPLES // SAMPLES_OF_A_FRAME if "input_values" in sizes.names else sizes.frames or FRAMES_OF_SOUND
    over_time = isinstance(layer, nn.Conv1d) and layer.in_channels == bins and family not in FRAMES_FIRST
    if family in BINS_FIRST or over_time:
        whole = 2 * sizes.get("n_window", default=1, parts=AUDIO)
        frames = -(-frames // whole) * whole if sizes.frames and family in WHOLE_CHUNKS else frames - frames % whole
        return (count, bins, frames), 2
    return (count, frames, bins), 1


def _frames_of_text(sizes: Sizes) -> int:
    """Frames of each sound: as many as are given, or as an encoder like Whisper's has positions for."""
    return int(sizes.frames or 2 * sizes.get("max_source_positions", default=FRAMES_OF_SOUND // 2, parts=AUDIO))


def _sound(sizes: Sizes) -> torch.Tensor:
    if sizes.get("model_type") == "audio-spectrogram-transformer":
        frames = sizes.frames or sizes.get("max_length")
        return made("input_values", (sizes.batch, frames, sizes.get("num_mel_bins")), FLOAT)
    channels = sizes.get("audio_channels", parts=AUDIO)
    if channels is None and sizes.get("model_type") in ONE_CHANNEL | SOUNDS_OF_TEXT:
        channels = 1
    count, sounds = sizes.samples or SAMPLES, sizes.batch * (sizes.audios or 1)
    samples = (sounds, count) if channels is None else (sounds, channels, count)
    return made("input_values", samples, FLOAT)


def _inner_sound(sizes: Sizes) -> torch.Tensor:
    """What a part for speech makes of sound or of a spectrum, for the model within."""
    width = sizes.get("num_mel_bins" if "input_ids" in sizes.names else "hidden_size")
    return made("decoder_input_values", (sizes.batch, sizes.text, width), FLOAT)


def _of_any_kind(sizes: Sizes) -> torch.Tensor | None:
    """`inputs`: samples for an encoder of sound, rows of the model's width for one that reads anything."""
    if sizes.get("conv_kernel", parts=AUDIO) is not None:
        return made("inputs", (sizes.batch, sizes.samples or SAMPLES), FLOAT)
    width = sizes.get("d_model") if sizes.get("d_latents") is not None else None
    return None if width is None else made("inputs", (sizes.batch, sizes.text, width), FLOAT)


def _hidden(sizes: Sizes) -> torch.Tensor | None:
    """What a part reads that is a model of its own: patches, sound, or channels of what its first convolution takes."""
    if "grid_thw" in sizes.names:
        return _patches(sizes)
    if sizes.get("model_type") in ONE_CHANNEL:
        return _sound(sizes)
    layer = sizes.first(nn.Conv1d)
    return made("hidden_states", (sizes.batch, layer.in_channels, sizes.text), FLOAT) if layer is not None else None


def _upper_half(sizes: Sizes) -> torch.Tensor:
    """An image that stands above another: together they have the size that the model takes."""
    height, width = sizes.pixels
    return made("image", (sizes.batch, sizes.channels, height // 2, width), FLOAT)


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


MAKERS: Mapping[str, Callable[[Sizes], Any]] = {
    "input_ids": _ids,
    "decoder_input_ids": _decoder_ids,
    "qformer_input_ids": _text("qformer_input_ids"),
    "attention_mask": lambda sizes: made(
        "mask", (sizes.batch, SIDE * SIDE if "flattened_patches" in sizes.names else sizes.text), INT
    ),
    "image_attention_mask": lambda sizes: made("mask", (sizes.batch, sizes.text, 1), INT),
    "bbox": lambda sizes: made(
        "bbox", (sizes.batch, sizes.text, 4), FLOAT if sizes.get("model_type") in BOXES_IN_FLOATS else INT
    ),
    "lang_ids": lambda sizes: made("lang_ids", (sizes.batch,), INT),
    "pixel_values": _pixels,
    "hidden_states": _hidden,
    "grid_thw": _grid,
    "image_sizes": lambda sizes: torch.tensor([list(_picture(sizes))] * (sizes.batch * (sizes.images or 1))),
    "aspect_ratio_ids": lambda sizes: made("aspect_ratio_ids", (sizes.batch, sizes.images or 1), INT),
    "aspect_ratio_mask": lambda sizes: made("mask", (sizes.batch, *_tiles_of_images(sizes)), INT),
    "cross_attention_mask": lambda sizes: made("mask", (sizes.batch, sizes.text, *_tiles_of_images(sizes)), INT),
    "batch_num_images": lambda sizes: torch.full((sizes.batch,), sizes.images or 1),
    "image_grid_thw": _grid,
    "video_grid_thw": films.grids,
    "target_sizes_videos": films.frame_sizes,
    "video_merge_sizes": films.merge_sizes,
    "image_merge_sizes": _merge_sizes,
    "moe_mm_token_type_ids": _modalities,
    "pixel_position_ids": _patch_positions,
    "image_position_ids": _patch_positions,
    "spatial_shapes": lambda sizes: torch.tensor([_rows_and_columns(sizes)] * (sizes.batch * (sizes.images or 1))),
    "pixel_attention_mask": _patches_seen,
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
    "feature_attention_mask": _features_mask,
    "input_points": lambda sizes: made("input_points", (sizes.batch, 1, sizes.points or 1, 2), FLOAT),
    "spectrogram": lambda sizes: made(
        "spectrogram", (sizes.batch, sizes.frames or FRAMES_OF_SOUND, sizes.get("model_in_dim", default=80)), FLOAT
    ),
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
    "classes_input_ids": _text("classes_input_ids"),
    "classes_attention_mask": _text("mask"),
    "classes_structure": lambda sizes: torch.ones(sizes.batch, dtype=INT),
    "freq": lambda sizes: torch.zeros(sizes.batch, 1, dtype=INT),
    "target_sizes": lambda sizes: torch.tensor([_rows_and_columns(sizes)] * (sizes.batch * (sizes.images or 1))),
    "image_embeds_position_mask": _places_of_images,
    "task_inputs": lambda sizes: made("task_inputs", (sizes.batch, sizes.get("task_seq_len")), INT),
    "input_values": lambda sizes: _inner_sound(sizes) if "decoder_input_values" in sizes.names else _sound(sizes),
    "decoder_input_values": _inner_sound,
    "inputs": _of_any_kind,
    "prompt_pixel_values": _upper_half,
    "prompt_masks": _upper_half,
    "past_values": _past,
    "past_observed_mask": lambda sizes: torch.empty(_past(sizes).shape, device="meta"),
    "past_values_padding": lambda sizes: torch.zeros(_history(sizes)),
    "past_time_features": lambda sizes: torch.empty(
        (
            *_history(sizes),
            sizes.get("num_time_features", default=0) + sizes.get("num_dynamic_real_features", default=0),
        ),
        device="meta",
    ),
}
"""How each input is made, by the name of the argument; None if that depends on the class."""
