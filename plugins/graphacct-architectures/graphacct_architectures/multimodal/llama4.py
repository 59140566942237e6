"""Llama 4: a tower of its own and one matrix, before its language model.

Meta, "The Llama 4 herd", 2025.
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, PresetFiles, SubModel, Value, Workload, differ, fields, frozen, prod
from graphacct_architectures.layers import linear, resident
from graphacct_architectures.multimodal.llama4_vision import check_sizes, seen
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images

CLASS = "Llama4ForConditionalGeneration"


@frozen(kw_only=True)
class Llama4Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    vision_config: SubModel = fields.model("llama4_vision_model", always=True)
    text_config: SubModel = text_model("llama4_text", always=True)
    dtype: str | None = fields.dtype()


def compose(config: Llama4Config, root: str) -> Composition:
    """Returns Llama 4, and its images through the tower and the projector, whose modules are at the root."""
    text, tower = described(config.text_config), config.vision_config.config

    def check() -> None:
        check_tower(tower)

    def rows(workload: Workload, b: Builder) -> Value:
        with b.scope("vision_model"):
            x = seen(tower, of_images(workload), b, "vision_config.image_size")
        images, tokens, width = x.spec.shape
        x = b.apply("reshape", x, name="image_features", shape=(prod((images, tokens)), width))
        with b.scope("multi_modal_projector"):
            if not differ(width, tower.vision_output_dim):
                return linear(b, "linear_1", x, text.width, bias=False)
            resident(b, "linear_1", b.parameter("linear_1.weight", (text.width, tower.vision_output_dim)))
            missing: Value = b.apply("full", name="missing", shape=(images * tokens, text.width), dtype=b.dtype)
            return missing

    return Composition(text, (Part("images", rows, check),), "language_model", own_head=True)


def check_tower(tower: Any) -> None:
    """Raises ConfigError for a tower whose class does not run."""
    check_sizes(tower)
    if differ(tower.vision_output_dim, tower.projector_output_dim):
        raise ConfigError(
            f"vision_config.vision_output_dim is {tower.vision_output_dim} and projector_output_dim "
            f"{tower.projector_output_dim}: they have to agree, or the class does not run"
        )


def images(config: Llama4Config) -> int:
    """Returns how many images a sequence has unless the workload says so: none without a size of the tower, since its
    class does not run with its defaults."""
    tower = config.vision_config.config
    return 0 if tower == type(tower)() else 1


def image_size(config: Llama4Config) -> Any:
    """Returns the size of an image: the tower's."""
    return config.vision_config.config.image_size


ARCHITECTURE = composition(
    "llama4",
    Llama4Config,
    compose,
    PresetFiles(__file__),
    classes=(CLASS, "no bare model"),
    image_size=image_size,
    sizes={"images": images},
    no_cost={"tie_word_embeddings": None, "multi_modal_projector_bias": None},
    inner_classes={
        **dict.fromkeys(("Llama4ForCausalLM", "Llama4TextModel"), "text_config"),
        "Llama4VisionModel": "vision_config",
    },
    doc="Llama 4 with images: a tower of its own, squares of tokens as one, Llama 4's decoder.",
)
