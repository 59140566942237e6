"""Inputs of a class of the transformers library, made from the names of its arguments and from its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import torch
from torch import nn

from graphacct_torch.errors import CaptureError
from graphacct_torch.given import made

LONGEST = 128
"""Positions of a text whose length is not given; the model's own if it has fewer."""
IMAGE, SAMPLES, FRAMES = 224, 16000, 8
"""Pixels of a side, samples of a second of sound and images of a video, where a configuration has none."""
INT, FLOAT = torch.int64, torch.float32


@attrs.frozen(eq=False)
class Sizes:
    """What inputs are made from.

    Attributes:
        config: The model's configuration.
        batch: Sequences or images at a time.
        length: Tokens of each sequence; None takes the model's own.
        encoder_length: Those of an encoder beside a decoder; None takes as many.
        image: Height and width of the images; None takes the model's own.
        names: The arguments of the class.
    """

    config: Any
    batch: int = 1
    length: int | None = None
    encoder_length: int | None = None
    image: tuple[int, int] | None = None
    names: frozenset[str] = frozenset()

    def get(self, *names: str, default: Any = None, parts: tuple[str, ...] = ()) -> Any:
        """Returns the first of a configuration's keys that is set, in it or else in one of its parts."""
        for config in (self.config, *(getattr(self.config, part, None) for part in parts)):
            for name in names:
                found = getattr(config, name, None)
                if found is not None:
                    return found
        return default

    @property
    def text(self) -> int:
        """The tokens of a sequence."""
        if self.length is not None:
            return self.length
        longest = self.get("max_position_embeddings", "n_positions", "max_target_positions", parts=TEXT)
        if not isinstance(longest, int) or longest <= 0:
            return LONGEST
        padding = self.get("pad_token_id", default=0, parts=TEXT) or 0
        spare = padding + 1 if longest <= LONGEST + 2 else 0  # some models' positions begin behind the padding's
        return max(1, min(LONGEST, longest - spare))

    @property
    def source(self) -> int:
        """The tokens of an encoder's sequence."""
        return self.encoder_length if self.encoder_length is not None else self.text

    @property
    def pixels(self) -> tuple[int, int]:
        """Height and width of the images."""
        if self.image is not None:
            return self.image
        size = self.get("image_size", "img_size", "input_size", default=IMAGE, parts=VISION)
        if isinstance(size, Mapping):
            size = (size["height"], size["width"]) if "height" in size else next(iter(size.values()))
        if isinstance(size, (tuple, list)):
            return int(size[-2] if len(size) > 1 else size[0]), int(size[-1])
        return int(size), int(size)

    @property
    def channels(self) -> int:
        found = self.get("num_channels", "in_channels", "in_chans", "channels", default=3, parts=VISION)
        return found if isinstance(found, int) else 3


TEXT = ("text_config", "decoder", "decoder_config", "llm_config", "language_config", "thinker_config", "text_encoder")
VISION = ("vision_config", "backbone_config", "encoder", "image_config", "vision_encoder_config", "thinker_config")
AUDIO = ("audio_config", "audio_encoder", "encoder_config", "speech_config", "audio_encoder_config", "encoder")


def _ids(sizes: Sizes) -> torch.Tensor:
    encoder = sizes.get("is_encoder_decoder") and "decoder_input_ids" in sizes.names
    return made("input_ids", (sizes.batch, sizes.source if encoder else sizes.text), INT)


def _pixels(sizes: Sizes) -> torch.Tensor:
    images = (sizes.channels, *sizes.pixels)
    frames = sizes.get("num_frames", parts=VISION)
    if isinstance(frames, int) and not isinstance(sizes.get("num_image_with_embedding"), int):
        return made("pixel_values", (sizes.batch, frames, *images), FLOAT)
    return made("pixel_values", (sizes.batch, *images), FLOAT)


def _videos(sizes: Sizes) -> torch.Tensor:
    frames = sizes.get("frames_per_clip", "num_frames", default=FRAMES, parts=VISION)
    size = sizes.get("crop_size", default=sizes.pixels[0], parts=VISION)
    return made("pixel_values_videos", (sizes.batch, frames, sizes.channels, size, size), FLOAT)


def _features(sizes: Sizes) -> torch.Tensor:
    bins = sizes.get("num_mel_bins", "feature_size", "input_feat_per_channel", "n_mels", default=80, parts=AUDIO)
    positions = sizes.get("max_source_positions", parts=AUDIO)
    if sizes.get("model_type") in ROWS_OF_FRAMES:
        return made(
            "input_features",
            (sizes.batch, sizes.source, sizes.get("feature_projection_input_dim", default=bins)),
            FLOAT,
        )
    frames = 2 * positions if isinstance(positions, int) else 8 * LONGEST
    return made("input_features", (sizes.batch, bins, frames), FLOAT)


def _sound(sizes: Sizes) -> torch.Tensor:
    bins = sizes.get("num_mel_bins", parts=AUDIO)
    if sizes.get("model_type") == "audio-spectrogram-transformer":
        return made("input_values", (sizes.batch, sizes.get("max_length"), bins), FLOAT)
    channels = sizes.get("audio_channels", parts=AUDIO)
    samples = (sizes.batch, SAMPLES) if channels is None else (sizes.batch, channels, SAMPLES)
    return made("input_values", samples, FLOAT)


def _past(sizes: Sizes) -> torch.Tensor:
    lags = max(sizes.get("lags_sequence", default=(0,)))
    length = sizes.get("context_length", "history_len", default=LONGEST) + lags
    channels = sizes.get("num_input_channels", "input_size", default=1)
    return made("past_values", (sizes.batch, length) if channels == 1 else (sizes.batch, length, channels), FLOAT)


MAKERS: Mapping[str, Callable[[Sizes], Any]] = {
    "input_ids": _ids,
    "decoder_input_ids": lambda sizes: made("decoder_input_ids", (sizes.batch, sizes.text), INT),
    "bbox": lambda sizes: made("bbox", (sizes.batch, sizes.text, 4), INT),
    "pixel_values": _pixels,
    "pixel_values_videos": _videos,
    "input_features": _features,
    "input_values": _sound,
    "past_values": _past,
}
"""How each input is made, by the name of the argument."""
ROWS_OF_FRAMES = frozenset(("wav2vec2-bert", "seamless_m4t", "seamless_m4t_v2", "speech_to_text"))
"""Families whose features are rows of frames, and not of mel bins."""
BESIDE = ("bbox",)
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
        maker = MAKERS.get(name)
        if maker is None:
            raise CaptureError(
                f"module {type(module).__name__!r} needs {name}, and graphacct does not know what that is made of: add "
                f"--input {name}=SHAPE:DTYPE, such as {sizes.batch}x{sizes.text}:int64"
            )
        found[name] = maker(sizes)
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
    if hasattr(module, "get_text_features"):
        wanted += ["pixel_values", "input_features"]
    return [*names, *(name for name in wanted if name in formals or (name == main and "kwargs" not in formals))]
