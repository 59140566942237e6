"""Small configurations of image encoders, drawn at random as files have them, and the sizes of images they are given.

Sizes divide as they have to; everything else that could change a number is drawn or left out. What is drawn is valid:
the transformers library builds every model.
"""

from __future__ import annotations

from random import Random
from typing import Any

from random_encoders import ACTS, some, tower, yes

CLASSES: dict[str, tuple[str, ...]] = {
    "deit": tuple(
        f"DeiT{end}"
        for end in (
            *("Model", "ForImageClassification", "ForImageClassificationWithTeacher", "ForMaskedImageModeling"),
        )
    ),
    "ijepa": ("IJepaModel", "IJepaForImageClassification"),
    "vit_msn": ("ViTMSNModel", "ViTMSNForImageClassification"),
}
"""The first is what is measured where a file names none."""


def drawn(family: str, random: Random, name: str = "") -> dict[str, Any]:
    """The content of a config.json, of the class `name` or of any."""
    content: dict[str, Any] = {"model_type": family, **DRAW[family](random)}
    content |= random.choice(({}, {"dtype": "bfloat16"}, {"torch_dtype": "float32"}, {"dtype": None}))
    if name or random.random() < 0.9:
        content["architectures"] = [name or random.choice(CLASSES[family])]
    names = {str(index): f"class {index}" for index in range(random.choice((1, 3, 5)))}
    return content | random.choice(({}, {"num_labels": 4}, {"id2label": names}))


def patched(random: Random) -> dict[str, Any]:
    patch = random.choice((2, 4))
    return {
        **{**tower(random), "patch_size": patch, "image_size": patch * random.randint(1, 3) + random.randint(0, 1)},
        **some(random, qkv_bias=yes(random), num_channels=1, head_dim=3, pooler_output_size=5, encoder_stride=2),
    }


DRAW = {"deit": patched, "ijepa": patched, "vit_msn": patched}
ANY_SIZE: dict[str, tuple[tuple[int, int], ...]] = {}
"""The images of families that take any size; the others take the one of their file."""


def workloads(content: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model of the file is run on."""
    if sizes := ANY_SIZE.get(content["model_type"]):
        return [{"batch": batch, "image_size": size} for batch, size in zip((2, 3), sizes, strict=True)]
    size = content.get("image_size", 224)
    return [{"batch": batch, "image_size": (size, size)} for batch in (1, 3)]
