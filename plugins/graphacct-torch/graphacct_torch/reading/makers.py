"""How each input of a class of the transformers library is made, by the name of the argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from graphacct_torch.reading import films, pictures, sounds
from graphacct_torch.reading.families import (
    BOXES_IN_FLOATS,
    CODES_IN_BATCH,
    COUNTED_SOUNDS,
    CUT_IMAGES,
    ONE_CHANNEL,
    TWO_TEXTS,
    WITH_CODES,
)
from graphacct_torch.reading.given import made
from graphacct_torch.reading.sizes import AUDIO, LONGEST, SAMPLES, TEXT, VISION, Sizes

INT, FLOAT = torch.int64, torch.float32


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
        ids[:, : sizes.images * pictures.tokens(sizes)] = sizes.get("image_token_id", default=0)
    if sizes.audios and sizes.get("model_type") in COUNTED_SOUNDS and not ids.is_meta:
        ids[:, : sizes.audios * (sounds.frames_of_text(sizes) // 4)] = sizes.get("audio_token_id", default=0)
    if sizes.images and not films.given(sizes) and "image_grid_thw" in sizes.names and not ids.is_meta:
        rows, columns = pictures.rows_and_columns(sizes)
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
        return pictures.patches(sizes)
    if sizes.get("model_type") in ONE_CHANNEL:
        return sounds.sound(sizes)
    layer = sizes.first(nn.Conv1d)
    return made("hidden_states", (sizes.batch, layer.in_channels, sizes.text), FLOAT) if layer is not None else None


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
        "mask", (sizes.batch, pictures.SQUARE if "flattened_patches" in sizes.names else sizes.text), INT
    ),
    "image_attention_mask": lambda sizes: made("mask", (sizes.batch, sizes.text, 1), INT),
    "bbox": lambda sizes: made(
        "bbox", (sizes.batch, sizes.text, 4), FLOAT if sizes.get("model_type") in BOXES_IN_FLOATS else INT
    ),
    "lang_ids": lambda sizes: made("lang_ids", (sizes.batch,), INT),
    "pixel_values": pictures.pixels,
    "hidden_states": _hidden,
    "grid_thw": pictures.grid,
    "image_sizes": lambda sizes: torch.tensor([list(pictures.size(sizes))] * (sizes.batch * (sizes.images or 1))),
    "aspect_ratio_ids": lambda sizes: made("aspect_ratio_ids", (sizes.batch, sizes.images or 1), INT),
    "aspect_ratio_mask": lambda sizes: made("mask", (sizes.batch, *pictures.tiles(sizes)), INT),
    "cross_attention_mask": lambda sizes: made("mask", (sizes.batch, sizes.text, *pictures.tiles(sizes)), INT),
    "batch_num_images": lambda sizes: torch.full((sizes.batch,), sizes.images or 1),
    "image_grid_thw": pictures.grid,
    "video_grid_thw": films.grids,
    "target_sizes_videos": films.frame_sizes,
    "video_merge_sizes": films.merge_sizes,
    "image_merge_sizes": pictures.merge_sizes,
    "moe_mm_token_type_ids": pictures.modalities,
    "pixel_position_ids": pictures.patch_positions,
    "image_position_ids": pictures.patch_positions,
    "spatial_shapes": lambda sizes: torch.tensor(
        [pictures.rows_and_columns(sizes)] * (sizes.batch * (sizes.images or 1))
    ),
    "pixel_attention_mask": pictures.patches_seen,
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
    "pixel_values_videos": pictures.videos,
    "query_embeds": lambda sizes: made(
        "query_embeds", (sizes.batch, sizes.get("num_query_tokens", default=32), sizes.get("hidden_size")), FLOAT
    ),
    "input_features": sounds.features,
    "input_features_mask": sounds.features_mask,
    "feature_attention_mask": sounds.features_mask,
    "input_points": lambda sizes: made("input_points", (sizes.batch, 1, sizes.points or 1, 2), FLOAT),
    "spectrogram": lambda sizes: made(
        "spectrogram",
        (sizes.batch, sizes.frames or sounds.FRAMES_OF_SOUND, sizes.get("model_in_dim", default=80)),
        FLOAT,
    ),
    "audio_mel": sounds.features,
    "audio_mel_mask": lambda sizes: sounds.features_mask(sizes).bool(),
    "flattened_patches": lambda sizes: made(
        "flattened_patches",
        (
            sizes.batch,
            pictures.SQUARE,
            sizes.get("patch_embed_hidden_size", default=768, parts=VISION) + 2,
        ),
        FLOAT,
    ),
    "encoder_hidden_states": lambda sizes: made(
        "encoder_hidden_states", (sizes.batch, sizes.text, sizes.get("encoder_hidden_size", "hidden_size")), FLOAT
    ),
    "classes_input_ids": _text("classes_input_ids"),
    "classes_attention_mask": _text("mask"),
    "classes_structure": lambda sizes: torch.ones(sizes.batch, dtype=INT),
    "freq": lambda sizes: torch.zeros(sizes.batch, 1, dtype=INT),
    "target_sizes": lambda sizes: torch.tensor(
        [pictures.rows_and_columns(sizes)] * (sizes.batch * (sizes.images or 1))
    ),
    "image_embeds_position_mask": _places_of_images,
    "task_inputs": lambda sizes: made("task_inputs", (sizes.batch, sizes.get("task_seq_len")), INT),
    "input_values": lambda sizes: _inner_sound(sizes) if "decoder_input_values" in sizes.names else sounds.sound(sizes),
    "decoder_input_values": _inner_sound,
    "inputs": _of_any_kind,
    "prompt_pixel_values": pictures.upper_half,
    "prompt_masks": pictures.upper_half,
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
