"""A workload: the inputs that a graph is built for, and the checks that need no architecture."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

import attrs

from graphacct.dims import Dim, check_dim, has_value, is_symbol
from graphacct.errors import ConfigError, brief, suggest
from graphacct.keywords import DEFAULTS
from graphacct.phases import CACHING, DECODE, PREFILL, TRAIN
from graphacct.tensors import cache_dtype

SIZES = (
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
SECONDS = "audio_seconds"
"""Stands for another size of a sound, as the architecture says (`per_second`)."""
NONE_TOO = ("images", "audios")
"""Sizes that may be 0."""
LOGITS = ("all", "last")


@attrs.frozen(eq=False)
class Workload:
    """The inputs that a graph is built for: sizes, kind of attention, phase and loss.

    Attributes:
        batch: Sequences or images at a time.
        seq_len: Tokens per sequence (of the decoder, if there is an encoder), with the placeholders of its images and
            sounds; None takes the architecture's default.
        encoder_seq_len: Tokens per sequence in the encoder; None takes as many as the decoder has positions.
        image_size: Height and width of the images in pixels; None takes the architecture's default.
        attention: `eager` (separate nodes for scores, softmax and values), `fused` (one
            scaled_dot_product_attention) or, of models with latent attention, `absorbed` (all heads read the cached
            latents, which are not expanded); None takes the architecture's default for the phase.
        phase: `forward` (no dropout, no cache), `train` (a training step), `prefill` (a forward pass that fills a cache
            with keys and values) or `decode` (one new token per sequence, with a cache of earlier tokens).
        cache_len: In decoding, the tokens in the cache before the step; None takes `seq_len` - 1; 0 is an empty cache.
        loss: In training, the name of the loss that the gradients start from; None takes the architecture's default.
        logits: The positions whose logits a language model computes: `all`, or the `last` of each sequence, which is
            enough for a prefill.
        kv_dtype: The dtype of the cache of keys and values, in which they enter it and attention reads them; None takes
            the one that they are computed in.
        images: Images per sequence; None takes the architecture's default, which is 1 beside a text.
        tiles: Parts that each image is cut into, each of `image_size`.
        audios: Sounds per sequence; None takes the architecture's default.
        frames: Frames of each sound's spectrum, or of each video.
        samples: Samples of each sound.
        audio_seconds: The length of each sound, in place of its `samples` or `frames`.
        points: Points that a prompt has for each image.
        choices: Answers to choose from, of each of the batch's questions: each is a sequence of its own, with its
            question.
    """

    batch: Dim = DEFAULTS["batch"]
    seq_len: Dim | None = None
    encoder_seq_len: Dim | None = None
    image_size: tuple[Dim, Dim] | None = None
    attention: str | None = None
    phase: str = DEFAULTS["phase"]
    cache_len: Dim | None = None
    loss: str | None = None
    logits: str = DEFAULTS["logits"]
    kv_dtype: str | None = None
    images: Dim | None = None
    tiles: Dim | None = None
    audios: Dim | None = None
    frames: Dim | None = None
    samples: Dim | None = None
    audio_seconds: Any = None
    points: Dim | None = None
    choices: Dim | None = None

    @property
    def positions(self) -> Dim:
        """How many positions attention sees: the cached ones and the new ones."""
        new: Dim = 0 if self.seq_len is None else self.seq_len
        return new if self.cache_len is None else self.cache_len + new

    def entries(self, sizes: Iterable[str], dtype: str) -> dict[str, Any]:
        """Returns what a graph says of it: `sizes` besides the batch, and of the rest what differs from a forward
        pass."""
        given = {size: getattr(self, size) for size in sizes}
        entries = {"batch": self.batch, **{size: value for size, value in given.items() if value is not None}}
        if self.attention:
            entries["attention"] = self.attention
        if self.phase in (TRAIN, PREFILL, DECODE):
            entries["phase"] = self.phase
        if self.phase == TRAIN:
            entries["loss"] = self.loss
        elif self.phase == DECODE:
            entries["cache_len"] = self.cache_len
        if self.logits != "all":
            entries["logits"] = self.logits
        entries["dtype"] = dtype
        if self.kv_dtype:
            entries["kv_dtype"] = self.kv_dtype
        return entries


def checked_size(value: Any, name: str) -> Any:
    """Returns one of SIZES. Raises ConfigError if it is none."""
    if name == "image_size":
        pair = value if isinstance(value, (tuple, list)) else (value, value)
        if len(pair) != 2:
            raise ConfigError(f"image_size is a height and a width, not {value!r}")
        return tuple(check_dim(side, name) for side in pair)
    return check_dim(value, name, 0 if name in NONE_TOO else 1)


def in_seconds(seconds: Any, rate: Any, size: str) -> Dim:
    """Returns how many whole samples or frames (`size`) a sound of so many seconds has, with `rate` of them in each.

    Raises ConfigError for a length that is no positive number, or has not one sample.
    """
    if is_symbol(seconds):
        return seconds * rate
    from fractions import Fraction  # few workloads have sounds

    number = isinstance(seconds, (int, float, Fraction)) and not isinstance(seconds, bool)
    if not number or not isfinite(seconds) or seconds <= 0:
        raise ConfigError(f"{SECONDS} is a positive number of seconds, not {brief(seconds)}")
    exact = Fraction(str(seconds)) * Fraction(rate)  # 0.7 s are 7/10 of the rate
    count = exact.numerator // exact.denominator
    if count < 1:
        raise ConfigError(f"{SECONDS} {seconds} is less than one of the {size}, of which there are {rate} a second")
    return check_dim(count, size)


def decoding_sizes(workload: Workload, phase: str, seq_len: Any) -> dict[str, Any]:
    """Returns the sizes of a decoding step, in another phase none. `seq_len` is the workload's or else the default.

    Raises ConfigError for a `cache_len` in another phase, or one beside another number of earlier tokens.
    """
    if phase != DECODE:
        if workload.cache_len is not None:
            raise ConfigError('cache_len is the size of a decoding step: add phase="decode"')
        return {}
    given = workload.seq_len
    if workload.cache_len is not None and has_value(given) and given != 1:
        raise ConfigError(
            f"a decoding step has one new token, and seq_len {given} and cache_len {workload.cache_len} both say "
            "how many are before it: leave seq_len out (or cache_len: then seq_len counts those and the new one)"
        )
    length = seq_len - 1 if workload.cache_len is None else workload.cache_len
    return {"seq_len": 1, "cache_len": check_dim(length, "cache_len", 0)}


def checked_cache_dtype(wanted: str | None, phase: str) -> str | None:
    """Returns the dtype of the cache. Raises ConfigError if it is none, and in a phase without a cache."""
    if wanted is None:
        return None
    if phase not in CACHING:
        raise ConfigError('kv_dtype is of a cache: add phase="prefill" or phase="decode"')
    return cache_dtype(wanted)


def one_of(known: tuple[str, ...], value: str, name: str) -> str:
    """Returns a value that is among the known ones. Raises ConfigError, which names it, for another."""
    if value not in known:
        raise ConfigError(f"{name} is {' or '.join(known)}, not {value!r}{suggest(value, known)}")
    return value
