"""FLOPs of a training step's forward pass alone: every answer that has them says so, and only those."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.costs.quantities import forward_alone
from graphacct.hooks.manager import default
from graphacct.render.picture.legend import title
from graphacct.render.sheet import sheet

NOTE = "flops are the forward pass's; step_flops are the step's"


def _solved(**more: Any) -> str:
    return str(graphacct.solve("gpt2", for_="n_layer", max=True, where="flops <= 1e12", range_="1:100", **more))


def _compared(**more: Any) -> str:
    return str(graphacct.compare("gpt2", by="role", **more))


def _derived(**more: Any) -> str:
    return str(graphacct.formula("gpt2", symbols="n_layer", **more))


def _swept(**more: Any) -> str:
    return str(graphacct.sweep("gpt2", over={"batch": "1,2"}, keep="flops", **more))


def _reported(**more: Any) -> str:
    found = sheet(graphacct.account("gpt2", quantities=["flops"], **more), columns=["flops"])
    return "\n".join(found.notes)


@pytest.mark.parametrize("answer", [_solved, _compared, _derived, _swept, _reported])
def test_only_of_a_training_step(answer: Any) -> None:
    assert NOTE in answer(phase="train").splitlines()
    assert "forward pass" not in answer()


def test_quantities_declare_it() -> None:
    """Those of a note are of the quantities in its answer; a step's own have none."""
    known = default().quantities
    alone = forward_alone(known.values(), "train")
    assert alone["matmul_flops"] == alone["macs"] == "step_matmul_flops"
    assert set(alone.values()) <= {*known, "none"}
    assert {name for name, step in alone.items() if step == "none"} == {
        *("transcendentals", "activation_bytes", "read_bytes", "write_bytes", "arithmetic_intensity")
    }
    assert not forward_alone(known.values(), "forward", "decode")
    found = graphacct.sweep("gpt2", over={"batch": "1,2"}, keep="flops,vector_flops,macs", phase="train")
    assert "flops and vector_flops are the forward pass's; step_flops are the step's" in str(found)
    assert "macs are the forward pass's; step_matmul_flops are the step's" in str(found)
    assert "forward pass" not in str(graphacct.sweep("gpt2", over={"batch": "1,2"}, keep="step_flops", phase="train"))


def test_what_no_quantity_of_the_step_stands_for() -> None:
    """The bytes that a step reads are in no column: the note says that, in the place of the step's column."""
    counted = ["read_bytes", "write_bytes", "flops", "arithmetic_intensity"]
    report = graphacct.account("gpt2", quantities=counted, phase="train")
    said = sheet(report, columns=["read_bytes", "write_bytes"]).notes
    assert "read_bytes and write_bytes are the forward pass's; no quantity is the step's" in said
    said = sheet(report, columns=["arithmetic_intensity"]).notes
    assert "arithmetic_intensity is the forward pass's; no quantity is the step's" in said


def test_phases_of_a_sweep() -> None:
    assert NOTE in str(graphacct.sweep("gpt2", over={"phase": "forward,train"}, keep="flops"))


def test_the_title_of_a_picture() -> None:
    report = graphacct.account("gpt2", phase="train", quantities=["params", "flops", "step_flops"])
    assert "294 GFLOP forward · 879 GFLOP step_flops" in title(report, report.quantity("step_flops"))
    report = graphacct.account("gpt2", quantities=["params", "flops"])
    assert "forward" not in title(report, report.quantity("flops"))


def test_the_axis_of_a_plot(tmp_path: Path) -> None:
    for phase, words in (("train", "share of FLOPs of the forward pass (%)"), ("forward", "share of FLOPs (%)")):
        path = tmp_path / f"{phase}.svg"
        graphacct.compare("gpt2", "gpt2-medium", by="role", phase=phase).plot(path)
        assert words in path.read_text(encoding="utf-8")


def test_plain_values_stay() -> None:
    found = graphacct.solve("gpt2", for_="batch", max=True, where="flops <= 1e12", phase="train")
    assert "forward" not in json.dumps(found.to_dict())
