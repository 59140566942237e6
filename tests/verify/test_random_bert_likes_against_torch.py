"""Random small configurations of encoders that vary BERT's layers: the real models and graphacct agree."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import transformers
from comparison import accounted, same_parameters
from random_bert_likes import CLASSES, DRAW
from random_encoders import drawn
from test_random_encoders_against_torch import SEEDS
from truth import model_from

import graphacct


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, names in CLASSES.items() for name in names], ids=str
)
def test_every_class(family: str, name: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs by module, forward and of a training step."""
    content = drawn(family, Random(f"{name} {seed}"), name, DRAW)
    if family == "fnet":  # torch has no transform of other dtypes
        content.pop("dtype", None)
    (tmp_path / "config.json").write_text(json.dumps(content))
    found = graphacct.verify_class(tmp_path)
    assert [line for line in found.differences if line.what in ("params", "forward", "step")] == []
    same_parameters(accounted(tmp_path, seq_len=8), model_from(transformers.AutoConfig.from_pretrained(tmp_path)))
