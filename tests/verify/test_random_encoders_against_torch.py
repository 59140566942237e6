"""Random small configurations of every family that is not a decoder alone: the real models and graphacct agree.

`EXAMPLES=random` draws others each time; a failure names the seed and prints the file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random, randrange
from typing import Any

import pytest
import transformers
from comparison import accounted, same_parameters
from graphacct_torch.measuring.measured import BY_GROUP
from measure import flops_of
from random_encoders import CLASSES, drawn, given, workloads
from truth import decode_beside_encoder, in_groups, model_from, train_step

import graphacct
from graphacct.hooks.manager import default

SEEDS = [randrange(2**32) for _ in range(3)] if os.environ.get("EXAMPLES") == "random" else range(3)
CACHED = ((1, 7), (9, 4))
"""The decoder's earlier tokens, and the encoder's."""


@pytest.fixture(autouse=True)
def no_look_at_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns of padding where it finds the padding's id, and leaves out a mask of ones, as RemBERT and DPR
    make it; a meta tensor has no ids and no ones."""
    monkeypatch.setattr(transformers.PreTrainedModel, "warn_if_padding_and_no_attention_mask", lambda *args: None)
    monkeypatch.setattr(transformers.masking_utils, "_ignore_bidirectional_mask_sdpa", lambda *args: True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", CLASSES)
def test_a_random_configuration(family: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs forward by module, of a training step and of decoding steps; fused attention."""
    same(family, drawn(family, Random(f"{family} {seed}")), tmp_path)


@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, names in CLASSES.items() for name in names], ids=str
)
def test_every_class(family: str, name: str, tmp_path: Path) -> None:
    """The same of each class that a file may name."""
    same(family, drawn(family, Random(name), name), tmp_path)


def same(family: str, content: dict[str, Any], folder: Path) -> None:
    """Assert that the file in the folder is the library's model."""
    print(json.dumps(content))
    (folder / "config.json").write_text(json.dumps(content))
    config = transformers.AutoConfig.from_pretrained(folder)
    config.architectures = config.architectures or [CLASSES[family][0]]
    model = model_from(config)
    formulas = BY_GROUP if in_groups(model) else None
    kinds = default().architectures.get(family, default().architectures.get(f"hf-{family}")).load().attention
    eager: dict[str, Any] = {"attention": "eager"} if kinds else {}
    for index, sizes in enumerate(workloads(content)):
        inputs = given(model, sizes)
        found = accounted(folder, **sizes, **eager)
        if not index:
            same_parameters(found, model)
        measured = flops_of(model, lambda inputs=inputs: model(**inputs))
        assert found.total["matmul_flops"] == measured["total"]
        same_modules(found, measured["by_module"])
        step = accounted(folder, **sizes, **eager, phase="train", loss="sum")
        assert step.total["step_matmul_flops"] == train_step(model, inputs, formulas)["total"]
        if kinds:
            fused = accounted(folder, **sizes, attention="fused")
            assert fused.total["matmul_flops"] == measured["total"]
            assert fused.total["params"] == found.total["params"]
    decodes = type(model).__name__.endswith(("ForConditionalGeneration", "MTModel"))
    for cached, encoder in CACHED if decodes else ():
        length = {} if family == "whisper" else {"encoder_seq_len": encoder}
        found = accounted(folder, phase="decode", cache_len=cached, **length, **eager)
        assert found.total["matmul_flops"] == decode_beside_encoder(model, cached, encoder)["total"]


def same_modules(found: graphacct.Report, measured: dict[str, list[int]]) -> None:
    """Every module with FLOPs. A sequence of modules has no row of its own, only its parts have; and a downsampling
    layer's parts are a norm and a convolution, of which torch counts the one with FLOPs; so do subsampling layers have
    activations beside their convolutions."""
    ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in found.by_scope}
    for path, figures in measured.items():
        if path == "(root)" or (path not in ours and f"{path}.*" in measured):
            continue
        assert path in ours, path
        if path.endswith(("downsampling_layer.*", "subsampling.layers.*")):
            assert ours[path][0] == figures[0]
        else:
            assert ours[path] == figures, path
