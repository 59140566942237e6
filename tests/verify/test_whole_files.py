"""A config.json in which the library wrote out every key says what one with nothing but its `model_type` says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

import graphacct
from graphacct.hooks.manager import default

TYPES = sorted(
    kind
    for architecture in default().architectures.values()
    for kind in architecture.model_types
    if kind in CONFIG_MAPPING
)
OTHERS = ("esm", "timm_backbone")
"""Types whose class has a null in place of a size or a name: it builds no model without one of the user's."""


def account(content: dict[str, Any]) -> Any:
    return graphacct.account(content, quantities=("params", "flops")).total


@pytest.mark.parametrize("kind", TYPES)
def test_a_file_with_every_key_is_the_class(kind: str) -> None:
    try:
        plain = account({"model_type": kind})
    except graphacct.GraphacctError:
        pytest.skip("the class's default sizes are no whole model")
    content = json.loads(CONFIG_MAPPING[kind]().to_json_string(use_diff=False))
    if kind not in OTHERS:
        assert account({"model_type": kind, **content}) == plain
