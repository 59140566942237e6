"""Aria: the tokens of a SigLIP tower, which learned queries ask once, in a decoder with many small experts.

Li et al., 2024 (arXiv:2410.05993).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

import attrs

from graphacct import Builder, ConfigError, PresetFiles, SubModel, Value, Workload, brief, fields, frozen
from graphacct_architectures.derived import agree, derived
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.cross import torch_attention
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition, layer_indices
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.towers import looked, vision_model
from graphacct_architectures.tower import patch_count

CLASSES = ("AriaForConditionalGeneration", "AriaModel")
QUERIES = {1225: 128, 4900: 256}


def _queries() -> Any:
    """Returns the key that says how many queries ask an image of so many patches."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[tuple[int, int], ...]:
        found = QUERIES if value is None else dict(value) if isinstance(value, tuple) else value
        if not isinstance(found, Mapping) or not found:
            raise ConfigError(f"{field.name} is an object of numbers by numbers of patches, not {brief(value)}")
        return tuple((_count(key, field.name), _count(held, field.name)) for key, held in found.items())

    return fields.checked_field(check, tuple(QUERIES.items()))


def _count(value: Any, name: str) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and 0 < int(text[:12]) == int(text)):
        raise ConfigError(f"{name} has {brief(value)}, which is no number of patches or queries")
    return int(text)


@frozen(kw_only=True)
class AriaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("idefics3_vision")
    text_config: SubModel = text_model("aria_text", always=True)
    vision_feature_layer: tuple[int, ...] = layer_indices(-1)
    projector_patch_to_query_dict: tuple[tuple[int, int], ...] = _queries()
    max_value_projector_patch_to_query_dict: Any = derived()
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: AriaConfig, root: str) -> Composition:
    """Returns the decoder, and its images through the tower and the queries."""
    if len(config.vision_feature_layer) > 1:
        raise ConfigError(f"vision_feature_layer is {list(config.vision_feature_layer)}: Aria reads one layer")
    text = described(config.text_config)
    known: dict[Any, int] = dict(config.projector_patch_to_query_dict)
    most = max(known.values())
    agree("max_value_projector_patch_to_query_dict", config.max_value_projector_patch_to_query_dict, most)

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_tower"):
            (x,) = looked(config.vision_config, images, b, config.vision_feature_layer)
        count, patches, width = x.spec.shape
        if patches not in known:
            raise ConfigError(
                f"an image has {patches} patches, and projector_patch_to_query_dict knows how many queries ask "
                f"{' or '.join(map(str, known))}: give another image_size"
            )
        with b.scope(f"{root}multi_modal_projector"):
            own = b.parameter("query", (most, width))
            queries = b.apply("slice", own, name="queries", dim=0, length=known[patches])
            queries = b.apply("reshape", queries, name="queries_apart", shape=(1, known[patches], width))
            queries = b.apply("repeat", queries, name="queries_of_each", times=(count, 1, 1))
            with b.scope("cross_attn"):
                q = linear(b, "q_proj", layer_norm(b, "layer_norm", queries), width, bias=False)
                seen = layer_norm(b, "layer_norm_kv", x)
                k, v = (linear(b, name, seen, width, bias=False) for name in ("k_proj", "v_proj"))
                with b.scope("multihead_attn"):
                    y = torch_attention(b, q, k, v, config.vision_config.config.num_attention_heads)
                y = linear(b, "linear", y, width)
            y = layer_norm(b, "layer_norm", y)
            with b.scope("feed_forward"):
                y = linear(b, "linear_in", y, text.width, bias=False)
                y = b.apply("gelu_new", y, name="act")
                return linear(b, "linear_out", y, text.width, bias=False)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def usual_size(config: AriaConfig) -> Any:
    """Returns the tower's size of an image, or if no queries are known for it, the smallest square that has some."""
    tower = config.vision_config.config
    known: dict[Any, int] = dict(config.projector_patch_to_query_dict)
    if patch_count(tower.image_size, tower.patch_size) in known:
        return tower.image_size
    side = next((isqrt(count) for count in sorted(known) if isqrt(count) ** 2 == count), 1)
    return tuple(side * step for step in tower.patch_size)


ARCHITECTURE = composition(
    "aria",
    AriaConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=usual_size,
    sizes=ONE_TILE,
    doc="Aria: a SigLIP tower, learned queries that ask it once, a decoder with many small experts.",
)
