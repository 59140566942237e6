"""Gemma 4 without towers: large patches of images and stretches of samples, each projected into the text's width.

Google DeepMind, "Gemma 4", 2026.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    ceil_div,
    differ,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.multimodal.gemma4 import count, embedded
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition

CLASSES = ("Gemma4UnifiedForConditionalGeneration", "Gemma4UnifiedModel")
CHANNELS, TOKENS = 3, 280
"""Of a pixel; and the most tokens of an image that its preprocessor makes unless it is asked for others."""
SAMPLES_PER_SECOND, SECONDS = 16000, 30


@frozen(kw_only=True)
class PatchesConfig:
    """The keys of an image's patches that the cost depends on."""

    patch_size: Dim = fields.size(16)
    pooling_kernel_size: Dim = fields.size(3)
    mm_embed_dim: Dim = fields.size(3840)
    mm_posemb_size: Dim = fields.size(1120)
    output_proj_dims: Dim = fields.size(3840)

    @property
    def unit(self) -> Dim:
        """The side of a patch in pixels."""
        return self.patch_size * self.pooling_kernel_size


@frozen(kw_only=True)
class SamplesConfig:
    """The keys of a sound's stretches that the cost depends on."""

    audio_embed_dim: Dim = fields.size(640)


@frozen(kw_only=True)
class Gemma4UnifiedConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: PatchesConfig | None = fields.nested(PatchesConfig, "gemma4_unified")
    audio_config: SamplesConfig | None = fields.nested(SamplesConfig, "gemma4_unified")
    text_config: SubModel = text_model("gemma4_unified_text", always=True)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: Gemma4UnifiedConfig, root: str) -> Composition:
    """Returns Gemma 4, with patches and stretches in the place of tokens."""
    text = described(config.text_config)
    parts = []
    if config.vision_config is not None:
        parts.append(Part("images", images(config.vision_config, root, text.width)))
    if config.audio_config is not None:
        parts.append(Part("audios", sounds(config.audio_config, root, text.width)))
    return Composition(
        text, tuple(parts), f"{root}language_model", tied=config.tie_word_embeddings, softcap=text.logits_softcap
    )


def images(c: PatchesConfig, root: str, width: Dim) -> Any:
    """Returns the function that adds the patches' projection. Raises ConfigError for sizes that do not fit."""
    if differ(c.mm_embed_dim, c.output_proj_dims):
        raise ConfigError(
            f"vision_config.output_proj_dims is {c.output_proj_dims} and mm_embed_dim {c.mm_embed_dim}: they have to "
            "agree, or the class does not run"
        )

    def rows(workload: Workload, b: Builder) -> Value:
        total, patches = workload.batch * (workload.images or 1), patch_count(c, workload.image_size)
        pixels = b.input("pixel_values", (total, patches, CHANNELS * c.unit**2))
        places = b.input("image_position_ids", (total, patches, 2), "int64")
        with b.scope(f"{root}embed_vision"):
            x = layer_norm(b, "patch_ln1", pixels)
            x = layer_norm(b, "patch_ln2", linear(b, "patch_dense", x, c.mm_embed_dim))
            x = b.apply("add", x, positions(c, b, places), name="with_places")
            x = layer_norm(b, "pos_norm", x)
            with b.scope("multimodal_embedder"):
                x = embedded(b, x, width)
        valid = b.apply("all", b.apply("ne", places, name=f"{root}places"), name=f"{root}patches_alone", dim=-1)
        x = b.apply("index", x, valid, name=f"{root}image_rows", dims=(0,), count=total * patches)
        found: Value = b.apply("concat", x, name=f"{root}image_features", dim=0)
        return found

    return rows


def patch_count(c: PatchesConfig, size: tuple[Dim, Dim] | None) -> Dim:
    """Returns an image's patches. Raises ConfigError unless they are whole."""
    assert size is not None  # the architecture declares its default
    for side in size:
        if has_value(side) and has_value(c.unit) and side % c.unit:
            raise ConfigError(f"image_size {size[0]}x{size[1]} is that after resizing: multiples of {c.unit} pixels")
    return (size[0] // c.unit) * (size[1] // c.unit)


def positions(c: PatchesConfig, b: Builder, places: Value) -> Value:
    """Returns the sum of the vectors of each patch's column and row, (images, patches, width)."""
    table = b.parameter("pos_embedding", (c.mm_posemb_size, 2, c.mm_embed_dim))
    shape = places.spec.shape
    from_zero = b.apply("clamp", places, name="from_zero")
    valid = b.apply("ne", places, name="has_place")
    valid = b.apply(
        "reshape", b.apply("cast", valid, name="place_alone", dtype=b.dtype), name="apart", shape=(*shape, 1)
    )
    axes = b.apply("arange", name="axes", batch=1, n=2)
    axes = b.apply("reshape", axes, name="axes_row", shape=(2,))
    x = b.apply("index", table, from_zero, axes, name="both_places", dims=(0, 1))
    x = b.apply("mul", x, valid, name="valid_places")
    found: Value = b.apply("sum", x, name="places", dim=-2)
    return found


def sounds(c: SamplesConfig, root: str, width: Dim) -> Any:
    """Returns the function that adds the projection of samples, as many to a token as it is wide."""

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.samples is not None  # the architecture declares its default
        total = workload.batch * (workload.audios or 1)
        tokens = ceil_div(workload.samples, c.audio_embed_dim)
        x = b.input("input_features", (total, tokens, c.audio_embed_dim))
        with b.scope(f"{root}embed_audio"):
            x = embedded(b, x, width)
        valid = b.input("input_features_mask", (total, tokens), "bool")
        found: Value = b.apply("index", x, valid, name=f"{root}audio_features", dims=(0,), count=total * tokens)
        return found

    return rows


def image_size(config: Gemma4UnifiedConfig) -> Any:
    """Returns the sides of the largest square image that is no more than the usual tokens."""
    if config.vision_config is None:
        return None
    side = isqrt(TOKENS) * config.vision_config.unit
    return side, side


ARCHITECTURE = composition(
    "gemma4_unified",
    Gemma4UnifiedConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=image_size,
    sizes={
        "images": count("vision_config"),
        "audios": count("audio_config"),
        "samples": lambda config: SECONDS * SAMPLES_PER_SECOND,
    },
    per_second={"samples": lambda config: SAMPLES_PER_SECOND},
    no_cost={"vision_soft_tokens_per_image": None},
    doc="Gemma 4 without towers: large patches and stretches of samples, projected, before Gemma 4's decoder.",
)
