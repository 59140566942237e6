"""Gemma 3n: what a tower for images and an encoder of sound make, normalized and projected, in the place of a text's
tokens. The last rows of the vocabulary are images' and sounds' own tokens, which each have a table of theirs.

Google DeepMind, "Gemma 3n", 2025.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    equal,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.audio.gemma3n_audio import heard
from graphacct_architectures.audio.parts.gemma_audio import FRAMES, FRAMES_PER_SECOND
from graphacct_architectures.decoders.parts.gemma4 import GAINLESS, NORM
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import embedding, linear
from graphacct_architectures.losses import SUM
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images

CLASSES = ("Gemma3nForConditionalGeneration", "Gemma3nModel")
TOKENS, FOUND, PADDING = range(3)
"""The runs of a module that embeds tokens, what was found, and what fills a sound's places up."""


def _fits(name: str) -> Any:
    """Returns the check of a part that only one family is."""

    def check(architecture: Any, key: str) -> None:
        if architecture.name != name:
            raise DeclinedError(
                f"{key}.model_type is {architecture.name!r}, which is not read inside gemma3n: {name} is"
            )

    return check


@frozen(kw_only=True)
class Gemma3nConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = fields.model("gemma3n_vision", fits=_fits("gemma3n_vision"))
    audio_config: SubModel = fields.model("gemma3n_audio", fits=_fits("gemma3n_audio"))
    text_config: SubModel = fields.model("gemma3n_text", fits=_fits("gemma3n_text"))
    vision_soft_tokens_per_image: Dim = fields.size(256)
    audio_soft_tokens_per_image: Dim = fields.size(188)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: Gemma3nConfig, root: str) -> Composition:
    """Returns Gemma 3n, with what its towers make of images and sounds."""
    text = described(config.text_config)
    parts = (
        Part("images", partial(images, config, root, text.width)),
        Part("audios", partial(sounds, config, root, text.width)),
    )
    return Composition(
        text,
        parts,
        f"{root}language_model",
        tied=config.tie_word_embeddings,
        softcap=text.logits_softcap,
        embedded=partial(own_tokens, config, root),
    )


def own_tokens(config: Gemma3nConfig, root: str, b: Builder, ids: Value, x: Value) -> Value:
    """Returns the embedded tokens (batch, seq, width), with those of images and sounds from tables of their own. All
    tokens are looked up in each table."""
    for label, inner in (("vision", config.vision_config), ("audio", config.audio_config)):
        with b.scope(root.removesuffix(".")):
            mask = b.apply("ge", ids, name=f"{label}_ids_from")
            if label == "vision":
                mask = b.apply("logical_and", mask, b.apply("lt", ids, name="vision_ids_to"), name="vision_ids")
            other = b.apply("full", name=f"{label}_dummy_id", shape=(), dtype="int64")
            own = b.apply("where", mask, ids, other, name=f"{label}_input_ids")
        y = looked_up(b, f"{root}embed_{label}", own, inner.config, x.spec.shape[-1], TOKENS)
        with b.scope(root.removesuffix(".")):
            mask = b.apply("reshape", mask, name=f"{label}_ids_apart", shape=(*mask.spec.shape, 1))
            b.hold(y, mask)
            x = b.apply("where", mask, y, x, name=f"with_{label}_tokens")
    return x


def looked_up(b: Builder, module: str, ids: Value, config: Any, width: Dim, turn: int) -> Value:
    """Returns the embedded ids of one kind, in the text's width."""
    with b.scope(module), b.turn(turn):
        rows = embedding(b, "embedding", b.apply("shift", ids, name="own_ids"), config.vocab_size, config.hidden_size)
        return projected(b, normed_by(b, "hard_embedding_norm", rows, NORM), width)


def embedded(b: Builder, module: str, x: Value, width: Dim) -> Value:
    """Returns rows of a tower in the text's width."""
    with b.scope(module), b.turn(FOUND):
        return projected(b, normed_by(b, "soft_embedding_norm", x, NORM), width)


