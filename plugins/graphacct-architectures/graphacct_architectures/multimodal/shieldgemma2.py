"""ShieldGemma 2: Gemma 3 with images, of whose last token two logits are read, for yes and for no.

Zeng et al., 2025 (arXiv:2504.01081).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.losses import SUM, SUM_ALONE
from graphacct_architectures.multimodal import gemma3
from graphacct_architectures.multimodal.parts.family import own_or_text

CLASSES = ("ShieldGemma2ForImageClassification", gemma3.CLASSES[0])


@frozen(kw_only=True)
class ShieldGemma2Config(gemma3.Gemma3Config):
    """The keys of the published config.json that the cost depends on. The head is tied if either the file or its text
    model says so."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    tie_word_embeddings: bool = fields.flag(False)


def sees(config: ShieldGemma2Config) -> int:
    """Returns how many images a sequence has unless the workload says so: none if their tokens are no squares of an
    image's patches, as with the class's defaults."""
    try:
        gemma3.kernel(config)
    except ConfigError:
        return 0
    return 1


def inner_of(config: ShieldGemma2Config, workload: Workload) -> Any:
    """Returns Gemma 3's configuration; of images that the class cannot see the parameters are there."""
    changed: dict[str, Any] = {"architectures": [CLASSES[1]], "tie_word_embeddings": own_or_text(config)}
    if not sees(config) and equal(workload.images or 0, 0):
        changed["mm_tokens_per_image"] = 1
    return attrs.evolve(config, **changed)


def places(config: ShieldGemma2Config, workload: Workload, operators: Mapping[str, Any]) -> Dim:
    """Returns how many tokens of each sequence stand for images."""
    count = gemma3.ARCHITECTURE.placeholders
    assert count is not None  # it has images
    return count(inner_of(config, workload), workload, operators)


def build(config: ShieldGemma2Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids and images to two logits, or to those of all words and tokens."""
    inner = inner_of(config, workload)
    if config.architectures == CLASSES[1]:
        made: Value | tuple[Value, ...] = gemma3.ARCHITECTURE.build(inner, workload, b)
        return made
    with b.inside("model"):
        x = gemma3.ARCHITECTURE.build(inner, workload, b)
    assert isinstance(x, Value)
    last = b.apply("select", x, name="last", dim=1, index=x.spec.shape[1] - 1)
    words = b.apply("constant", name="yes_and_no", shape=(2,), dtype="int64")
    logits = b.apply("index_select", last, words, name="logits", dim=1)
    return logits, b.apply("softmax", logits, name="probabilities")


ARCHITECTURE = attrs.evolve(
    gemma3.ARCHITECTURE,
    name="shieldgemma2",
    config=ShieldGemma2Config,
    build=build,
    presets=PresetFiles(__file__),
    sizes={**gemma3.ARCHITECTURE.sizes, "images": sees},
    placeholders=places,
    phases=("forward", "train"),
    last_logits=False,
    losses={SUM: lambda config, outputs, b: SUM_ALONE[SUM](config, outputs[:1], b)},
    default_loss=lambda config: SUM,
    no_cost={**gemma3.ARCHITECTURE.no_cost, "yes_token_index": None, "no_token_index": None},
    model_types=("shieldgemma2",),
    doc="ShieldGemma 2: Gemma 3 with images, of whose last token two logits are read.",
)
