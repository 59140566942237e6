"""Models that make vectors of pages and of questions, one for each token: a model of text and images without its head,
and one linear layer.

Faysse et al., 2024 (arXiv:2407.01449).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import SUM, total

ENDINGS = ("ForConditionalGeneration", "ForMaskedLM")
"""How the names of the classes with a head end."""


def inner_model(default: str) -> Any:
    """Returns the key of the model inside, of the `default` family whatever its `model_type` says."""
    return fields.model(default, always=True)


def retrieval(
    name: str, config: type[Any], file: str, *, doc: str, no_cost: Mapping[str, tuple[Any, ...] | None] | None = None
) -> Architecture:
    """Returns the Architecture of a family: its configuration has a model `vlm_config`, and `embedding_dim`."""

    def build(config: Any, workload: Workload, b: Builder) -> Value:
        inner = alone(config.vlm_config)
        with b.inside("vlm"):
            made = inner.architecture.build(inner.config, workload, b)
        x = made if isinstance(made, Value) else made[0]
        width: Dim = config.embedding_dim
        x = linear(b, "embedding_proj_layer", x, width)
        length = b.apply("vector_norm", x, name="length", dim=-1, keepdim=True)
        found: Value = b.apply("div", x, length, name="normalised")
        return found

    def placeholders(config: Any, workload: Workload, operators: Mapping[str, Any]) -> Dim:
        inner = alone(config.vlm_config)
        count = inner.architecture.placeholders
        return 0 if count is None else count(inner.config, workload, operators)

    def inexact(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
        known = config.vlm_config.architecture.inexact
        return () if known is None else tuple(known(config.vlm_config.config, workload, dtype))

    def of_inner(size: str) -> Any:
        return lambda config: config.vlm_config.architecture.sizes[size](config.vlm_config.config)

    return Architecture(
        name,
        config,
        build,
        PresetFiles(file),
        sizes={"seq_len": of_inner("seq_len"), "images": of_inner("images"), "image_size": of_inner("image_size")},
        attention=("fused", "eager"),
        aliases={"torch_dtype": "dtype"},
        no_cost=no_cost or {},
        losses={SUM: total},
        inexact=inexact,
        placeholders=placeholders,
        model_types=(name,),
        doc=doc,
    )


def alone(model: SubModel) -> SubModel:
    """Returns a model without its head. Raises ConfigError for a class that has none."""
    named = model.config.architectures
    for ending in ENDINGS:
        if named.endswith(ending):
            stem = named.removesuffix(ending)
            return attrs.evolve(model, config=attrs.evolve(model.config, architectures=[f"{stem}Model"]))
    if not named.endswith("Model"):
        raise ConfigError(f"vlm_config.architectures is {named!r}: a model without a head is inside")
    return model