def projected(b: Builder, x: Value, width: Dim) -> Value:
    """Returns normalized rows in the text's width, normalized again."""
    x = linear(b, "embedding_projection", x, width, bias=False)
    return normed_by(b, "embedding_post_projection_norm", x, GAINLESS)


def images(config: Gemma3nConfig, root: str, width: Dim, workload: Workload, b: Builder) -> Value:
    """Returns the rows of images, (images, places, width)."""
    tower = config.vision_config
    with b.scope(f"{root}vision_tower"):
        x = tower.architecture.build(tower.config, attrs.evolve(of_images(workload), loss=SUM), b)
    count, channels, *sides = x.spec.shape
    places = sides[0] * sides[1]
    for key, own, found in (
        ("vision_config.hidden_size", tower.config.hidden_size, channels),
        ("vision_soft_tokens_per_image", config.vision_soft_tokens_per_image, places),
    ):
        if not equal(own, found):
            raise ConfigError(f"{key} is {own}, and the tower makes {found}: they have to agree")
    with b.scope(root.removesuffix(".")):
        x = b.apply("reshape", x, name="image_places", shape=(count, channels, places))
        x = b.apply("permute", x, name="image_rows", dims=(0, 2, 1))
        x = b.apply("scale", x, name="image_rows_scaled", in_place=True)
    found = embedded(b, f"{root}embed_vision", x, width)
    with b.scope(root.removesuffix(".")):
        b.hold(x, found)
    return found


def sounds(config: Gemma3nConfig, root: str, width: Dim, workload: Workload, b: Builder) -> Value:
    """Returns the rows of sounds, (sounds, places, width), filled up with the row of padding."""
    assert workload.audios is not None  # the architecture declares its default
    encoder = config.audio_config.config
    shape = (workload.batch * workload.audios, workload.frames)
    x = b.input("input_features", (*shape, encoder.input_feat_size))
    mask = b.input("input_features_mask", shape, "bool")
    with b.scope(root.removesuffix(".")):
        mask = b.apply("logical_not", mask, name="padded_frames")
    with b.scope(f"{root}audio_tower"):
        x, mask = heard(encoder, b, x, mask)
    found = embedded(b, f"{root}embed_audio", x, width)
    count, seq, _ = found.spec.shape
    missing = config.audio_soft_tokens_per_image - seq
    if workload.phase == "decode":
        missing = 0  # the encoder is in memory alone
    elif has_value(missing) and missing < 0:
        raise ConfigError(
            f"a sound of {workload.frames} frames makes {seq} tokens, more than audio_soft_tokens_per_image "
            f"{config.audio_soft_tokens_per_image}: give fewer frames"
        )
    with b.scope(root.removesuffix(".")):
        b.hold(x, found, mask)
        one = b.apply("full", name="audio_padding_id", shape=(1, 1), dtype="int64")
    filler = looked_up(b, f"{root}embed_audio", one, encoder, width, PADDING)
    with b.scope(root.removesuffix(".")):
        mask = b.apply("reshape", mask, name="audio_padding", shape=(count, seq, 1))
        b.hold(filler)
        x = b.apply("where", mask, filler, found, name="audio_or_padding")
        if not equal(missing, 0):
            rest = b.apply("expand", filler, name="audio_filler", shape=(count, missing, width))
            x = b.apply("concat", x, rest, name="audio_features", dim=1)
        else:
            x = b.apply("clone", x, name="audio_features")
    return x


ARCHITECTURE = composition(
    "gemma3n",
    Gemma3nConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.architecture.sizes["image_size"](config.vision_config.config),
    sizes={"audios": lambda config: 1, "frames": lambda config: FRAMES},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    doc="Gemma 3n with images and sounds: MobileNet-v5, an encoder of its own, Gemma 3n's decoder.",
)
