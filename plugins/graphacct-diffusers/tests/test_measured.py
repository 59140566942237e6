"""Small models of every family, against what torch measured of diffusers' class (0.42.1), module by module."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import ClassMeasurement
from graphacct.checkpoints.verify_class import verify_class

GOLDENS = Path(__file__).parent / "goldens"
KEPT = {
    "qwen_image": {"backward_peak_bytes": -(25 * 8 * 8)},
    "vq_model": {"backward_peak_bytes": 192 * (2 * 5 * 4 + 8)},
}
"""What a class keeps beyond its step: the table of the picture's positions, 5 x 5 places of 8 complex numbers, which is
made in the first step alone and read in all others. And what the loss of the codes saves for each of 192 places, its
gaps of 5 channels twice and the code's number: whoever keeps all outputs holds that, the measured step the first."""
FEW = {"autoencoder_tiny": 30}
"""The fewest figures of a class whose modules are all in one list, so that they share their names."""
CASES = sorted(file.stem for file in GOLDENS.glob("*.json"))


def golden(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDENS / f"{case}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_the_class_measures(case: str) -> None:
    """Every parameter, every module's FLOPs forward and in a step, the saved bytes and the backward pass's peak. The
    forward pass's peak is lower here: the classes' functions hold more of their variables than the graph says."""
    found = golden(case)
    config, workload = found["config"], found["workload"]
    keys = {**config, "model_type": config["_class_name"]}
    forward = graphacct.account(keys, convention="matmul", **workload)
    step = graphacct.account(
        keys, phase="train", loss="sum", convention="matmul", profile="torch-eager-cpu", **workload
    )
    names = {field.name for field in attrs.fields(ClassMeasurement)}
    measured = ClassMeasurement(**{key: value for key, value in found["measured"].items() if key in names})
    compared = verify_class(forward, step, measured, {})
    differing = {line.what: line.difference for line in compared.differences if line.what != "peak_bytes"}
    assert differing == KEPT.get(case, {})
    assert len(compared.lines) > FEW.get(case, 60)


def test_every_family_is_measured() -> None:
    """Each class that a family reads has a golden; a whole pipeline is its parts."""
    import graphacct_diffusers

    families = [family for family in graphacct_diffusers.FAMILIES if family.name != "diffusion-pipeline"]
    classes = {kind for family in families for kind in family.model_types}
    assert classes == {golden(case)["config"]["_class_name"] for case in CASES}


@pytest.mark.parametrize(
    ("preset", "params"),
    [
        ("stable-diffusion-v1-5-unet", 859_520_964),
        ("stable-diffusion-xl-base-1.0-unet", 2_567_463_684),
        ("stable-diffusion-v1-5-vae", 83_653_863),
        ("flux.1-dev", 11_901_408_320),
    ],
)
def test_published_totals(preset: str, params: int) -> None:
    """The parameters of the published checkpoints."""
    assert graphacct.account(preset).total["params"] == params
