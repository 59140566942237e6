"""Ways out: options under which a model that does not fit may fit, to be computed and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphacct.footprint.memory import Memory
from graphacct.graph.graph import Graph
from graphacct.keywords import DEFAULTS
from graphacct.models.find import ModelChoice
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import CACHING, GENERATE, PREFILL, TRAIN

RANKS = 8
"""Data-parallel ranks of the ways with ZeRO: one machine of eight."""
LORA = "16:all-linear"
"""Adapters of rank 16 beside every matrix of the layers, as peft's all-linear."""
QLORA = "nf4:double"
"""The base's format in QLoRA (Dettmers et al., 2023, arXiv:2305.14314)."""
SERVED = ("fp8", "int4")
"""Formats that models are served in."""
CACHE = "fp8"
"""The narrow dtype of a cache."""


def ways_out(
    found: Graph | ModelChoice | ReadChoice, asked: Memory, options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yields options that differ from those asked for, single ones first, then those that go well together.

    They may be ones that the model does not have. All keep the algorithm that trains the model: one with less state,
    such as Adafactor, is another choice. Sizes are not among them: the largest that fit are found for each
    device.
    """
    training = asked.phase == TRAIN
    ways = [*_built(found, asked, options), *(_training(asked, options) if training else _inference(asked))]
    yield from ways
    if training:
        yield from _together(ways)


def _built(
    found: Graph | ModelChoice | ReadChoice, asked: Memory, options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yields other ways to build the model; a finished graph is built."""
    if not isinstance(found, ModelChoice):
        return
    if asked.workload.get("dtype") in ("float32", "float64"):
        yield {"dtype": "bf16"}
    kinds = found.architecture.attention
    usual = found.architecture.attention_by_phase.get(asked.phase, "fused")
    if usual in kinds and asked.workload.get("attention") in {*kinds} - {usual}:
        yield {"attention": usual}
    if asked.phase == PREFILL and asked.workload.get("logits", "all") == "all":
        yield {"logits": "last"}


def _training(asked: Memory, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if options.get("recompute", DEFAULTS["recompute"]) == DEFAULTS["recompute"]:
        yield {"recompute": "full"}
    copy = asked.master == "fp32" and not options.get("master") and not options.get("lora")  # of adapters it is small
    without_copy = {"master": "none"}
    if copy:
        yield without_copy
    if asked.optimizer == "adamw":
        yield {"optimizer": "adamw-8bit"}
        if copy:
            yield {"optimizer": "adamw-8bit", **without_copy}
    for stage in range(asked.zero + 1, 4):
        yield {"dp": asked.dp if asked.dp > 1 else RANKS, "zero": stage}
    lora = {"lora": options.get("lora") or [LORA]}
    if not options.get("lora"):
        yield lora
    if not asked.workload.get("weights"):
        yield {"weights": QLORA, **({} if options.get("lora") else lora)}


def _inference(asked: Memory) -> Iterator[dict[str, Any]]:
    """Yields weights in narrower formats, a narrower cache, and both."""
    weights = [] if asked.workload.get("weights") else [{"weights": name} for name in SERVED]
    cache = [] if asked.phase not in (*CACHING, GENERATE) or asked.workload.get("kv_dtype") else [{"kv_dtype": CACHE}]
    yield from (*weights, *cache)
    yield from ({**weights[-1], **narrow} for narrow in cache if weights)


def _together(ways: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields recomputation with each way that makes weights, gradients or the optimizer's state smaller."""
    again = next((way for way in ways if "recompute" in way), None)
    if again is None:
        return
    strongest = [way for way in ways if way.get("zero") == 3 or {"master", "optimizer", "lora", "weights"} & set(way)]
    for way in strongest:
        yield {**again, **way}
