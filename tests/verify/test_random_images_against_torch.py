"""Random small configurations of image encoders: the real models and graphacct agree.

`EXAMPLES=random` draws others each time; a failure names the seed and prints the file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random, randrange
from typing import Any

import pytest
import torch
import transformers
from comparison import accounted, same_parameters
from graphacct_torch.measuring.measured import BY_GROUP
from measure import flops_of
from random_images import CLASSES, drawn, workloads
from transformers.models import d_fine, deimv2, grounding_dino, mm_grounding_dino
from truth import in_groups, model_from, train_step

from graphacct.hooks.manager import default

SEEDS = [randrange(2**32) for _ in range(3)] if os.environ.get("EXAMPLES") == "random" else range(3)

CHANNELS = ("num_channels", "stem_num_channels", "in_chans")
READING = ("vjepa2", "sam3")
"""Families that read numbers from their own masks or sizes, which meta tensors have not."""
APART = {"sam2": ("mask_decoder",), "sam3": ("detr_decoder",)}
"""Modules some of whose parts the model runs itself: torch's counter has no sum of those."""


@pytest.fixture(autouse=True)
def all_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """DETR's encoder clamps what is not finite in training and looks for padding, and Grounding DINO's checks the sizes
    of maps; a meta tensor has no values."""
    detectors = (d_fine.modeling_d_fine, deimv2.modeling_deimv2)
    for module in (
        *detectors,
        grounding_dino.modeling_grounding_dino,
        mm_grounding_dino.modeling_mm_grounding_dino,
    ):
        monkeypatch.setattr(module, "torch_compilable_check", lambda *args: None)
    monkeypatch.setattr(transformers.masking_utils, "_ignore_bidirectional_mask_sdpa", lambda *args: True)
    monkeypatch.setattr(torch, "isfinite", lambda x: torch.ones(1, dtype=torch.bool))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", CLASSES)
def test_a_random_configuration(family: str, seed: int, tmp_path: Path) -> None:
    """Tensors by name and shape; FLOPs forward by module and of a training step; fused attention."""
    same(family, drawn(family, Random(f"{family} {seed}")), tmp_path)


@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, names in CLASSES.items() for name in names], ids=str
)
def test_every_class(family: str, name: str, tmp_path: Path) -> None:
    """The same of each class that a file may name."""
    same(family, drawn(family, Random(name), name), tmp_path)


def given(config: Any, sizes: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """What a model takes: pixels, those of each frame of a video, and points that a prompt has."""
    inside = getattr(config, "backbone_config", None) or getattr(config, "vision_config", None) or config
    frames = (sizes["frames"],) if "frames" in sizes else ()
    inside = getattr(inside, "backbone_config", None) or inside
    channels = next((getattr(inside, key) for key in CHANNELS if hasattr(inside, key)), 3)
    shape = (sizes["batch"], *frames, channels, *sizes["image_size"])
    word = "pixel_values_videos" if config.model_type == "vjepa2" else "pixel_values"
    found = {word: torch.zeros(shape, device="meta", dtype=dtype)}
    if "seq_len" in sizes:
        found["input_ids"] = torch.zeros((sizes["batch"], sizes["seq_len"]), device="meta", dtype=torch.long)
    if "points" in sizes:
        shape = (sizes["batch"], 1, sizes["points"])
        found["input_points"] = torch.zeros((*shape, 2), device="meta", dtype=dtype)
        found["input_labels"] = torch.zeros(shape, device="meta", dtype=torch.int32)
    return found


def same(family: str, content: dict[str, Any], folder: Path) -> None:
    """Assert that the file in the folder is the library's model."""
    print(json.dumps(content))
    (folder / "config.json").write_text(json.dumps(content))
    config = transformers.AutoConfig.from_pretrained(folder)
    config.architectures = config.architectures or [CLASSES[family][0]]
    model = model_from(config)
    formulas = BY_GROUP if in_groups(model) else None
    kinds = default().architectures.get(f"hf-{family}", default().architectures[family]).load().attention
    eager: dict[str, Any] = {"attention": "eager"} if kinds else {}
    for index, sizes in enumerate(workloads(content)):
        pixels = given(config, sizes, model.dtype)
        if family in READING:
            model = model.to_empty(device="cpu")
            for buffer in model.buffers():  # ids of positions
                buffer.zero_()
            pixels = {key: torch.zeros_like(value, device="cpu") for key, value in pixels.items()}
        found = accounted(folder, **sizes, **eager)
        if not index:
            same_parameters(found, model)
        measured = flops_of(model, lambda model=model, pixels=pixels: model(**pixels))
        assert found.total["matmul_flops"] == measured["total"]
        ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in found.by_scope}
        for path, figures in measured["by_module"].items():  # a list of modules has no row of its own, its parts have
            if path not in ("(root)", *APART.get(family, ())) and (
                path in ours or f"{path}.*" not in measured["by_module"]
            ):
                assert ours.get(path, [None])[0] == figures[0], path
        step = accounted(folder, **sizes, **eager, phase="train", loss="sum")
        assert step.total["step_matmul_flops"] == train_step(model, pixels, formulas)["total"]
        if "fused" in kinds:
            fused = accounted(folder, **sizes, attention="fused")
            assert fused.total["matmul_flops"] == measured["total"]
            assert fused.total["params"] == found.total["params"]
