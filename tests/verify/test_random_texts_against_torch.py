"""Random small configurations of further families that read texts: the real models and graphacct agree."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import transformers
from random_encoders import drawn
from random_texts import CLASSES, DRAW
from test_random_encoders_against_torch import SEEDS, same


@pytest.fixture(autouse=True)
def no_look_at_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns of padding where it finds the padding's id, and leaves out a mask of ones, as RemBERT and DPR
    make it; a meta tensor has no ids and no ones."""
    monkeypatch.setattr(transformers.PreTrainedModel, "warn_if_padding_and_no_attention_mask", lambda *args: None)
    monkeypatch.setattr(transformers.masking_utils, "_ignore_bidirectional_mask_sdpa", lambda *args: True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, names in CLASSES.items() for name in names], ids=str
)
def test_every_class(family: str, name: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs forward by module, of a training step, and with fused attention."""
    same(family, drawn(family, Random(f"{name} {seed}"), name, DRAW), tmp_path)
