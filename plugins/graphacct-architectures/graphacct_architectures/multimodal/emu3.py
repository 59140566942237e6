"""Emu3: images as words of a code, in one vocabulary with text.

Wang et al., 2024 (arXiv:2409.18869).
"""

from __future__ import annotations

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, own_or_text
from graphacct_architectures.multimodal.parts.film_code import FilmCode, coded, drawn
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.residing import reside

CLASSES = ("Emu3ForConditionalGeneration", "Emu3Model")
SIDE = 512
"""Pixels of a side of an image whose size is not given: the processor's least area is that of such a square."""


@frozen(kw_only=True)
class Emu3Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vq_config: FilmCode | None = fields.nested(FilmCode, "emu3")
    text_config: SubModel = text_model("emu3_text_model", always=True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: Emu3Config, root: str) -> Composition:
    """Returns the decoder, and the words of its images, looked up in its own table; what draws is in memory."""
    text, c = described(config.text_config), config.vq_config or FilmCode()

    def rows(workload: Workload, b: Builder) -> Value:
        images = attrs.evolve(of_images(workload), phase="forward")
        high, wide = sides(c, workload)
        assert images.image_size is not None  # the architecture declares its default
        pixels = b.input("pixel_values", (images.batch, 1, c.in_channels, *images.image_size))
        times = c.temporal_downsample_factor
        films = b.apply("repeat", pixels, name="frames", times=(1, times, 1, 1, 1))
        with b.scope(f"{root}vqmodel"):
            ids = coded(c, images, b, films)
        aside = Builder("drawn", b.operators, b.dtype)
        with aside.scope(f"{root}vqmodel"):
            image = drawn(c, images, aside)
        reside(b, aside.graph(image))
        with b.scope(f"{root}text_model"):
            table = b.parameter("embed_tokens.weight", (text.vocab_size, text.width))
            lines = b.apply("reshape", ids, name="image_lines", shape=(images.batch * high, wide))
            ends = b.apply("full", name="ends_of_lines", shape=(images.batch * high, 1), dtype="int64")
            words = b.apply("concat", lines, ends, name="words_and_ends", dim=1)
            words = b.apply("reshape", words, name="image_ids", shape=(images.batch * high * (wide + 1),))
            found: Value = b.apply("embedding", words, table, name="image_words")
            return found

    return Composition(text, (Part("images", rows),), f"{root}text_model", tied=own_or_text(config))


def sides(c: FilmCode, workload: Workload) -> tuple[Dim, Dim]:
    """Returns the rows and columns of words of an image. Raises ConfigError unless they are whole."""
    assert workload.image_size is not None  # the architecture declares its default
    for side in workload.image_size:
        if has_value(side) and side % c.side:
            high, wide = workload.image_size
            raise ConfigError(
                f"image_size {high}x{wide} is that after resizing: multiples of {c.side}, a word's pixels"
            )
    high, wide = (exact_div(side, c.side, "image_size / pixels of a word") for side in workload.image_size)
    return high, wide


ARCHITECTURE = composition(
    "emu3",
    Emu3Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (SIDE, SIDE),
    no_cost={"vocabulary_map": None},
    inner_classes={"Emu3ForCausalLM": "text_config", "Emu3TextModel": "text_config"},
    doc="Emu3: images as words of a code, in one vocabulary with text; what draws them is in memory.",
)
