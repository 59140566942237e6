"""What the models of tests/goldens/saved_activations.json save, measured again: torch saves what the golden says."""

from __future__ import annotations

import json

import pytest
import transformers
from saved_activations import GOLDEN, measured
from saved_shapes import SHAPES

TRUTH = json.loads(GOLDEN.read_text())
SINCE_5_24 = ("gptj", "codegen", "deepseek_v2", "deepseek_v3")
"""Families whose models transformers 5.24 runs otherwise: GPT-J and CodeGen have fused attention, DeepSeek's rotary
positions and routers other casts. Their rows were measured with it; the file names the version of the others."""


def test_every_shape_is_there() -> None:
    assert list(TRUTH["shapes"]) == list(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_torch_still_saves_that(name: str) -> None:
    if tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 24) and name.startswith(SINCE_5_24):
        pytest.skip("measured with transformers 5.24")
    assert measured(name) == TRUTH["shapes"][name]
