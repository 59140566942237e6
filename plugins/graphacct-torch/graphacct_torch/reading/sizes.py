"""The sizes that inputs of a class of the transformers library are made from: the user's, or its configuration's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from torch import nn

from graphacct import ConfigError

SIZES = (
    "batch",
    "seq_len",
    "encoder_seq_len",
    "images",
    "image_size",
    "tiles",
    "audios",
    "frames",
    "samples",
    "points",
    "choices",
)
"""The sizes of a workload that inputs are made from."""
LONGEST = 128
"""Positions of a text whose length is not given; the model's own if it has fewer."""
IMAGE, SAMPLES, FRAMES = 224, 15360, 8
"""Pixels of a side, samples of sound (whole frames of every codec) and images of a video, where a configuration
has none."""


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
        module: The module itself.
        images, audios: Of each sequence; None takes what the class cannot run without.
        tiles: Parts of each image.
        frames, samples: Of each sound or video; None takes the usual ones.
        points: Of each prompt.
        choices: Of each question; None takes 2.
    """

    config: Any
    batch: int = 1
    length: int | None = None
    encoder_length: int | None = None
    image: tuple[int, int] | None = None
    names: frozenset[str] = frozenset()
    module: nn.Module | None = None
    images: int | None = None
    tiles: int | None = None
    audios: int | None = None
    frames: int | None = None
    samples: int | None = None
    points: int | None = None
    choices: int | None = None

    def get(self, *names: str, default: Any = None, parts: tuple[str, ...] = ()) -> Any:
        """Returns the first of a configuration's keys that is set, in it or else in one of its parts, or theirs."""
        inner = [getattr(self.config, part, None) for part in parts]
        for config in (self.config, *inner, *(getattr(config, part, None) for config in inner for part in parts)):
            for name in names:
                found = getattr(config, name, None)
                if found is not None:
                    return found
        return default

    def first(self, *kinds: type[nn.Module], parts: tuple[str, ...] = ()) -> nn.Module | None:
        """Returns the first layer with weights, in the order in which the class makes its layers: of the part of the
        module whose name begins with one of `parts`, if there is one. None unless it is of one of these kinds."""
        module = self.module
        if module is None:
            return None
        named = [part for name, part in module.named_children() if name.startswith(parts)] if parts else []
        layers = (named[0] if named else module).modules()
        layer = next((part for part in layers if isinstance(getattr(part, "weight", None), nn.Parameter)), None)
        return layer if isinstance(layer, kinds) else None

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
        keys = ("image_size", "img_size", "max_img_size", "input_size")
        size = self.get(*keys, default=self._image_of_parts(), parts=VISION)
        ratios = self.get("scaled_images_ratios")
        if ratios:  # the smallest scaled image is one patch
            size = round(self.get("patch_size") / min(ratios))
        if isinstance(size, Mapping):
            size = (size["height"], size["width"]) if "height" in size else next(iter(size.values()))
        if isinstance(size, (tuple, list)):
            return int(size[-2] if len(size) > 1 else size[0]), int(size[-1])
        window = self.get("patch_size", default=1, parts=VISION) * self.get("num_windows", default=1, parts=VISION)
        return (int(size) - int(size) % window,) * 2 if self.get("num_windows", parts=VISION) else (int(size),) * 2

    def _image_of_parts(self) -> Any:
        """The size that a part of the module takes, such as a model of the timm library; else the usual one."""
        found = (getattr(part, "img_size", None) for part in self.module.modules()) if self.module else ()
        return next((size for size in found if isinstance(size, (int, tuple))), IMAGE)

    @property
    def channels(self) -> int:
        found = self.get("num_channels", "in_channels", "in_chans", "channels", default=3, parts=VISION)
        return found if isinstance(found, int) else 3


TEXT = ("text_config", "decoder", "decoder_config", "llm_config", "language_config", "thinker_config", "text_encoder")
VISION = (
    "vision_config",
    "backbone_config",
    "encoder",
    "image_config",
    "vision_encoder_config",
    "thinker_config",
    "prompt_encoder_config",
)
AUDIO = (
    "audio_config",
    "asr_config",
    "audio_encoder",
    "encoder_config",
    "speech_config",
    "audio_encoder_config",
    "encoder",
)


def sizes_of(config: Any, sizes: Mapping[str, Any]) -> Sizes:
    """Returns the sizes of a workload. Raises ConfigError for one that is no number."""
    for name, value in sizes.items():
        least = 0 if name in ("images", "audios") else 1
        if not all(type(size) is int and size >= least for size in (value if isinstance(value, tuple) else (value,))):
            raise ConfigError(f"{name} {value} is no positive integer, which a model of the library runs with")
    image = sizes.get("image_size")
    return Sizes(
        config,
        sizes.get("batch", 1),
        sizes.get("seq_len"),
        sizes.get("encoder_seq_len"),
        (image, image) if isinstance(image, int) else image,
        images=sizes.get("images"),
        tiles=sizes.get("tiles"),
        audios=sizes.get("audios"),
        frames=sizes.get("frames"),
        samples=sizes.get("samples"),
        points=sizes.get("points"),
        choices=sizes.get("choices"),
    )
